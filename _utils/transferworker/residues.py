"""What dead runs may leave on a host, found by looking at the disk, the register and the firewall."""

import contextlib
import functools
import logging
import re

from datamover.host import flock, process
from hosttools.commands import drive
from hosttools.firewall import BACKENDS
from hosttools.pinholes import transfer_of

from . import audit, bounds, launch, pinhole, resting, retention, undoing
from .residue import PATIENCE, Residue, in_runs, of_run

TRANSFER = re.compile("[0-9a-f]{32}")
SWEEP = "transfer.sweep removes it"
PROGRAM = "program of an ended run"
SOON = 120
"""Seconds within which whoever follows a transfer has asked how it ended, or has given it up."""
UNDO = "transfer.status, transfer.cancel or transfer.sweep undoes what its worker left"

log = logging.getLogger(__name__)


def find(runs, register, limits, partial=False):
    """(every residue on this host, sentences about where one could not look).

    `partial` gives up data that keep_partial left in staging.
    """
    pinholes = functools.partial(_orphaned_pinholes, runs)
    places = {
        "runs": lambda: in_runs(runs, _dead),
        "what rests": lambda: retention.partials(runs, limits, partial),
        "the register": lambda: _void_entries(register),
        **{f"the firewall ({name})": functools.partial(pinholes, one) for name, one in BACKENDS.items()},
        "programs": lambda: in_runs(runs, _unshed),
        "unfinished run directories": lambda: _debris(runs),
        "old records": lambda: retention.expired_records(runs, limits),
    }
    return look_in(places, runs.unreadable())


def look_in(places, troubles):
    """(all residues that these places hold, sentences about where one could not look)."""
    found, troubles = [], list(troubles)
    for place, look in places.items():
        with noting(troubles, f"could not look for what is left in {place}"):
            found.extend(look())
    return found, troubles


@contextlib.contextmanager
def noting(troubles, what):
    """Whatever goes wrong here is added to `troubles` as a sentence; the rest must be swept all the same."""
    try:
        yield
    except Exception as error:
        log.exception(what)
        troubles.append(bounds.short(f"{what}: {error}"))


def remove(found, troubles):
    """Remove these residues as far as that is ours to do; returns those that are gone."""
    removed = []
    for each in (each for each in found if each.removed):
        with noting(troubles, f"could not remove {each.about['what']} of {each.about.get('transfer', each.about)}"):
            if each.removed():
                removed.append(each)
    return removed


def _dead(run):
    if run.alive or flock.is_held(run.preparing):
        return
    if run.verdict is None:
        removed = functools.partial(_settled, run)
        yield of_run("dead worker", run, removed, bytes=resting.disk_bytes(run.path), advice=UNDO)
    elif left := sorted({change.what for change in run.undo.pending()} - _resting(run)):
        yield of_run(f"not undone: {', '.join(left)}", run, functools.partial(_undone, run), advice=SWEEP)


def _settled(run):
    """Undo after the dead worker, and remove its program when nobody needs it any more."""
    return undoing.undo_dead(run, PATIENCE) and _shed(run)


def _unshed(run):
    busy = run.alive or flock.is_held(run.preparing)
    if run.verdict and not busy and run.code.exists():
        removed = functools.partial(_shed, run)
        yield of_run(PROGRAM, run, removed, bytes=resting.disk_bytes(run.code), advice=SWEEP)


def goes_by_itself(residue):
    """Whether it goes as soon as whoever follows the transfer has asked how it ended."""
    return residue.about["what"] == PROGRAM and residue.about["age"] < SOON


def _shed(run):
    held = flock.hold(run.preparing)
    if held is None:
        return False
    with held:
        launch.stop(run)  # its stop action runs that program, too
        if not run.alive:
            run.shed()
    return not run.code.exists()


def _resting(run):
    return {"staging"} if run.role == "destination" and resting.rests(run) else set()


def _undone(run):
    undoing.undo_dead(run, PATIENCE)
    return not {change.what for change in run.undo.pending()} - _resting(run)


def _void_entries(register):
    for transfer in register.void():
        about = {"what": "register entry", "transfer": transfer, "path": str(register.directory), "advice": SWEEP}
        yield Residue(about, functools.partial(_released, register, transfer))


def _released(register, transfer):
    register.release(transfer)
    return True


def _orphaned_pinholes(runs, backend):
    """Pinholes of workers that are gone; those that people opened by hand are theirs to close."""
    # A worker lives before its pinhole is open. So whoever is dead now had ended when it was listed, or ends it itself.
    openings = drive(backend.openings(), process.run)
    for tag in sorted({each.tag for each in openings if TRANSFER.fullmatch(transfer_of(each.tag))}):
        if not _lives(runs, tag):
            about = {"what": "pinhole", "transfer": transfer_of(tag), "tag": tag, "advice": SWEEP}
            yield Residue(about, functools.partial(_closed, runs, tag))


def _lives(runs, tag):
    return any(run.alive for run in runs.of(transfer_of(tag)))


def _closed(runs, tag):
    if _lives(runs, tag):
        return False
    pinhole.close(tag)
    audit.closed(runs.state_dir, tag, "a sweep")
    return True


def _debris(runs):
    for path in runs.debris():
        about = {"bytes": resting.disk_bytes(path), "advice": SWEEP}
        yield Residue(
            {"what": "unfinished run directory", "path": str(path), **about}, functools.partial(_deleted, runs, path)
        )


def _deleted(runs, path):
    runs.remove_debris(path)
    return True
