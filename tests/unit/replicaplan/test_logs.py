"""Logs that lie outside of the data directory: which files are theirs, and why they could not be moved aside."""

import re

import pytest

from replicaplan import logs

from .facts import log, replica

BINARY = {"log_bin": "ON", "log_bin_basename": "/var/log/mysql/bin", "log_bin_index": "/var/log/mysql/bin.index"}


def bases(variables, channels=()):
    return [(each.kind, each.base) for each in logs.outside(variables, "/srv/mysql", channels)]


@pytest.mark.parametrize(
    "variables",
    [
        {"log_bin": "ON", "log_bin_basename": "/srv/mysql/db2-bin", "relay_log": ""},
        {"log_bin": "OFF", "log_bin_basename": "", "relay_log": "relay"},
        {"log_bin": "db2-bin"},
        {"log_bin": "", "relay_log": "./relay"},
        {"relay_log": "/srv/mysql/relay"},
    ],
)
def test_logs_in_the_data_directory_go_with_it(variables):
    assert bases(variables) == []
    assert logs.against_logs(replica(variables=variables), "db2") == []


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        (BINARY, [("binary log", "/var/log/mysql/bin")]),
        ({"log_bin": "/var/log/mysql/mysql-bin.log"}, [("binary log", "/var/log/mysql/mysql-bin")]),
        ({"relay_log": "/var/log//mysql/relay"}, [("relay log", "/var/log/mysql/relay")]),
        ({"relay_log": "/var/log/mysql/relay.a", "relay_log_basename": "/var/log/mysql/relay"},
         [("relay log", "/var/log/mysql/relay")]),
        ({**BINARY, "relay_log": "/r/relay"}, [("binary log", "/var/log/mysql/bin"), ("relay log", "/r/relay")]),
    ],
)
def test_logs_elsewhere_are_known_as_the_server_or_its_configuration_tells_them(variables, found):
    assert bases(variables) == found
    assert logs.against_logs(replica(variables=variables), "db2") == []


def test_what_belongs_to_a_log_is_told_from_what_only_begins_like_it():
    (binary,) = logs.outside({"log_bin": "/var/log/mysql/my.sql"}, "/srv/mysql", ["one"])
    own = ["my.000001", "my.1000000", "my.index", "my.state", "my.~rec~", "my.000001.idx"]
    others = ["my.log", "my.err", "my", "my-one.000001", "my-bin.000001", "my.000001.gz", "xmy.index", "my.index\n"]
    assert [name for name in [*own, *others] if binary.holds(name)] == own


def test_a_relay_log_has_files_for_each_named_channel():
    (relay,) = logs.outside({"relay_log": "/var/log/mysql/relay"}, "/srv/mysql", ["one", "t.o"])
    own = ["relay.000001", "relay.index", "relay-one.000002", "relay-t.o.index"]
    others = ["relay-other.000001", "relay-txo.index", "relay-bin.index", "relay-one"]
    assert [name for name in [*own, *others] if relay.holds(name)] == own


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"relay_log": "../relay"}, r"its relay log at \.\./relay: let relay_log be a file's path without '\.\.'"),
        ({"log_bin": "/var/../log/bin"}, r"its binary log at /var/\.\./log/bin"),
        ({"log_bin": "/var/log/mysql/"}, r"let log_bin be a file's path"),
        ({"log_bin": "/srv/mysql"}, r"its binary log at /srv/mysql: .* that is not the data directory's"),
        ({"log_bin": "/srv/mysql.log"}, r"its binary log at /srv/mysql: "),
        ({"log_bin": "/var/log/mysql/.bin"}, r"let log_bin be a file's path"),
        ({**BINARY, "log_bin_index": "/idx/bin.index"}, r"log_bin_index=/idx/bin.index, which is neither in"),
        ({"log_bin": "db2-bin", "log_bin_index": "/idx/bin.index"}, r"log_bin_index=/idx/bin\.index"),
        ({"relay_log": "/r/relay", "relay_log_index": "/r/other"}, r"relay_log_index=/r/other"),
    ],
)
def test_places_that_are_not_followed_are_refused(variables, words):
    (reason,) = logs.against_logs(replica(variables=variables), "db2")
    assert re.search(words, reason)


