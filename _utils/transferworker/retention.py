"""What is kept no longer: records and partial data that are too old, or, from the oldest on, take too much room."""

import contextlib
import functools
import time

from datamover.host import flock

from . import probes, resting, undoing
from .residue import PATIENCE, of_run

EXPIRED = "old partial data"
OVER = "its time or room (keep_partial, keep_partial_bytes) is over: transfer.sweep removes it"
RESTS = "it waits to be gone on with, or for transfer.sweep partial=True"
OLD = "its time or room (keep_runs, keep_runs_bytes) is over: transfer.sweep removes it"


def expired(runs, limits):
    """Residues of everything that is past its time or beyond its room."""
    yield from (each for each in partials(runs, limits) if each.about["what"] == EXPIRED)
    yield from expired_records(runs, limits)


def expired_records(runs, limits):
    """Records of ended runs with nothing left to undo: older than keep_runs, or beyond keep_runs_bytes; and of probes
    after which nobody asked.
    """
    room = limits.keep_runs_bytes or float("inf")
    for run in runs.all():
        with contextlib.suppress(FileNotFoundError):  # somebody else was faster
            if run.verdict and not run.undo.pending():
                age, taken = (time.time_ns() - run.begun) / 1e9, resting.disk_bytes(run.path)
                room -= taken
                unasked = probes.is_probe(run.spec) and age > probes.UNASKED
                if age > limits.keep_runs or room < 0 or unasked:
                    yield of_run("old record", run, functools.partial(_forgotten, run), bytes=taken, advice=OLD)


def partials(runs, limits, give_up=False):
    """What rests at destinations. It may be removed when it is older than keep_partial, beyond keep_partial_bytes, or
    with `give_up`."""
    room = limits.keep_partial_bytes or float("inf")
    for run in runs.all():
        if run.role == "destination" and resting.rests(run):
            taken = resting.disk_bytes(resting.staging_of(run.spec))
            room -= taken
            over = resting.age(run) > resting.kept_for(run.spec) or room < 0
            about = {"bytes": taken, "advice": OVER if over else f"{RESTS}: salt-run transfer.resume {run.transfer}"}
            removed = functools.partial(removed_partial, run) if over or give_up else None
            yield of_run(EXPIRED if over else "partial data", run, removed, **about)


def removed_partial(run):
    """Remove what rests of a run; a further attempt would begin from nothing. Returns whether it is gone."""
    undoing.undo_dead(run, PATIENCE, keep=False)
    return not run.undo.pending()


def _forgotten(run):
    with contextlib.suppress(FileNotFoundError):  # somebody else was faster
        held = flock.hold(run.lock, PATIENCE)
        if held is None:
            return False
        with held:
            run.remove()
    return True
