"""What rests on this host: what had arrived when a transfer ended without success, kept for another attempt."""

import os
import time

from datamover.disk import safepath
from datamover.disk.staging import staging_name
from datamover.host import flock

BUDGET = 2.0
GIVEN_UP = "given-up"


def rests(run):
    """Whether the worker of this run has ended and left in staging what had arrived."""
    verdict = run.verdict
    ended = verdict is not None and verdict["result"] == "failed" and not run.alive
    return ended and any(change.what == "staging" for change in run.undo.pending())


def is_given_up(run):
    """Whether somebody has cancelled it after it had failed: nobody goes on with it then."""
    return run.read(GIVEN_UP) is not None


def may_rest(run):
    """Whether it rests, or will as soon as somebody undoes after its dead worker."""
    if rests(run):
        return True
    unsettled = run.verdict is None and not run.alive and not flock.is_held(run.preparing)
    return unsettled and any(change.what == "staging" for change in run.undo.pending())


def final_of(run):
    """Where the final name of a run really lies, as it was found when it was prepared."""
    place = run.read("place")
    return safepath.decode_path(place["real"] if place else run.spec["path"])


def kept_for(spec):
    """Seconds for which the spec wants what arrived to be kept."""
    return spec["settings"]["keep_partial"]


def age(run):
    """Seconds since the run ended, or since it began if it has not."""
    ended = _ended(run)
    since = run.begun if ended is None else ended
    return max(0, round((time.time_ns() - since) / 1e9))


def ended_at(run):
    """When the run ended by this host's clock, in seconds since 1970; None if it has not."""
    ended = _ended(run)
    return None if ended is None else round(ended / 1e9)


def _ended(run):
    verdict = run.path / "verdict.json"
    return verdict.stat().st_mtime_ns if verdict.exists() else None


def staging_of(spec):
    """Where what arrives for this spec lies."""
    parent, _ = safepath.split_final(safepath.decode_path(spec["path"]))
    return os.path.join(parent, staging_name(spec["transfer"]))


def disk_bytes(path, budget=BUDGET):
    """What a tree takes on the disk, counted for `budget` seconds at most; links are not followed."""
    until, total, ahead = time.monotonic() + budget, 0, [os.fsencode(path)]
    while ahead and time.monotonic() < until:
        try:
            with os.scandir(ahead.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        ahead.append(entry.path)
        except OSError:  # it goes away under us, or is no directory
            continue
    return total
