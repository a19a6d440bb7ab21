"""The runner `replica` as Salt calls it: whatever it is given and whatever happens, its exit status is true."""

import inspect
import os
import signal

import pytest
import salt.loader

import saltface
from replicamaster import cloning
from replicamaster.ledger import Book
from replicaplan.errors import CopyFailed


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
    assert "dayly is no setting" in reasons and "cooldown has to be of the kind int" in reasons


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


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"retcode": 0, "reasons": []}, "was cancelled"),
        ({"retcode": 6, "reasons": [{"text": "beta is silent"}]}, "beta is silent.*salt-run transfer.cancel 0{32} "),
    ],
)
def test_a_copy_that_nobody_watches_any_more_is_ended(opts, fleet, context, monkeypatch, ended, words):
    """A runner that is interrupted leaves the workers to themselves, but this backup must not arrive later."""
    copy, cancelled = copy_that(opts, context, monkeypatch, ended, result="unknown", reasons=["the transfer goes on"])
    with pytest.raises(CopyFailed, match=words):
        copy("alpha:/x", ["beta:/y"], {})
    assert cancelled == ["0" * 32]


ENDED = {"retcode": 0, "reasons": []}


def copy_that(opts, context, monkeypatch, ended=ENDED, reasons=(), destinations=None, resume=None, **told):
    """How replica.clone copies, where transfer.copy and then transfer.resume tell this; and what it cancels."""
    cancelled = []
    reasons = [{"text": text} for text in reasons]
    copied = {"transfer": "0" * 32, "reasons": reasons, "destinations": destinations or {}, **told}
    copy = inspect.unwrap(salt.loader.runner(opts, context=context)["replica.clone"]).__globals__["_copy"]
    resumed = {**copied, **(resume or {})}
    faces = {
        "transfer.copy": lambda **_options: copied,
        "transfer.resume": lambda _transfer, **_options: resumed,
        "transfer.cancel": lambda transfer: cancelled.append(transfer) or ended,
    }
    monkeypatch.setitem(copy.__globals__, "__salt__", faces)
    return copy, cancelled


def outcomes(**words):
    return {host: {"place": f"{host}:/y", "host": host, "outcome": word} for host, word in words.items()}


def test_a_backup_that_one_of_several_lost_is_there_at_the_others(opts, fleet, context, monkeypatch):
    told = {"result": "partial", "destinations": outcomes(beta="failed", gamma="ok"), "reasons": ["beta: it died."]}
    copy, cancelled = copy_that(opts, context, monkeypatch, **told)
    copied = copy("alpha:/x", ["beta:/y", "gamma:/y"], {})
    assert (copied.missing, copied.why, cancelled) == (("beta",), "beta: it died.", [])
    assert copied.told["transfer"] == copied.transfer == "0" * 32


def test_what_is_out_of_sight_is_ended_so_that_it_does_not_arrive_later(opts, fleet, context, monkeypatch):
    told = {"result": "partial", "destinations": outcomes(beta="unknown", gamma="ok"), "reasons": ["beta is silent."]}
    copy, cancelled = copy_that(opts, context, monkeypatch, **told)
    copied = copy("alpha:/x", ["beta:/y", "gamma:/y"], {})
    assert (copied.missing, cancelled) == (("beta",), ["0" * 32])
    assert (copied.why, copied.transfer) == (f"beta is silent. Its transfer {'0' * 32} was cancelled.", "")


def test_one_after_the_other_each_transfer_is_ended_that_is_out_of_sight(opts, fleet, context, monkeypatch):
    ends = outcomes(beta="unknown", gamma="ok")
    ends = {host: {**end, "transfer": host[0] * 32} for host, end in ends.items()}
    copy, cancelled = copy_that(opts, context, monkeypatch, result="partial", transfer=None, destinations=ends)
    copied = copy("alpha:/x", ["beta:/y", "gamma:/y"], {})
    assert (copied.missing, copied.transfer) == (("beta",), "")
    assert cancelled == ["b" * 32]


LOST = {"result": "partial", "destinations": outcomes(beta="failed", gamma="ok"), "reasons": ["beta: it died."]}


def test_who_lost_the_backup_has_it_from_the_other(opts, fleet, context, monkeypatch):
    done = {"result": "ok", "destinations": outcomes(beta="ok"), "reasons": []}
    copy, cancelled = copy_that(opts, context, monkeypatch, resume=done, **LOST)
    copied = copy.__globals__["_complete"](copy("alpha:/x", ["beta:/y", "gamma:/y"], {}), "gamma")
    assert (copied.missing, copied.why, cancelled) == ((), "", [])
    assert copied.told["completed"]["source"] == "gamma"


@pytest.mark.parametrize(
    "resumed",
    [
        {"result": "failed", "destinations": outcomes(beta="failed"), "reasons": [{"text": "no room."}]},
        {"result": "refused", "destinations": {}, "reasons": [{"text": "no room."}]},
        {"result": "unknown", "destinations": outcomes(beta="unknown"), "reasons": [{"text": "no room."}]},
    ],
    ids=lambda resumed: resumed["result"],
)
def test_what_cannot_be_completed_is_given_up(opts, fleet, context, monkeypatch, resumed):
    """Else what had come of it would stay on the disk of that host. One that falls silent costs the others nothing."""
    copy, cancelled = copy_that(opts, context, monkeypatch, resume=resumed, **LOST)
    copied = copy.__globals__["_complete"](copy("alpha:/x", ["beta:/y", "gamma:/y"], {}), "gamma")
    assert (copied.missing, cancelled) == (("beta",), ["0" * 32])
    assert copied.why == f"beta: it died. From gamma: no room. Its transfer {'0' * 32} was cancelled."


@pytest.mark.parametrize("result", ["unknown", "cancelled"])
def test_who_interrupts_while_one_is_completed_ends_the_clone(opts, fleet, context, monkeypatch, result):
    """A runner that hears it in time ends well all the same."""
    copy, cancelled = copy_that(opts, context, monkeypatch, **LOST)
    faces = copy.__globals__["__salt__"]

    def interrupted(_transfer, **_options):
        with saltface.Signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.take() == signal.SIGINT
        return {"transfer": "0" * 32, "result": result, "reasons": []}

    faces["transfer.resume"] = interrupted
    with pytest.raises(CopyFailed, match="interrupted on its way from gamma"):
        copy.__globals__["_complete"](copy("alpha:/x", ["beta:/y", "gamma:/y"], {}), "gamma")
    assert cancelled == ["0" * 32]


def test_a_clone_that_left_some_out_has_a_status_of_its_own(run, monkeypatch):
    report = {"left": {"beta": "no room"}, "reasons": ["no room"], "replicas": {}}
    monkeypatch.setattr(cloning, "clone", lambda *_: report)
    assert run("clone", "alpha", "beta", confirm="beta") == ("partial", 5, "no room")


def test_a_backup_that_arrived_nowhere_fails(opts, fleet, context, monkeypatch):
    copy, _ = copy_that(opts, context, monkeypatch, result="failed", reasons=["no room"])
    with pytest.raises(CopyFailed, match="did not arrive at beta:/y, gamma:/y: no room"):
        copy("alpha:/x", ["beta:/y", "gamma:/y"], {})
