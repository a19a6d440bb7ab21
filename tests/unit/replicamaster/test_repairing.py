"""Repairs without a hand: decided from what is so, begun once, counted durably."""

import threading

import pytest

from replicamaster import repairing
from replicamaster.ledger import Book
from replicaplan import repair
from replicaplan.errors import RepairForbidden, ReplicaError
from tests.unit.replicaplan.facts import channel, replica

from .fakes import Hosts

BROKEN = replica(2, channels=[channel(sql="No", sql_errno=1032, sql_error="row not found")])


@pytest.fixture
def rules(tmp_path):
    def make(**other):
        clusters = (repair.Cluster("main", "db1", ("db2", "db3")),)
        return repair.Rules(clusters, **{"cooldown": 600, "daily": 2, "state": str(tmp_path / "s"), **other})

    return make


def recover(rules, host="db2", infos=None, rebuild=None, approved=False):
    """(what was returned, the hosts that were rebuilt, what was told)"""
    rebuilt, told = [], []

    def make(cluster, name, donor):
        rebuilt.append((name, donor))
        return rebuild() if rebuild else {"fine": True}

    hosts = Hosts("db2", "db3", infos=infos or {})
    result = repairing.recover(hosts, rules, host, make, lambda what, _: told.append(what), approved)
    return result, rebuilt, told


def test_a_broken_replica_is_rebuilt_from_the_other_one_and_written_down(rules):
    result, rebuilt, told = recover(rules(), infos={"db2": BROKEN})
    assert (result["result"], rebuilt, told) == ("repaired", [("db2", "db3")], ["repair", "repaired"])
    assert [each.result for each in Book(rules().state).read().attempts] == ["repaired"]


@pytest.mark.parametrize("host", ["db1", "db2", "db3", "stranger"])
def test_an_alert_for_one_that_is_well_changes_nothing(rules, host):
    result, rebuilt, told = recover(rules(), host)
    assert (result["result"] in ("healthy", "forbidden"), rebuilt, told) == (True, [], [])


def test_a_second_alert_meets_the_cooldown_in_another_process_too(rules):
    recover(rules(), infos={"db2": BROKEN})
    result, rebuilt, _ = recover(rules(), infos={"db2": BROKEN})
    assert (result["result"], rebuilt) == ("forbidden", [])
    assert "cooldown" in result["reasons"][-1]


def test_an_attempt_that_fails_counts_and_its_words_are_kept(rules):
    def fail():
        raise ReplicaError("no space")

    with pytest.raises(ReplicaError):
        recover(rules(), infos={"db2": BROKEN}, rebuild=fail)
    (attempt,) = Book(rules().state).read().attempts
    assert attempt.result == "failed: no space"


def test_fifty_alerts_at_once_begin_one_repair(rules):
    results, inside, going = [], threading.Event(), threading.Event()

    def slow():
        inside.set()
        going.wait(10)
        return {}

    first = threading.Thread(target=lambda: results.append(recover(rules(), infos={"db2": BROKEN}, rebuild=slow)))
    first.start()
    assert inside.wait(10)
    others = [recover(rules(cooldown=0, daily=99), infos={"db2": BROKEN}) for _ in range(50)]
    going.set()
    first.join()
    assert {each[0]["result"] for each in others} == {"forbidden"}
    assert [each[1] for each in others] == [[]] * 50
    assert results[0][0]["result"] == "repaired"


def test_with_approval_it_only_proposes_once_and_goes_on_when_told(rules):
    asked = rules(approve=True)
    result, rebuilt, told = recover(asked, infos={"db2": BROKEN})
    assert (result["result"], rebuilt, told) == ("proposed", [], ["proposed"])
    assert recover(asked, infos={"db2": BROKEN})[2] == []
    taken = Book(asked.state).take(result["proposal"])
    assert taken["host"] == "db2"
    with pytest.raises(RepairForbidden):
        Book(asked.state).take(result["proposal"])
    assert recover(asked, infos={"db2": BROKEN}, approved=True)[0]["result"] == "repaired"
    assert recover(asked, approved=True)[0]["result"] == "healthy"
