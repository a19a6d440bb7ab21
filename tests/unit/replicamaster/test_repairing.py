"""Repairs without a hand: decided from what is so, begun once, counted durably."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from replicamaster import repairing
from replicamaster.ledger import Book
from replicaplan import repair
from replicaplan.errors import RepairForbidden, ReplicaError
from tests.support.waiting import eventually, is_waited_for
from tests.unit.replicaplan.facts import channel, down, replica

from .fakes import Hosts

STARTING, FAILED = down(replica(), "activating"), down(replica(), "failed")
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


@pytest.mark.parametrize(
    ("host", "answer"), [("db1", "healthy"), ("db2", "healthy"), ("db3", "healthy"), ("stranger", "forbidden")]
)
def test_an_alert_for_one_that_is_well_changes_nothing(rules, host, answer):
    result, rebuilt, told = recover(rules(), host)
    assert (result["result"], rebuilt, told) == (answer, [], [])


def test_a_second_alert_meets_the_cooldown_that_the_ledger_keeps(rules):
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


@pytest.mark.parametrize(("broken", "down"), [(FAILED, True), (BROKEN, False)])
def test_whether_a_server_was_down_before_its_repair_is_kept(rules, broken, down):
    recover(rules(), infos={"db2": broken})
    (attempt,) = Book(rules().state).read().attempts
    assert attempt.down is down


def test_fifty_alerts_at_once_begin_one_repair(rules):
    results, inside, going = [], threading.Event(), threading.Event()

    def slow():
        inside.set()
        going.wait(600)
        return {}

    first = threading.Thread(target=lambda: results.append(recover(rules(), infos={"db2": BROKEN}, rebuild=slow)))
    first.start()
    assert inside.wait(120)
    together = threading.Barrier(50)

    def alert(_):
        together.wait(120)
        return recover(rules(cooldown=0, daily=99), infos={"db2": BROKEN})

    with ThreadPoolExecutor(50) as alerts:
        others = [*alerts.map(alert, range(50))]
    going.set()
    first.join()
    assert {each[0]["result"] for each in others} == {"forbidden"}
    assert [each[1] for each in others] == [[]] * 50
    assert results[0][0]["result"] == "repaired"


def proposed(rules):
    """The names of what is proposed."""
    return list(Book(rules.state).read().proposals)


@pytest.fixture
def asking(rules):
    """Rules by which a repair of db2 was proposed."""
    asking = rules(approve=True)
    result, rebuilt, told = recover(asking, infos={"db2": BROKEN})
    assert (result["result"], rebuilt, told) == ("proposed", [], ["proposed"])
    assert proposed(asking) == [result["proposal"]]
    return asking


def test_with_approval_it_only_proposes_and_tells_so_once(asking):
    (name,) = proposed(asking)
    assert Book(asking.state).proposal(name)["host"] == "db2"
    assert recover(asking, infos={"db2": BROKEN})[1:] == ([], [])
    assert proposed(asking) == [name]
    with pytest.raises(RepairForbidden, match="There is no proposal other"):
        Book(asking.state).proposal("other")


def test_what_was_approved_is_carried_out_and_proposed_no_more(asking):
    result, rebuilt, told = recover(asking, infos={"db2": BROKEN}, approved=True)
    assert (result["result"], rebuilt, told) == ("repaired", [("db2", "db3")], ["repair", "repaired"])
    assert proposed(asking) == []


@pytest.mark.parametrize("approved", [True, False])
def test_a_host_that_is_well_again_is_proposed_no_more(asking, approved):
    assert recover(asking, approved=approved)[0]["result"] == "healthy"
    assert proposed(asking) == []


def test_what_cannot_be_carried_out_just_then_stays_proposed(asking):
    with Book(asking.state).only_one("main"):
        assert recover(asking, infos={"db2": BROKEN}, approved=True)[0]["result"] == "forbidden"
    assert len(proposed(asking)) == 1
    assert recover(asking, "db3")[0]["result"] == "healthy"
    assert len(proposed(asking)) == 1


class Changing(Hosts):
    """A server whose unit becomes this and that, one look after the other; the last stays."""

    def __init__(self, *looks):
        super().__init__("db2", "db3")
        self.looks = list(looks)

    def answer(self, host, function, **arguments):
        if (host, function) == ("db2", "info"):
            return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return super().answer(host, function, **arguments)


@pytest.mark.parametrize(("then", "verdict"), [(FAILED, "broken"), (replica(2), "healthy")])
def test_an_alert_that_comes_while_a_server_ends_is_judged_by_what_becomes_of_it(rules, then, verdict):
    _, decision = repairing.settled(Changing(STARTING, then), rules(), "db2")
    assert decision.verdict == verdict


def test_a_server_that_starts_for_too_long_is_told_as_that(rules):
    _, decision = repairing.settled(Changing(STARTING), rules(), "db2", patience=0)
    assert decision.verdict == "unsettled"
    assert "mariadb.service of db2 is activating" in decision.reasons[0]


def test_of_a_flood_of_alerts_one_looks_one_waits_and_none_is_lost(rules):
    book = Book(rules().state)
    results = []
    with book.turn_to_look("db2"):
        waiting = threading.Thread(target=lambda: results.append(recover(rules(), infos={"db2": BROKEN})))
        waiting.start()
        assert eventually(lambda: is_waited_for(Path(rules().state, f"{b'db2'.hex()}.looks")))
        others = [recover(rules(), infos={"db2": BROKEN}) for _ in range(50)]
    waiting.join()
    assert {each[0]["result"] for each in others} == {"forbidden"}
    assert results[0][0]["result"] == "repaired"


def test_what_a_repair_left_whose_process_died_is_cleared_before_the_next(rules):
    hosts = Hosts("db2", "db3", infos={"db2": BROKEN})
    book = Book(rules().state)
    book.begun(repair.Attempt("db2", "main", 1.0))
    repairing.recover(hosts, rules(), "db2", lambda *_: hosts.asked.append("rebuilt") or {}, lambda *_: None)
    assert hosts.asked[-2:] == [("db2", "discard"), "rebuilt"]
    hosts.asked.clear()
    repairing.recover(hosts, rules(cooldown=0), "db2", lambda *_: {}, lambda *_: None)
    assert ("db2", "discard") not in hosts.asked


def test_what_cannot_be_cleared_is_an_attempt_that_failed_and_is_not_tried_for_ever(rules):
    hosts = Hosts("db2", "db3", infos={"db2": BROKEN}, fails=[("db2", "discard")])
    book = Book(rules().state)
    book.begun(repair.Attempt("db2", "main", 1.0))
    told = []
    with pytest.raises(ReplicaError, match="discard failed"):
        repairing.recover(hosts, rules(), "db2", lambda *_: {}, lambda what, _: told.append(what))
    assert (told, book.read().attempts[-1].result) == (["repair", "failed"], "failed: db2: discard failed")
