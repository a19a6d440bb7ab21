"""What one run gave, and what several runs give together. Pure."""

import statistics
from dataclasses import dataclass, field

GIB = 1 << 30
MIB = 1 << 20
ROLES = ("source", "destination")
WIDE_SPREAD = 1.5


@dataclass(frozen=True)
class Run:
    """One run of one side: seconds by the clock, and by role processor seconds and bytes of memory.

    `more` is what only some sides tell, as it is to stand in the record.
    """

    seconds: float
    processor: dict
    memory: dict
    more: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What a run moves."""

    bytes: int
    files: int = 1


def summary(runs, load):
    """The medians of some runs, in the units of the table, with each run's rate beside them."""
    seconds = median_seconds(runs)
    return {
        "seconds": round(seconds, 3),
        "mb_per_s": round(load.bytes / 1e6 / seconds, 1),
        "files_per_s": round(load.files / seconds) if load.files > 1 else None,
        "processor_per_gib": per_gib([sum(run.processor.values()) for run in runs], load),
        **{f"processor_per_gib_{role}": per_gib([run.processor[role] for run in runs], load) for role in ROLES},
        **{f"memory_mib_{role}": mebibytes([run.memory[role] for run in runs]) for role in ROLES},
        "runs_mb_per_s": [round(load.bytes / 1e6 / run.seconds, 1) for run in runs],
    }


def median_seconds(runs):
    return statistics.median(run.seconds for run in runs)


def per_gib(seconds, load):
    return round(statistics.median(seconds) * GIB / load.bytes, 3)


def mebibytes(sizes):
    return round(statistics.median(sizes) / MIB, 1)


def ratio(ours, theirs):
    """How many times faster ours is, by the medians of the same load."""
    return round(theirs["seconds"] / ours["seconds"], 3)


def spread(measured):
    """How far the runs of a side lie apart: the fastest over the slowest."""
    return round(max(measured["runs_mb_per_s"]) / min(measured["runs_mb_per_s"]), 2)


def is_wide(measured):
    """Whether they lie so far apart that something else had a hand in them."""
    return spread(measured) > WIDE_SPREAD
