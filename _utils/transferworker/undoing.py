"""What is done for a worker that cannot do it itself any more: everything it registered is undone, its verdict written.

Called by the unit's stop action, the guardian, a sweep, or whoever asks after a dead run. Waits for nobody but another
one who does the same, and may be repeated.
"""

import contextlib
import os
from functools import partial

from datamover.disk.publish import Found
from datamover.disk.staging import Staging
from datamover.errors import LocalError, WorkerDied
from datamover.host import flock
from datamover.host.register import Register
from datamover.host.undo import KEPT

from . import audit, bounds, chronicle, control, pinhole, publishing, resting, verdicts

PATIENCE = 30.0
PUBLISHED, FAILED = "published", "failed"
CLEANUP = 8 * 1024


def handlers(run, verdict, keep=True):
    """{what: callable} for the undo log of `run`. `keep` lets keep_partial have its way."""
    spec = run.spec

    def remove_staging():
        if verdict["result"] != PUBLISHED:
            if keep and verdict["result"] == FAILED and resting.kept_for(spec) and _can_be_gone_on_with(run):
                return KEPT
            _refuse_if_published(run)
        if staging := _staging(run):
            with contextlib.closing(staging):
                _discard(run, staging)
        return None

    return {
        "pinhole": partial(_close_pinhole, run, verdict),
        "place": lambda: Register(run.path.parents[1]).release(run.transfer),
        "staging": remove_staging,
        "trail": lambda: audit.ended(run, verdict),
        "replication": partial(_resume_replication, run),
        "login": partial(_forget_login, run),
    }


def _resume_replication(run, **details):
    # Only here, since few transfers stopped anything.
    from . import hotbackups

    hotbackups.resume_replication(run, **details)


def _forget_login(run):
    """Remove the file with which the database is logged in to, unless something is still to be undone with it."""
    if any(change.what == "replication" for change in run.undo.pending()):
        return KEPT
    (run.path / "login.cnf").unlink(missing_ok=True)
    return None


def _can_be_gone_on_with(run):
    """Whether anything is staged for another attempt. Of an update that was being put in place a part is there by now.
    """
    intent = run.read("intent")
    return _has_arrived(run) and not (intent and publishing.is_in_parts(intent["publish"]))


def _has_arrived(run):
    staging = _staging(run)
    if staging is None:
        return False
    with contextlib.closing(staging):
        return staging.has_arrived


def _close_pinhole(run, verdict, tag):
    pinhole.close(tag)
    audit.closed(run.path.parents[1], tag, "who undid after the worker" if _died(verdict) else "the worker")


def _died(verdict):
    """Whether the worker left no verdict of its own, also when the run was given up afterwards."""
    error = (verdict or {}).get("error")
    return bool(error) and WorkerDied.name in (error["name"], error["evidence"].get("failed"))


def close_pinholes(run):
    """Undo only what lets others in; returns sentences about what failed."""
    close = partial(_close_pinhole, run, None)
    later = ("place", "staging", "trail", "replication", "login")
    return run.undo.run({"pinhole": close, **dict.fromkeys(later, _kept)})


def _kept():
    return KEPT


def _staging(run):
    """What is there of the staging directory, wherever links lead by now; None if it or what held it is gone."""
    final = resting.final_of(run)
    return Staging.reopen(final, run.transfer) if os.path.isdir(os.path.dirname(final)) else None


def _refuse_if_published(run):
    # Raises too when it cannot be found out: what was there before the exchange may be in staging.
    found = _recovered(run)
    if found is Found.PUBLISHED:
        raise LocalError("the data is published, though the verdict says otherwise; nothing is removed")
    if found is Found.LOST:
        raise LocalError("the data is neither staged nor under its final name; look who moved it. Nothing is removed")


def _discard(run, staging):
    intent = run.read("intent")
    if intent is None:
        staging.remove()
    else:
        publishing.discard(staging, intent["publish"])


def undo_dead(run, patience=PATIENCE, keep=True, attempt=None):
    """Undo what the dead worker of `run` left and give it a verdict. False if it lives.

    Of an `attempt` that was told nothing is left to undo when a later one has been taken up.
    """
    held = flock.hold(run.lock, patience)
    if held is None:
        return False
    with held:
        if attempt in (None, run.spec["attempt"]):
            conclude(run, run.verdict or _last_words(run), keep)
    return True


def give_up(run, by, patience=PATIENCE):
    """Make a cancelled run of one that failed or died, keep nothing of it, and let nobody go on with it. False if it
    lives.
    """
    held = flock.hold(run.lock, patience)
    if held is None:
        return False
    with held:
        verdict = _in_truth(run, run.verdict or _last_words(run))
        if verdict["result"] == FAILED:
            conclude(run, verdicts.cancelled(verdict, by), keep=False)
            run.write(resting.GIVEN_UP, {"attempt": run.spec["attempt"]})
            audit.given_up(run, by)
    return True


def conclude(run, verdict, keep=True):
    """Write the verdict, undo everything, add what could not be undone; the caller holds the run's lock."""
    verdict = _written(run, _in_truth(run, verdict))
    troubles = run.undo.run(handlers(run, verdict, keep))
    verdict = _written(run, _with_trouble(verdict, *troubles))
    control.remove(run.path)
    return verdict


def _written(run, verdict):
    """The verdict, on disk if that is possible: a full disk must not keep a pinhole open."""
    try:
        if verdict != run.verdict:
            run.write("verdict", verdict)
    except OSError as error:
        return _with_trouble(verdict, f"the verdict could not be written: {error}")
    return verdict


def _with_trouble(verdict, *sentences):
    known = dict.fromkeys([*verdict["cleanup"], *map(bounds.short, sentences)])
    return {**verdict, "cleanup": bounds.fitting(known, CLEANUP)}


def _in_truth(run, verdict):
    """What is published is published, whatever went wrong after the rename."""
    if verdict["result"] == PUBLISHED:
        return verdict
    try:
        told = run.verdict if _is_published(run.verdict) else _publishing(run)
    except Exception as error:  # the pinhole must be closed all the same
        return _with_trouble(verdict, f"could not find out whether it was published: {error}")
    return _with_trouble(told, f"after it was published: {verdict['error']['text']}") if told else verdict


def _is_published(verdict):
    return verdict is not None and verdict["result"] == PUBLISHED


def _publishing(run):
    """The verdict that goes with the intent to publish if the final name is the staged inode, and that is finished."""
    return run.read("intent")["verdict"] if _recovered(run) is Found.PUBLISHED else None


def _recovered(run):
    """Where the data is after an intent to publish; None without intent or staging directory."""
    intent = run.read("intent")
    if intent is None:
        return None
    staging = _staging(run)
    if staging is None:
        return None
    with contextlib.closing(staging):
        return publishing.recover(staging, intent["publish"])


def _last_words(run):
    """The verdict of a worker that left none."""
    phase = (run.read("state") or chronicle.NEW)["phase"]
    text = f"the {run.role}'s worker ended without a word while it was {phase}: it was killed, or its host went down"
    return verdicts.died(run.spec, WorkerDied(text, phase=phase))
