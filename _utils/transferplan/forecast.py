"""How long a transfer will take, as far as that can be known without sending anything: a plan changes nothing.

What counts is how fast copies between the same two hosts were. Where there were none, the slower of their two links
says what it cannot be faster than. A limit bounds both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from . import units
from .facts import Facts, Interface

HISTORY, LINK, LIMIT = "history", "link", "limit"
MOMENT = 1.0
MEGABIT = 1_000_000 / 8


@dataclass(frozen=True)
class Leg:
    """One step of the way, from one host to the next: the facts of both, the addresses in use, and what will move."""

    before: Facts
    after: Facts
    addresses: tuple[str, str]
    bytes: int


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


@dataclass(frozen=True)
class _Pace:
    rate: float
    basis: str
    why: str


def foresee(legs: Sequence[Leg], limit: int, at_once: bool, at_least: bool) -> Forecast:
    """The time for all legs: as long as the slowest where each passes on what comes, else one after the other."""
    paces = [_limited(_pace(leg), limit) for leg in legs]
    known = [(leg.bytes / pace.rate, pace) for leg, pace in zip(legs, paces, strict=True) if pace]
    if len(known) < len(legs):
        return UNKNOWN
    seconds, slowest = max(known, key=lambda each: each[0])
    total = seconds if at_once else sum(each for each, _ in known)
    about = "at least" if at_least or slowest.basis == LINK else "about"
    span = units.span(total) if total >= MOMENT else "a moment"
    return Forecast(round(total, 1), slowest.rate, slowest.basis, f"{about} {span}: {slowest.why}")


def _pace(leg: Leg) -> _Pace | None:
    rates = [each.bytes / each.seconds for each in leg.after.paces if each.host == leg.before.host and each.seconds > 0]
    if rates:
        rate = median(rates)
        last = f"the last {len(rates)} copies" if len(rates) > 1 else "the last copy"
        return _Pace(rate, HISTORY, f"{last} from {leg.before.host} to {leg.after.host} made {units.rate(rate)}")
    return _of_links(leg)


def _of_links(leg: Leg) -> _Pace | None:
    ends = zip((leg.before, leg.after), leg.addresses, strict=True)
    speeds = [(speed, facts.host) for facts, address in ends if (speed := _speed(facts.interfaces, address))]
    if not speeds or leg.before.host == leg.after.host:
        return None
    speed, host = min(speeds)
    return _Pace(speed * MEGABIT, LINK, f"the link of {host} carries {speed / 1000:g} Gbit/s")


def _speed(interfaces: Iterable[Interface], address: str) -> int:
    return next((each.speed for each in interfaces if each.address == address), 0)


def _limited(pace: _Pace | None, limit: int) -> _Pace | None:
    if limit and (pace is None or pace.rate > limit):
        return _Pace(limit, LIMIT, f"the limit is {units.rate(limit)}")
    return pace
