"""Logs that do not change places with the data."""

import re

import pytest

from replicaplan import logs

from .facts import replica


@pytest.mark.parametrize(
    "variables",
    [
        {"log_bin": "ON", "log_bin_basename": "/srv/mysql/db2-bin", "relay_log": ""},
        {"log_bin": "OFF", "log_bin_basename": "", "relay_log": "relay"},
        {"log_bin": "db2-bin"},
        {"log_bin": "", "relay_log": "logs/relay"},
        {"relay_log": "/srv/mysql/logs/relay"},
    ],
)
def test_logs_in_the_data_directory_are_no_reason(variables):
    assert logs.against_logs(replica(variables=variables), "db2") == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"log_bin": "ON", "log_bin_basename": "/var/log/mysql/bin"}, r"its binary log .*\(log_bin_basename=/var/log.*"
         "Let log_bin be a name without a path"),
        ({"log_bin": "/var/log/mysql/bin"}, r"its binary log .*\(log_bin=/var/log/mysql/bin\)"),
        ({"relay_log": "/srv/mysql-relay/relay"}, r"its relay log .*\(relay_log=/srv/mysql-relay/relay\)"),
        ({"relay_log": "../relay"}, r"its relay log"),
    ],
)
def test_logs_elsewhere_are_refused(variables, words):
    """The new server would write into them, and the old one would go on from there when it is back."""
    (reason,) = logs.against_logs(replica(variables=variables), "db2")
    assert re.search(words, reason)
