"""Whether a destination has room: bytes and inodes, beside what must stay free and what others have been promised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import units
from .facts import Destination, Source

MOST_BYTES = 2 * 1024**3
MOST_INODES = 10_000
AUTO_SHARE = 0.05
OWN_INODES = 4


@dataclass(frozen=True)
class Room:
    """Bytes and inodes, of whatever they are a measure."""

    bytes: int
    inodes: int

    def less(self, bytes_held: int) -> Room:
        """What is missing beside so many bytes."""
        return Room(max(0, self.bytes - bytes_held), self.inodes)


def reserve(rule: str | int, place: Destination) -> Room:
    """What must stay free on the file system of `place` under this value of the option `reserve`."""
    if rule == "auto":
        automatic = _share(AUTO_SHARE, place)
        return Room(min(automatic.bytes, MOST_BYTES), min(automatic.inodes, MOST_INODES))
    if isinstance(rule, str):
        return _share(float(rule.rstrip("%")) / 100, place)
    return Room(rule, min(_share(AUTO_SHARE, place).inodes, MOST_INODES))


def _share(share: float, place: Destination) -> Room:
    return Room(int(place.bytes_total * share), int(place.inodes_total * share))


def need(source: Source) -> Room:
    """What the copy will take: holes take nothing, and the staging directory has entries of its own."""
    return Room(source.disk_bytes, source.entries + OWN_INODES)


def shortages(where: str, needed: Room, kept: Room, place: Destination, estimated: bool) -> Iterator[str]:
    """A sentence for each of bytes and inodes that will not do. A file system without inodes to count has 0 of 0."""
    at_least = "at least " if estimated else ""
    short = needed.bytes + kept.bytes + place.reserved_bytes - place.bytes_free
    if short > 0:
        promised = _promised(units.size(place.reserved_bytes), place.reserved_bytes)
        yield (
            f"{where} has {units.size(place.bytes_free)} free{promised};"
            f" this transfer needs {at_least}{units.size(needed.bytes)} and a reserve of {units.size(kept.bytes)}:"
            f" free {units.size(short)} or choose another place"
        )
    short = needed.inodes + kept.inodes + place.reserved_inodes - place.inodes_free
    if place.inodes_total and short > 0:
        promised = _promised(f"{place.reserved_inodes:,}", place.reserved_inodes)
        yield (
            f"{where} has {place.inodes_free:,} inodes free{promised};"
            f" this transfer needs {at_least}{needed.inodes:,} and a reserve of {kept.inodes:,}:"
            f" free {short:,} or choose another place"
        )


def _promised(amount: str, number: int) -> str:
    return f", {amount} of it promised to other transfers" if number else ""
