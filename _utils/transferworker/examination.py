"""What a doctor finds on a host beyond what a sweep removes: places where staging lies that nobody knows, workers of
another version, times that cannot be.
"""

import time

from datamover.host import lease
from datamover.version import VERSION

from . import strays
from .residue import in_runs, of_run
from .residues import find, goes_by_itself, look_in

FUTURE = 60.0
OTHER_VERSION = "it ends by itself; bring the hosts to one version before the next attempt"
CLOCK = "the clock was set back since: ages told of this host are wrong; deadlines count from boot and are not"


def examine(runs, register, limits, host, places=()):
    """What `transfer.doctor` tells; `places` are further directories (bytes) in which staging may lie."""
    found, troubles = find(runs, register, limits)
    more, troubles = look_in(
        {
            "directories of destinations": lambda: strays.find(runs, host, places),
            "versions": lambda: in_runs(runs, _other_version),
            "times": lambda: in_runs(runs, _impossible_time),
        },
        troubles,
    )
    return {
        "version": VERSION,
        "clock": time.time(),
        "boot": lease.boot_id(),
        "findings": [each.about for each in (*found, *more) if not goes_by_itself(each)],
        "trouble": troubles,
    }


def _other_version(run):
    if run.alive and run.spec["version"] != VERSION:
        yield of_run(f"worker of version {run.spec['version']}, here is {VERSION}", run, None, advice=OTHER_VERSION)


def _impossible_time(run):
    if run.begun / 1e9 > time.time() + FUTURE:
        yield of_run("record from the future", run, None, advice=CLOCK)

