"""How long a transfer will take. A plan that was not asked to probe sends nothing to find out.

What counts is how fast copies between the same two hosts were, and how fast a probe was, if one was sent: the slower
of both, since a probe knows nothing of disks. Where there is neither, the slower of their two links says what it cannot
be faster than. A limit bounds all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from . import units
from .errors import Reason
from .facts import Facts

PROBE, HISTORY, LINK, LIMIT = "probe", "history", "link", "limit"
MOMENT = 1.0
NEARLY = 0.9
"""A probe that reached this part of the limit was held back by it."""
SLOWEST = 1.0
"""Bytes a second: whatever hosts tell, no time becomes too long for words."""
MEGABIT = 1_000_000 / 8


@dataclass(frozen=True)
class Probed:
    """What a probe from one host to another told: bytes a second, the seconds and bytes it took, and the seconds of a
    round trip; or the `reason` why it failed. A rate of None is one that too few bytes could tell.
    """

    before: str
    after: str
    rate: float | None = None
    seconds: float = 0.0
    bytes: int = 0
    round_trip: float | None = None
    reason: Reason | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "reason": self.reason and self.reason.as_dict()}


@dataclass(frozen=True)
class Leg:
    """One step of the way, from one host to the next: the facts of both, the addresses in use, what will move, and what
    a probe told of the way to `after`.
    """

    before: Facts
    after: Facts
    addresses: tuple[str, str]
    bytes: int
    probed: Probed | None = None


@dataclass(frozen=True)
class Forecast:
    """`seconds` is None where nothing is known; `basis` says what it rests on, `text` the whole in words."""

    seconds: float | None
    rate: float | None
    basis: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


UNKNOWN = Forecast(None, None, "", "unknown: nothing was copied between them yet, and their links do not tell a speed")
UNPROBED = replace(UNKNOWN, basis=PROBE, text="unknown: a probe failed, see the note")


@dataclass(frozen=True)
class _Pace:
    rate: float
    basis: str
    why: str


def foresee(legs: Sequence[Leg], limit: int, at_once: bool, at_least: bool) -> Forecast:
    """The time for all legs: as long as the slowest where each passes on what comes, else one after the other."""
    if any(leg.probed and leg.probed.reason for leg in legs):
        return UNPROBED
    paces = [_limited(_pace(leg), limit) for leg in legs]
    known = [(leg.bytes / max(pace.rate, SLOWEST), pace) for leg, pace in zip(legs, paces, strict=True) if pace]
    if len(known) < len(legs):
        return UNKNOWN
    seconds, slowest = max(known, key=lambda each: each[0])
    total = seconds if at_once else sum(each for each, _ in known)
    about = "at least" if at_least or slowest.basis == LINK else "about"
    span = units.span(total) if total >= MOMENT else "a moment"
    return Forecast(round(total, 1), slowest.rate, slowest.basis, f"{about} {span}: {slowest.why}")


def _pace(leg: Leg) -> _Pace | None:
    known = [pace for pace in (_of_probe(leg), _of_history(leg)) if pace]
    return min(known, key=lambda pace: pace.rate) if known else _of_links(leg)


def _of_probe(leg: Leg) -> _Pace | None:
    probed = leg.probed
    if probed is None or not probed.rate:
        return None
    what = f"a probe of {probed.seconds:.2g} s from {probed.before} to {probed.after}"
    return _Pace(probed.rate, PROBE, f"{what} made {units.rate(probed.rate)}")


def _of_history(leg: Leg) -> _Pace | None:
    came = [each for each in leg.after.paces if each.host == leg.before.host and each.bytes > 0 and each.seconds > 0]
    if came:
        rates = [each.bytes / each.seconds for each in came]
        rate = median(rates)
        last = f"the last {len(rates)} copies" if len(rates) > 1 else "the last copy"
        return _Pace(rate, HISTORY, f"{last} from {leg.before.host} to {leg.after.host} made {units.rate(rate)}")
    return None


def _of_links(leg: Leg) -> _Pace | None:
    ends = zip((leg.before, leg.after), leg.addresses, strict=True)
    speeds = [(speed, facts.host) for facts, address in ends if (speed := facts.speed_at(address))]
    if not speeds or leg.before.host == leg.after.host:
        return None
    speed, host = min(speeds)
    return _Pace(speed * MEGABIT, LINK, f"the link of {host} carries {speed / 1000:g} Gbit/s")


def _limited(pace: _Pace | None, limit: int) -> _Pace | None:
    if limit and (pace is None or pace.rate > limit or _is_held_back(pace, limit)):
        return _Pace(limit, LIMIT, f"the limit is {units.rate(limit)}")
    return pace


def _is_held_back(pace: _Pace, limit: int) -> bool:
    return pace.basis == PROBE and pace.rate >= NEARLY * limit
