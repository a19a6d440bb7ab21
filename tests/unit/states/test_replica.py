"""The states of a replica beside what the module tells: what counts as done, and what is still to be done."""

import importlib.util
import os

import pytest
from salt.exceptions import CommandExecutionError

from tests.conftest import CHECKOUT


@pytest.fixture
def host(tmp_path):
    """The state module on a host that tells what is `under_way` and what was settled `last`; remembers what it did."""
    spec = importlib.util.spec_from_file_location("replica_state", CHECKOUT / "_states/replica.py")
    host = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(host)
    host.under_way, host.settled, host.done = None, {}, []
    host.place = str(tmp_path / "mysql.incoming")
    host.channels, host.is_prepared, host.never_close = [], False, False
    host.__opts__ = {"test": False}

    def check(prepared, unprepared=False, **_):
        reasons = [] if host.is_prepared or unprepared else [f"{prepared} is not prepared."]
        return {"fits": not reasons, "reasons": reasons, "logs": []}

    host.__salt__ = {
        "replica.info": lambda: {"installation": host.under_way, "channels": host.channels},
        "replica.last": lambda: host.settled,
        "replica.check": check,
        "replica.fitness": lambda: {"incoming_exists": os.path.lexists(host.place)},
        "xtrabackup.info": lambda _: {"prepared": host.is_prepared},
        "replica.start_isolated": lambda: host.done.append("start_isolated"),
        "replica.start_replication": lambda: host.done.append("start_replication"),
        "replica.wait": lambda lag, timeout: catch_up(host, lag, timeout),
    }
    return host


def catch_up(host, lag, timeout):
    """As `replica.wait` does."""
    host.done.append(("wait", lag, timeout))
    if host.never_close:
        raise CommandExecutionError(f"The lag is 900 s after {timeout} s, and {lag} were allowed.")
    return {"gtid": "", "lag": 3, "position": "0-1-9"}


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


FOLLOWS = {"primary": "10.0.0.1", "port": 3306, "io": "Yes", "sql": "Yes", "lag": 0}


def ask_all(host, **named):
    """What the documented SLS tells as a whole with test=True: [(result, changes)], by the order of its states."""
    host.__opts__["test"] = True
    told = [
        host.prepared(host.place), host.installed("it", host.place, "db2"), host.replicating("10.0.0.1", **named),
        host.proved("it", **named),
    ]
    assert host.done == []
    return [(each["result"], each["changes"]) for each in told], [each["comment"] for each in told]


@pytest.mark.parametrize("channels", [[], [FOLLOWS], [{**FOLLOWS, "primary": "10.0.0.9"}]])
@pytest.mark.parametrize("settled", [{}, {"prepared": "/srv/mysql.incoming"}])
@pytest.mark.parametrize("named", [False, True])
def test_before_anything_is_made_all_that_would_be_is_told(host, channels, settled, named):
    """Also on a replica: what follows now is what would be replaced."""
    host.channels, host.settled = channels, settled and {"prepared": host.place}
    arrive(host.place)
    told, words = ask_all(host, **({"prepared": host.place} if named else {}))
    assert told == [
        (None, {"prepared": {"old": False, "new": True}}),
        (None, {"data": {"old": None, "new": host.place}}),
        (None, {"primary": {"old": None, "new": "10.0.0.1"}}),
        (None, {"settled": {"old": False, "new": True}}),
    ]
    assert "salt-run replica.prove" in words[3]


def test_what_is_not_prepared_is_not_installed_for_that(host):
    arrive(host.place)
    told = host.installed("it", host.place, "db2")
    assert (told["result"], told["changes"], host.done) == (False, {}, [])


def test_with_nothing_to_install_a_replica_that_follows_needs_nothing(host):
    host.__opts__["test"], host.channels = True, [FOLLOWS]
    told = host.replicating("10.0.0.1")
    assert (told["result"], told["changes"]) == (True, {})
    assert host.proved("it")["result"] is False


def test_a_new_backup_beside_an_installation_under_way_is_not_waited_for(host):
    host.__opts__["test"], host.channels, host.under_way = True, [FOLLOWS], {"prepared": "/srv/other", "step": "proved"}
    arrive(host.place)
    assert host.replicating("10.0.0.1")["result"] is True
    assert host.proved("it")["changes"] == {"settled": {"old": False, "new": True}}


@pytest.mark.parametrize("lag", [10, "10", 10.0])
def test_a_replica_that_follows_closely_needs_nothing(host, lag):
    for seconds in (0, 10):
        host.channels = [{**FOLLOWS, "lag": seconds}]
        told = host.replicating("10.0.0.1", lag=lag)
        assert (told["result"], told["changes"], host.done) == (True, {}, [])


@pytest.mark.parametrize("late", [900, None])
def test_a_replica_that_follows_from_afar_is_waited_for(host, late):
    """Both threads run all the while; how far it is behind is unknown while its primary is away."""
    host.channels, host.__opts__["test"] = [{**FOLLOWS, "lag": late}], True
    told = host.replicating("10.0.0.1", lag=10, timeout=60)
    assert (told["result"], told["changes"]) == (None, {"lag": {"old": late, "new": "at most 10"}})
    assert (told["comment"], host.done) == ("It follows 10.0.0.1, at most 10 s behind then.", [])
    host.__opts__["test"] = False
    told = host.replicating("10.0.0.1", lag=10, timeout=60)
    assert (told["result"], told["changes"]) == (True, {"lag": {"old": late, "new": 3}})
    assert (told["comment"], host.done) == ("It follows 10.0.0.1, at most 10 s behind now.", [("wait", 10, 60)])


def test_a_replica_that_stays_far_behind_is_not_what_was_asked_for(host):
    host.channels, host.never_close = [{**FOLLOWS, "lag": 900}], True
    told = host.replicating("10.0.0.1", lag=10)
    assert (told["result"], told["changes"]) == (False, {})
    assert told["comment"] == "The lag is 900 s after 600 s, and 10 were allowed."


def test_one_whose_threads_are_started_is_waited_for_too(host):
    host.channels = [{**FOLLOWS, "sql": "No", "lag": None}]
    told = host.replicating("10.0.0.1", lag=10)
    assert (told["result"], told["changes"]) == (True, {"threads": {"old": "stopped", "new": "running"}})
    assert host.done == ["start_replication", ("wait", 10, 600)]


@pytest.mark.parametrize(("named", "words"), [
    ({"lag": "soon"}, "lag has to be seconds from 0 to 604800, not 'soon'."),
    ({"lag": float("nan")}, "lag has to be seconds from 0 to 604800, not nan."),
    ({"lag": -1}, "lag has to be seconds from 0 to 604800, not -1."),
    ({"lag": True}, "lag has to be seconds from 0 to 604800, not True."),
    ({"port": "mysql"}, "port has to be a whole number from 0 to 65535, not 'mysql'."),
    ({"port": True}, "port has to be a whole number from 0 to 65535, not True."),
])
@pytest.mark.parametrize("late", [0, 900])
def test_what_cannot_be_meant_is_refused_in_words_however_far_the_replica_is_behind(host, named, words, late):
    host.channels = [{**FOLLOWS, "lag": late}]
    told = host.replicating("10.0.0.1", **named)
    assert (told["result"], told["comment"], host.done) == (False, words, [])