OTHER = {"log_bin": "/var/log/mysql/other.log"}


@pytest.mark.parametrize(
    ("runs", "configured", "words"),
    [
        (BINARY, OTHER, "its binary log at /var/log/mysql/bin, and at /var/log/mysql/other when it is started anew"),
        (BINARY, {"log_bin": ""}, "at /var/log/mysql/bin, and in its data directory or nowhere when"),
        ({"log_bin": "ON", "log_bin_basename": "/srv/mysql/bin"}, OTHER, "in its data directory or nowhere, and at"),
        ({"log_bin": "OFF"}, OTHER, "in its data directory or nowhere, and at /var/log/mysql/other when"),
        ({"relay_log": "/r/relay"}, {"relay_log": "/r/new"}, "its relay log at /r/relay, and at /r/new when"),
        (BINARY, {"log_bin": "/var/log/mysql/bin", "log_bin_index": "/idx/bin.index"}, "log_bin_index=/idx/bin.index"),
        ({}, {"datadir": "/srv/other/"}, "works in /srv/mysql, and in /srv/other when it is started anew"),
    ],
)
def test_what_the_next_start_would_have_elsewhere_than_what_runs_is_refused(runs, configured, words):
    """The new server would log there, and nobody would move that aside, or remove it when the old one comes back."""
    (reason,) = logs.against_changes(replica(variables=runs, configured=configured), "db2")
    assert words in reason


@pytest.mark.parametrize(
    ("runs", "configured"),
    [
        (BINARY, {}),
        (BINARY, {"log_bin": "/var/log/mysql/bin.log", "log_bin_index": "", "datadir": "/srv/mysql/"}),
        (BINARY, {"log_bin": "/var/log//mysql/bin", "log_bin_index": "/var/log/mysql/bin.index"}),
        ({"log_bin": "ON", "log_bin_basename": "/srv/mysql/db2-bin"}, {"log_bin": "other"}),
        ({"log_bin": "ON", "log_bin_basename": "/srv/mysql/db2-bin"}, {"log_bin": ""}),
    ],
)
def test_what_starts_as_it_runs_or_logs_in_its_own_data_directory_may_be_replaced(runs, configured):
    assert logs.against_changes(replica(variables=runs, configured=configured), "db2") == []


@pytest.mark.parametrize("index", ["", "bin.index", "/srv/mysql/bin.index", "/var/log/mysql/bin"])
def test_an_index_beside_its_log_or_in_the_data_directory_is_no_reason(index):
    assert logs.against_logs(replica(variables={**BINARY, "log_bin_index": index}), "db2") == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"directory_exists": False, "writable": False}, r"where the binary log of db2 is to be, is no directory"),
        ({"directory_is": "/big/log"}, r"is reached by a symbolic link: let its option name /big/log"),
        ({"writable": False}, r"cannot be written to by mysql"),
        ({"strange": ["bin.000007"]}, r"/var/log/mysql/bin\.000007 has the name of a file of the bin"),
        ({"strange": ["bin.1", "bin.2"]}, r"/bin\.1, \.\.\. has"),
        ({"open_by": [7, 9]}, r"are open in process 7 and 9, which is not its server"),
    ],
)
def test_files_that_may_be_another_ones_are_not_moved(found, words):
    (reason,) = logs.against_logs(replica(user="mysql", logs=[log(**found)]), "db2")
    assert re.search(words, reason)


def test_one_name_for_both_logs_is_refused():
    both = [log(), log(kind="relay log")]
    (reason,) = logs.against_logs(replica(user="mysql", logs=both), "db2")
    assert "one name for its binary log and its relay log, /var/log/mysql/bin" in reason


def test_what_will_be_moved_is_told():
    assert logs.moved([log(files=3, bytes=400)]) == ["binary log /var/log/mysql/bin.* (3 files, 400 bytes)"]
