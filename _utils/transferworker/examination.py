"""What a doctor finds on a host beyond what a sweep removes: places where staging lies that nobody knows, workers of
another version, times that cannot be.
"""

import os
import time

from datamover.disk import safepath
from datamover.disk.staging import PREFIX
from datamover.host import flock, lease
from datamover.version import VERSION

from . import resting
from .residue import Residue, of_run
from .residues import TRANSFER, find, look_in

FUTURE = 60.0
MOST_PLACES = 1000
UNKNOWN_STAGING = "no record here knows it, so nobody can go on with it: look at it, then remove the directory"
OTHER_VERSION = "it ends by itself; bring the hosts to one version before the next attempt"
CLOCK = "the clock was set back since: ages told of this host are wrong; deadlines count from boot and are not"
SHED = "a part of it that only a live worker needs is still there: transfer.status removes it"


def examine(runs, register, limits, places=()):
    """What `transfer.doctor` tells; `places` are further directories (bytes) in which staging may lie."""
    found, troubles = find(runs, register, limits)
    more, troubles = look_in(
        {
            "directories of destinations": lambda: _unknown_staging(runs, places),
            "versions": lambda: _other_versions(runs),
            "times": lambda: _impossible_times(runs),
            "programs": lambda: _unshed(runs),
        },
        troubles,
    )
    return {
        "version": VERSION,
        "clock": time.time(),
        "boot": lease.boot_id(),
        "findings": [each.about for each in (*found, *more)],
        "trouble": troubles,
    }


def _unknown_staging(runs, places):
    """Staging directories that no record knows, beside all final names on record and in `places`."""
    for directory in sorted({*_directories(runs), *places})[:MOST_PLACES]:
        for path in _staging_in(directory):
            transfer = os.path.basename(path).removeprefix(PREFIX).decode(errors="replace")
            if TRANSFER.fullmatch(transfer) and not runs.of(transfer):
                yield Residue(_staging(transfer, path))


def _directories(runs):
    return (os.path.dirname(safepath.decode_path(run.spec["path"])) for run in runs.all() if run.role == "destination")


def _staging_in(directory):
    try:
        with os.scandir(directory) as entries:
            return sorted(each.path for each in entries if each.name.startswith(PREFIX))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _staging(transfer, path):
    return {
        "what": "staging without a record",
        "transfer": transfer,
        "path": safepath.encode_path(path),
        "age": max(0, round(time.time() - os.lstat(path).st_mtime)),
        "bytes": resting.disk_bytes(path),
        "advice": UNKNOWN_STAGING,
    }


def _other_versions(runs):
    for run in runs.all():
        if run.alive and run.spec["version"] != VERSION:
            yield of_run(f"worker of version {run.spec['version']}, here is {VERSION}", run, None, advice=OTHER_VERSION)


def _impossible_times(runs):
    for run in runs.all():
        if run.begun / 1e9 > time.time() + FUTURE:
            yield of_run("record from the future", run, None, advice=CLOCK)


def _unshed(runs):
    for run in runs.all():
        busy = run.alive or flock.is_held(run.preparing)
        if run.verdict and not busy and run.code.exists():
            yield of_run("program of an ended run", run, None, bytes=resting.disk_bytes(run.code), advice=SHED)
