"""What a monitoring system wants to know, from what minions list of their transfers: families of numbers with labels.

A transfer's id is a label only while it runs, so that their number stays bounded by what goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import inventory
from .paths import printable
from .request import DESTINATION, SOURCE
from .status import ENDED, PUBLISHED
from .version import VERSION

PREFIX = "salt_transfer_"

Labels = tuple[str, ...]
Run = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """One metric: its name after the prefix, what it means, its labels, and its numbers by their values."""

    name: str
    meaning: str
    labels: Labels = ()
    numbers: Mapping[Labels, float] = field(default_factory=dict)


def families(runs: Sequence[Run], silent: Iterable[str], asked: Iterable[str], now: float) -> list[Family]:
    """All metrics, from the runs that minions told (with `host`) at the time `now` in seconds since 1970."""
    quiet = set(silent)
    transfers = inventory.transfers(runs)
    arrived = [run for run in runs if run["role"] == DESTINATION]
    return [
        Family("info", "The version of salt-transfer on the master.", ("version",), {(VERSION,): 1}),
        Family(
            "minion_answers",
            "Whether a minion told of its transfers.",
            ("minion",),
            {(host,): float(host not in quiet) for host in sorted(asked)},
        ),
        Family("transfers", "Transfers that minions know, by their state.", ("state",), _states(transfers)),
        *_running(transfers),
        Family("resting_bytes", "What had arrived when transfers failed and is kept.", ("minion",), _resting(arrived)),
        *_last(arrived, now),
    ]


def _states(transfers: Iterable[Mapping[str, Any]]) -> dict[Labels, float]:
    counts = dict.fromkeys(inventory.STATES, 0.0)
    for each in transfers:
        counts[each["state"]] += 1
    return {(state,): count for state, count in counts.items()}


def _running(transfers: Iterable[Mapping[str, Any]]) -> Iterator[Family]:
    ends = [end for each in transfers if each["state"] == "running" for end in each["ends"]]
    labels = ("transfer", "minion", "role")
    for name, meaning in (("done", "Bytes that a running transfer has done at this end."), ("total", "And its total.")):
        numbers = {_end(end): float(end[f"bytes_{name}"]) for end in ends}
        yield Family(f"running_bytes_{name}", meaning, labels, numbers)


def _end(end: Run) -> Labels:
    return str(end["transfer"]), printable(str(end["host"])), str(end["role"])


def _resting(arrived: Iterable[Run]) -> dict[Labels, float]:
    kept: dict[Labels, float] = {}
    for run in arrived:
        if run.get("rests"):
            kept[(run["host"],)] = kept.get((run["host"],), 0.0) + run["bytes_done"]
    return kept


def _last(arrived: Iterable[Run], now: float) -> Iterator[Family]:
    """Of every place that was written: how its last transfer ended, and when one last succeeded."""
    labels = ("source", "minion", "path")
    ended = sorted((run for run in arrived if run["phase"] in ENDED), key=lambda run: -float(run.get("age") or 0))
    succeeded = [run for run in ended if run["phase"] == PUBLISHED]
    yield Family(
        "last_result_ok",
        "Whether the last transfer to this place that ended was published.",
        labels,
        {_place(run): float(run["phase"] == PUBLISHED) for run in ended},
    )
    yield Family(
        "last_success_timestamp_seconds",
        "When a transfer to this place was last published.",
        labels,
        {_place(run): _ended_at(run, now) for run in succeeded},
    )
    yield Family(
        "last_success_bytes",
        "How many bytes that one had.",
        labels,
        {_place(run): float(run["bytes_total"]) for run in succeeded},
    )


def _ended_at(run: Run, now: float) -> float:
    """As the host told it, the same at each asking; reckoned from its age where a host of an older version does not."""
    told = run.get("ended_at")
    return round(now - float(run.get("age") or 0)) if told is None else float(told)


def _place(run: Run) -> Labels:
    source = next((peer["host"] for peer in run["peers"] if peer["role"] == SOURCE), "")
    return printable(str(source)), printable(str(run["host"])), printable(str(run["path"]))
