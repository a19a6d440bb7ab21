"""What dead runs may leave on a host, found by looking at the disk, the register and the firewall."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from datamover.host import flock, process
from hosttools import firewall
from hosttools.commands import drive
from hosttools.pinholes import transfer_of

from . import opening, undoing

PATIENCE = 10.0


@dataclass(frozen=True)
class Residue:
    """One thing that is left: what is told about it, and what removes it (returns whether it did)."""

    about: dict
    removed: Callable[[], bool]


def find(runs, register, keep_for, partial=False):
    """Every residue on this host. `partial` gives up data that keep_partial left in staging."""
    yield from _dead_runs(runs, partial)
    yield from _void_entries(register)
    yield from _orphaned_pinholes(runs)
    yield from _debris(runs)
    yield from old_records(runs, keep_for)


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


def _orphaned_pinholes(runs):
    alive = {run.transfer for run in runs.all() if run.alive}
    found = drive(firewall.openings(), process.run)
    for tag in sorted({each.tag for each in found if transfer_of(each.tag) not in alive}):
        yield Residue({"what": "pinhole", "transfer": transfer_of(tag), "tag": tag}, lambda tag=tag: _closed(tag))


def _closed(tag):
    opening.close(tag)
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
        age = (now - run.begun) / 1e9
        if age > keep_for and run.verdict and not run.undo.pending():
            yield _residue("old record", run, lambda run=run: _forgotten(run), age=round(age))


def _forgotten(run):
    held = flock.hold(run.lock, PATIENCE)
    if held is None:
        return False
    with held, contextlib.suppress(FileNotFoundError):  # somebody else was faster
        run.remove()
    return True
