"""The runner `replica` as Salt calls it: whatever it is given and whatever happens, its exit status is true."""

import pytest
import salt.loader

from replicamaster import cloning
from replicamaster.ledger import Book


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "repairs")


@pytest.fixture
def run(opts, fleet, context, state):
    opts["replica_repair"] = {"clusters": {"main": {"primary": "alpha", "replicas": ["beta"]}}, "state": state}
    loaded = salt.loader.runner(opts, context=context)

    def run(name, *args, **kwargs):
        answer = loaded[f"replica.{name}"](*args, **kwargs)
        assert context["retcode"] == answer["retcode"]
        return answer["result"], answer["retcode"], " ".join(answer["reasons"])

    return run


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("clone", {"source": "alpha"}, "missing a required argument: 'replicas'; it takes source, replicas, primary"),
        ("clone", {"source": "alpha", "replicas": "beta", "leese": 5}, "unexpected keyword argument 'leese'"),
        ("clone", {"source": "alpha", "replicas": "beta", "memory": "much"}, "memory='much' is no size"),
        ("clone", {"source": "alpha", "replicas": "beta", "lease": "long"}, "lease='long' is no number of seconds"),
        ("clone", {"source": "alpha", "replicas": "beta", "lease": 3}, "lease=3 is no number of seconds from 5"),
        ("prove", {"replica": "beta", "primary": "alpha", "timeout": "x"}, "timeout has to be a whole number"),
        ("clone", {"source": "alpha", "replicas": 5}, "replicas has to be names of minions"),
        ("clone", {"source": "alpha", "replicas": "beta", "confirm": True}, "confirm has to be names of minions"),
        ("clone", {"source": "alpha", "replicas": "beta", "timeout": float("inf")}, "timeout has to be a whole number"),
        ("clone", {"source": "alpha", "replicas": "beta", "address": 5}, "address has to be an address or a name"),
        ("clone", {"source": "alpha", "replicas": "beta", "in_service": "maybe"}, "in_service has to be True or False"),
        ("clone", {"source": "alpha", "replicas": "beta", "options": {"type": "file"}}, "type is what a clone says"),
        ("prove", {"replica": ["beta"], "primary": "alpha"}, "replica has to be the name of a minion"),
        ("recover", {"host": None}, "host has to be the name of a minion"),
        ("patrol", {"hosts": "beta"}, "it takes nothing"),
        ("approve", {"proposal": "0123"}, "There is no proposal 0123"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(run, name, arguments, words):
    result, retcode, reasons = run(name, **arguments)
    assert (result, retcode) == ("refused", 3)
    assert words in reasons


def test_what_salt_adds_by_itself_is_no_argument(run):
    assert run("recover", "stranger", __pub_user="Reactor", __orchestration_jid__="1")[:2] == ("forbidden", 0)


def test_strange_rules_are_refused_with_every_reason(run, opts):
    opts["replica_repair"].update(dayly=1, cooldown="never")
    result, retcode, reasons = run("proposals")
    assert (result, retcode) == ("refused", 3)
    assert "dayly is no setting; did you mean daily?" in reasons
    assert "cooldown in the master's configuration has to be a whole number of seconds" in reasons


@pytest.mark.parametrize(
    ("raised", "result", "retcode", "words"),
    [
        (ValueError("nobody foresaw it"), "failed", 2, "a bug: ValueError('nobody foresaw it')"),
        (KeyboardInterrupt(), "unknown", 6, "Interrupted"),
    ],
)
def test_what_nobody_foresaw_ends_with_a_true_status(run, monkeypatch, raised, result, retcode, words):
    def fail(*_):
        raise raised

    monkeypatch.setattr(cloning, "clone", fail)
    told = run("clone", "alpha", "beta", confirm="beta")
    assert told[:2] == (result, retcode)
    assert words in told[2]


def test_nothing_is_cloned_in_a_cluster_where_a_repair_is_under_way(run, state):
    with Book(state).only_one("main"):
        result, retcode, reasons = run("clone", "alpha", "beta", confirm="beta")
    assert (result, retcode) == ("refused", 3)
    assert "A repair of main is under way" in reasons


def test_a_clone_that_left_some_out_has_a_status_of_its_own(run, monkeypatch):
    report = {"left": {"beta": "no room"}, "reasons": ["no room"], "replicas": {}}
    monkeypatch.setattr(cloning, "clone", lambda *_: report)
    assert run("clone", "alpha", "beta", confirm="beta") == ("partial", 5, "no room")


def test_a_backup_is_carried_by_the_runner_transfer_with_the_options_given(run, monkeypatch):
    monkeypatch.setattr(cloning, "clone", lambda _hosts, _wish, courier, _say: courier.copy("alpha:/x", ["beta:/y"]))
    result, _, reasons = run("clone", "alpha", "beta", confirm="beta", options={"profile": "pigeon"})
    assert result == "failed"
    assert "did not arrive at beta:/y" in reasons and "pigeon" in reasons
