"""The module `xtrabackup` whatever it is given: an error in words, before anything is looked at."""

import importlib.util

import pytest
from salt.exceptions import CommandExecutionError

from replicahost import discovery
from tests.conftest import CHECKOUT


@pytest.fixture
def host(monkeypatch):
    """The module on a host of which nothing may be asked."""
    spec = importlib.util.spec_from_file_location("xtrabackup_module", CHECKOUT / "_modules/xtrabackup.py")
    host = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(host)
    host.__opts__, host.__pillar__, host.__context__ = {"id": "db2"}, {}, {}

    def asked(*_, **__):
        raise AssertionError("the host was looked at")

    monkeypatch.setattr(discovery, "place", asked)
    return host


@pytest.mark.parametrize("function", ["stream", "info", "prepare", "verify"])
@pytest.mark.parametrize("target", [5, None, "srv/backup", ["/srv/backup"], "/srv/\0"])
def test_what_is_no_absolute_path_is_refused_in_words(host, function, target):
    with pytest.raises(CommandExecutionError, match="target has to be an absolute path"):
        getattr(host, function)(target)


def test_what_is_no_number_of_threads_is_refused_in_words(host):
    with pytest.raises(CommandExecutionError, match="parallel has to be a whole number"):
        host.stream("/srv/backup", parallel="many")
