"""What dead runs may leave on a host, found by looking at the disk, the register and the firewall."""

import contextlib
import functools
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from datamover.host import flock, process
from hosttools.commands import drive
from hosttools.firewall import BACKENDS
from hosttools.pinholes import transfer_of

from . import bounds, pinhole, undoing

PATIENCE = 10.0
TRANSFER = re.compile("[0-9a-f]{32}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Residue:
    """One thing that is left: what is told about it, and what removes it (returns whether it did)."""

    about: dict
    removed: Callable[[], bool]


def find(runs, register, keep_for, partial=False):
    """(every residue on this host, sentences about where one could not look).

    `partial` gives up data that keep_partial left in staging.
    """
    pinholes = functools.partial(_orphaned_pinholes, runs)
    places = {
        "runs": lambda: _dead_runs(runs, partial),
        "the register": lambda: _void_entries(register),
        **{f"the firewall ({name})": functools.partial(pinholes, one) for name, one in BACKENDS.items()},
        "unfinished run directories": lambda: _debris(runs),
        "old records": lambda: old_records(runs, keep_for),
    }
    found, troubles = [], []
    for place, look in places.items():
        with noting(troubles, f"could not look for what is left in {place}"):
            found.extend(look())
    return found, [*runs.unreadable(), *troubles]


@contextlib.contextmanager
def noting(troubles, what):
    """Whatever goes wrong here is added to `troubles` as a sentence; the rest must be swept all the same."""
    try:
        yield
    except Exception as error:
        log.exception(what)
        troubles.append(bounds.short(f"{what}: {error}"))


def remove(found, troubles):
    """Remove these residues; returns those that are gone."""
    removed = []
    for each in found:
        with noting(troubles, f"could not remove {each.about['what']} of {each.about.get('transfer', each.about)}"):
            if each.removed():
                removed.append(each)
    return removed


def _dead_runs(runs, partial):
    for run in runs.all():
        if run.alive or flock.is_held(run.preparing):
            continue
        if run.verdict is None:
            yield _residue("dead worker", run, lambda run=run: undoing.undo_dead(run, PATIENCE, keep=not partial))
        elif left := sorted({change.what for change in run.undo.pending()}):
            yield _residue(f"not undone: {', '.join(left)}", run, lambda run=run: _undone(run, partial))


def _residue(what, run, remove, **more):
    return Residue({"what": what, "transfer": run.transfer, "role": run.role, "path": run.spec["path"], **more}, remove)


def _undone(run, partial):
    undoing.undo_dead(run, PATIENCE, keep=not partial)
    return not run.undo.pending()


def _void_entries(register):
    for transfer in register.void():
        yield Residue({"what": "register entry", "transfer": transfer}, lambda each=transfer: _released(register, each))


def _released(register, transfer):
    register.release(transfer)
    return True


def _orphaned_pinholes(runs, backend):
    """Pinholes of workers that are gone; those that people opened by hand are theirs to close."""
    # A worker lives before its pinhole is open. So whoever is dead now had ended when it was listed, or ends it itself.
    openings = drive(backend.openings(), process.run)
    for tag in sorted({each.tag for each in openings if TRANSFER.fullmatch(transfer_of(each.tag))}):
        if not _lives(runs, tag):
            about = {"what": "pinhole", "transfer": transfer_of(tag), "tag": tag}
            yield Residue(about, lambda tag=tag: _closed(runs, tag))


def _lives(runs, tag):
    return any(run.alive for run in runs.of(transfer_of(tag)))


def _closed(runs, tag):
    if _lives(runs, tag):
        return False
    pinhole.close(tag)
    return True


def _debris(runs):
    for path in runs.debris():
        yield Residue({"what": "unfinished run directory", "path": str(path)}, lambda path=path: _deleted(runs, path))


def _deleted(runs, path):
    runs.remove_debris(path)
    return True


def old_records(runs, keep_for):
    """Records of ended runs that are older than `keep_for` seconds and have nothing left to undo."""
    now = time.time_ns()
    for run in runs.all():
        with contextlib.suppress(FileNotFoundError):  # somebody else was faster
            age = (now - run.begun) / 1e9
            if age > keep_for and run.verdict and not run.undo.pending():
                yield _residue("old record", run, lambda run=run: _forgotten(run), age=round(age))


def _forgotten(run):
    with contextlib.suppress(FileNotFoundError):  # somebody else was faster
        held = flock.hold(run.lock, PATIENCE)
        if held is None:
            return False
        with held:
            run.remove()
    return True
