"""The states of a replica beside what the module tells: what counts as done, and what is still to be done."""

import importlib.util

import pytest

from tests.conftest import CHECKOUT


@pytest.fixture
def host(tmp_path):
    """The state module on a host that tells what is `under_way` and what was settled `last`; remembers what it did."""
    spec = importlib.util.spec_from_file_location("replica_state", CHECKOUT / "_states/replica.py")
    host = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(host)
    host.under_way, host.settled, host.done = None, {}, []
    host.place = str(tmp_path / "mysql.incoming")
    host.__opts__ = {"test": False}
    host.__salt__ = {
        "replica.info": lambda: {"installation": host.under_way},
        "replica.last": lambda: host.settled,
        "replica.start_isolated": lambda: host.done.append("start_isolated"),
    }
    return host


def arrive(place):
    """A backup is there."""
    with open(place, "w", encoding="utf-8"):
        pass


def test_what_was_settled_is_proved(host):
    host.settled = {"prepared": host.place}
    for named in ({}, {"prepared": host.place}):
        assert host.proved("it", **named)["result"] is True


def test_what_was_taken_back_is_not_proved_by_what_was_settled_before(host):
    host.settled = {"prepared": host.place}
    arrive(host.place)
    told = host.proved("it")
    assert (told["result"], told["changes"]) == (False, {})
    assert "is not installed, or was taken back by its lease" in told["comment"]


@pytest.mark.parametrize(("settled", "words"), [("/srv/other", "was not installed and settled"), (None, "Nothing was")])
def test_another_backup_than_the_one_that_is_meant_proves_nothing(host, settled, words):
    host.settled = {"prepared": settled} if settled else {}
    told = host.proved("it", prepared=host.place if settled else None)
    assert (told["result"], words in told["comment"]) == (False, True)


def test_an_installation_whose_server_was_not_started_is_gone_on_with(host):
    host.under_way = {"prepared": host.place, "step": "installed"}
    foretold = {"server": {"old": "stopped", "new": "started"}}
    host.__opts__["test"] = True
    told = host.installed("it", host.place, "db2")
    assert (told["result"], told["changes"], host.done) == (None, foretold, [])
    host.__opts__["test"] = False
    told = host.installed("it", host.place, "db2")
    assert (told["result"], told["changes"], host.done) == (True, foretold, ["start_isolated"])


@pytest.mark.parametrize("step", ["started", "replicating", "proved"])
def test_an_installation_that_is_farther_on_is_left_alone(host, step):
    host.under_way = {"prepared": host.place, "step": step}
    told = host.installed("it", host.place, "db2")
    assert (told["result"], told["changes"], host.done) == (True, {}, [])
