"""The runner `replica` beside what Salt and hosts do: who is looked at, and what becomes of a proposal."""

from types import SimpleNamespace

import pytest

from replicamaster import repairing
from replicamaster.ledger import Book
from replicaplan import repair
from replicaplan.errors import CopyFailed, ReplicaRefused
from tests.support import runners

face = runners.load("replica")

CLUSTERS = {
    "main": {"primary": "db1", "replicas": ["db2", "db3"]},
    "other": {"primary": "db4", "replicas": ["db5"]},
}


@pytest.fixture
def book(tmp_path):
    return Book(str(tmp_path))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(function, *arguments) -> what it returns; its exit status must agree."""
    context, rules = {}, {"clusters": CLUSTERS, "state": str(tmp_path)}
    for name, value in (("__opts__", {"replica_repair": rules}), ("__context__", context)):
        monkeypatch.setattr(face, name, value, raising=False)

    def run(function, *arguments):
        answer = getattr(face, function)(*arguments)
        assert context["retcode"] == answer["retcode"]
        return answer

    return run


@pytest.fixture
def looked(monkeypatch):
    """(host, approved, patience) of each that was looked at; `ends` has what becomes of some, else they are healthy."""
    ends, seen = {}, []

    def recover(_hosts, _rules, host, _rebuild, _tell, approved, patience):
        seen.append((host, approved, patience))
        result = ends.get(host, "healthy")
        if isinstance(result, BaseException):
            raise result
        return {"result": result, "reasons": [f"{host} is {result}"]}

    monkeypatch.setattr(repairing, "recover", recover)
    return seen, ends


def test_a_patrol_looks_at_every_replica_of_every_cluster_and_waits_for_none(run, looked):
    answer = run("patrol")
    assert looked[0] == [("db2", False, 0), ("db3", False, 0), ("db5", False, 0)]
    assert (answer["result"], answer["retcode"], answer["reasons"]) == ("ok", 0, [])
    assert {host: told["result"] for host, told in answer["hosts"].items()} == dict.fromkeys(
        ("db2", "db3", "db5"), "healthy"
    )


def test_a_patrol_goes_on_after_a_repair_that_failed_and_tells_it(run, looked):
    looked[1].update(db2=CopyFailed("no room"), db3="proposed", db5="repaired")
    answer = run("patrol")
    assert (answer["result"], answer["retcode"], answer["reasons"]) == ("failed", 2, ["no room"])
    results = {host: told["result"] for host, told in answer["hosts"].items()}
    assert results == {"db2": "failed", "db3": "proposed", "db5": "repaired"}


def test_a_patrol_of_which_nobody_knows_what_was_repaired_is_no_success(run, tmp_path, monkeypatch):
    """Else the schedule would be content while nothing is repaired any more."""
    (tmp_path / "ledger.json").write_text("{broken")
    monkeypatch.setattr(face, "_hosts", lambda: SimpleNamespace(ask_all=lambda *_: ({}, {})))
    for function, *arguments in (("patrol",), ("recover", "db2"), ("proposals",), ("approve", "r1")):
        answer = run(function, *arguments)
        assert (answer["result"], answer["retcode"]) == ("failed", 2)
        assert f"{tmp_path}/ledger.json is damaged" in answer["reasons"][0]


def test_a_look_tells_what_would_be_done_and_each_answer_all_that_is_documented(run, looked, monkeypatch):
    decision = repair.Decision("broken", ("The data directory is gone.",), "db3")
    monkeypatch.setattr(repairing, "examine", lambda *_: (None, decision))
    assert run("recover", "db2", True) == {
        "host": "db2", "result": "broken", "reasons": ["The data directory is gone."], "donor": "db3", "retcode": 0,
    }
    assert run("recover", "db2") == {"host": "db2", "result": "healthy", "reasons": ["db2 is healthy"], "retcode": 0}


def test_a_patrol_tells_of_a_repair_that_was_refused_after_it_began(run, looked):
    looked[1]["db3"] = ReplicaRefused(["db3 has no room."])
    answer = run("patrol")
    assert (answer["result"], answer["retcode"], answer["reasons"]) == ("failed", 2, ["db3 has no room."])
    assert answer["hosts"]["db3"]["result"] == "refused" and "db5" in answer["hosts"]


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), SystemExit()])
def test_who_interrupts_a_patrol_ends_all_of_it(run, looked, signal):
    looked[1]["db3"] = signal
    answer = run("patrol")
    assert (answer["result"], answer["retcode"]) == ("unknown", 6)
    assert "Interrupted" in answer["reasons"][0]
    assert [host for host, *_ in looked[0]] == ["db2", "db3"]


@pytest.mark.parametrize(("called", "seen"), [({"__cli": "salt-run"}, "replica: repaired, host db2\n"), ({}, "")])
def test_only_who_looks_on_is_told_of_steps_and_the_bus_always(run, monkeypatch, capsys, called, seen):
    """The scheduler of a master runs a patrol in the master's own process, where stderr is nobody's."""
    heard = []
    monkeypatch.setattr(repairing, "recover", tells_of_a_repair)
    monkeypatch.setattr(face, "__salt__", {"event.send": lambda *told: heard.append(told)}, raising=False)
    face.__opts__.update(called)
    run("recover", "db2")
    assert capsys.readouterr().err == seen
    assert heard == [("salt/replica/repaired", {"host": "db2"})]


def tells_of_a_repair(_hosts, _rules, host, _rebuild, tell, _approved, _patience):
    tell("repaired", {"host": host})
    return {"result": "repaired", "reasons": []}


@pytest.fixture
def proposal(book):
    book.propose("0123456789ab", {"host": "db2", "cluster": "main", "at": 1.0, "reasons": ["broken"], "donor": "db3"})
    return "0123456789ab"


def test_who_approves_names_a_proposal_and_all_else_is_found_out_anew(run, looked, proposal):
    looked[1]["db2"] = "repaired"
    assert run("approve", proposal)["result"] == "repaired"
    assert looked[0] == [("db2", True, repairing.SETTLING)]
    assert run("approve", "other")["result"] == "refused"


def test_proposals_are_listed_with_what_was_begun(run, book, proposal):
    book.begun(repair.Attempt("db3", "main", 5.0))
    answer = run("proposals")
    assert answer["proposals"][proposal]["host"] == "db2"
    assert answer["attempts"] == [{"host": "db3", "cluster": "main", "at": 5.0, "result": "begun", "down": False}]
