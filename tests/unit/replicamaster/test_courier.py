"""How a backup travels to replicas: who lost it, who has it from another, and what nobody waits for any more."""

import os
import signal

import pytest

import saltface
from replicamaster.courier import Courier
from replicaplan.errors import CopyFailed

ENDED = {"retcode": 0, "reasons": []}


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"retcode": 0, "reasons": []}, "was cancelled"),
        ({"retcode": 6, "reasons": [{"text": "beta is silent"}]}, "beta is silent.*salt-run transfer.cancel 0{32} "),
    ],
)
def test_a_copy_that_nobody_watches_any_more_is_ended(ended, words):
    """A runner that is interrupted leaves the workers to themselves, but this backup must not arrive later."""
    carrier, cancelled = courier(ended, result="unknown", reasons=["the transfer goes on"])
    with pytest.raises(CopyFailed, match=words):
        carrier.copy("alpha:/x", ["beta:/y"])
    assert cancelled == ["0" * 32]


def courier(ended=ENDED, reasons=(), destinations=None, resume=None, **told):
    """One whose transfer.copy and then transfer.resume tell this; and what it cancels."""
    cancelled = []
    reasons = [{"text": text} for text in reasons]
    copied = {"transfer": "0" * 32, "reasons": reasons, "destinations": destinations or {}, **told}
    resumed = resume if callable(resume) else lambda _transfer, **_options: {**copied, **(resume or {})}
    faces = {
        "transfer.copy": lambda **_options: copied,
        "transfer.resume": resumed,
        "transfer.cancel": lambda transfer: cancelled.append(transfer) or ended,
    }
    return Courier(faces, {}), cancelled


def outcomes(**words):
    return {host: {"place": f"{host}:/y", "host": host, "outcome": word} for host, word in words.items()}


def test_a_backup_that_one_of_several_lost_is_there_at_the_others():
    told = {"result": "partial", "destinations": outcomes(beta="failed", gamma="ok"), "reasons": ["beta: it died."]}
    carrier, cancelled = courier(**told)
    copied = carrier.copy("alpha:/x", ["beta:/y", "gamma:/y"])
    assert (copied.missing, copied.why, cancelled) == (("beta",), "beta: it died.", [])
    assert copied.told["transfer"] == copied.transfer == "0" * 32


def test_what_is_out_of_sight_is_ended_so_that_it_does_not_arrive_later():
    told = {"result": "partial", "destinations": outcomes(beta="unknown", gamma="ok"), "reasons": ["beta is silent."]}
    carrier, cancelled = courier(**told)
    copied = carrier.copy("alpha:/x", ["beta:/y", "gamma:/y"])
    assert (copied.missing, cancelled) == (("beta",), ["0" * 32])
    assert (copied.why, copied.transfer) == (f"beta is silent. Its transfer {'0' * 32} was cancelled.", "")


def test_one_after_the_other_each_transfer_is_ended_that_is_out_of_sight():
    ends = outcomes(beta="unknown", gamma="ok")
    ends = {host: {**end, "transfer": host[0] * 32} for host, end in ends.items()}
    carrier, cancelled = courier(result="partial", transfer=None, destinations=ends)
    copied = carrier.copy("alpha:/x", ["beta:/y", "gamma:/y"])
    assert (copied.missing, copied.transfer) == (("beta",), "")
    assert cancelled == ["b" * 32]


LOST = {"result": "partial", "destinations": outcomes(beta="failed", gamma="ok"), "reasons": ["beta: it died."]}


def test_who_lost_the_backup_has_it_from_the_other():
    done = {"result": "ok", "destinations": outcomes(beta="ok"), "reasons": []}
    carrier, cancelled = courier(resume=done, **LOST)
    copied = carrier.complete(carrier.copy("alpha:/x", ["beta:/y", "gamma:/y"]), "gamma")
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
def test_what_cannot_be_completed_is_given_up(resumed):
    """Else what had come of it would stay on the disk of that host. One that falls silent costs the others nothing."""
    carrier, cancelled = courier(resume=resumed, **LOST)
    copied = carrier.complete(carrier.copy("alpha:/x", ["beta:/y", "gamma:/y"]), "gamma")
    assert (copied.missing, cancelled) == (("beta",), ["0" * 32])
    assert copied.why == f"beta: it died. From gamma: no room. Its transfer {'0' * 32} was cancelled."


@pytest.mark.parametrize("result", ["unknown", "cancelled"])
def test_who_interrupts_while_one_is_completed_ends_the_clone(result):
    """A runner that hears it in time ends well all the same."""

    def interrupted(_transfer, **_options):
        with saltface.Signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.take() == signal.SIGINT
        return {"transfer": "0" * 32, "result": result, "reasons": []}

    carrier, cancelled = courier(resume=interrupted, **LOST)
    with pytest.raises(CopyFailed, match="interrupted on its way from gamma"):
        carrier.complete(carrier.copy("alpha:/x", ["beta:/y", "gamma:/y"]), "gamma")
    assert cancelled == ["0" * 32]


def test_a_backup_that_arrived_nowhere_fails():
    carrier, _ = courier(result="failed", reasons=["no room"])
    with pytest.raises(CopyFailed, match="did not arrive at beta:/y, gamma:/y: no room"):
        carrier.copy("alpha:/x", ["beta:/y", "gamma:/y"])
