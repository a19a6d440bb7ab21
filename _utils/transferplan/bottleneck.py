"""Which stage held a transfer up: the accounts of both ends, joined, and what to try.

Each end accounts where its threads spent their time. They work side by side, so the slowest lane of work sets the pace
of all; within it the stage that took most is named. Both ends wait for the network when nothing else holds them up, so
it is only to blame for the time that both waited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NETWORK = "network"


@dataclass(frozen=True)
class End:
    """One end's account: seconds by stage, over all threads."""

    host: str
    stages: Mapping[str, float]


@dataclass(frozen=True)
class Bottleneck:
    """`seconds` were spent on `stage` (for each connection, if it belongs to those) at `host`, "" for the network."""

    stage: str
    host: str
    seconds: float
    text: str


@dataclass(frozen=True)
class _Lane:
    """Work that is done one thing after another: seconds by stage, at one end or between the two."""

    host: str
    stages: Mapping[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.stages.values())


def find(source: End, destination: End, streams: int, level: str, explained: float = 0.0) -> Bottleneck | None:
    """The slowest stage of a transfer over so many connections; None if nothing took any time. Where one passes
    on what it gets, both waited for what held up those before them, too: so many seconds are explained by that.
    """
    lane = max(_lanes(source, destination, streams, level, explained), key=lambda each: each.seconds)
    if not lane.seconds:
        return None
    stage = max(lane.stages, key=lambda name: lane.stages[name])
    seconds = lane.stages[stage]
    return Bottleneck(stage, lane.host, round(seconds, 3), words(stage, lane.host))


def _lanes(source: End, destination: End, streams: int, level: str, explained: float) -> Iterator[_Lane]:
    """Every connection is a thread at each end; reading, and reading back, is one."""
    taking, checking = ["decrypt", "decompress", "write"], ["flush", "read_back"]
    (taking if level == "flight" else checking).append("digest")
    yield _lane(source, ["list", "read", "digest"])
    yield _lane(source, ["compress", "encrypt", "limit"], streams)
    yield _lane(destination, taking, streams)
    yield _lane(destination, checking)
    waits = (each.stages.get(NETWORK, 0.0) / streams for each in (source, destination))
    yield _Lane("", {NETWORK: max(0.0, min(waits) - explained)})


def _lane(end: End, names: list[str], threads: int = 1) -> _Lane:
    return _Lane(end.host, {name: end.stages.get(name, 0.0) / threads for name in names})


_WORDS = {
    "list": "walking through the tree: many small entries cost more than their bytes, so faster storage there may help",
    "read": "reading: its storage, or what else reads from it, sets the pace",
    "digest": "digesting: install blake3 on both hosts if they use sha256, or give it a less busy processor",
    "compress": "compressing: try compress=none or a lower level, or more streams",
    "encrypt": "encrypting: try more streams; encrypt=False only where nobody else can listen",
    "limit": "the limit that was set: salt-run transfer.limit changes it while a transfer runs",
    NETWORK: "the network between the hosts: try compress=zstd:6, more streams on a long way, or another network",
    "decrypt": "decrypting: try more streams; encrypt=False only where nobody else can listen",
    "decompress": "decompressing: try compress=none, or more streams",
    "write": "writing: its storage or file system sets the pace; another place may be faster",
    "flush": "flushing to its disk: its storage sets the pace; another place may be faster",
    "read_back": "reading back what was written: its storage sets the pace; verify=flight spares it, and proves less",
}


def in_short(found: Bottleneck) -> str:
    """Where and what, without what to try."""
    return found.text.partition(":")[0]


def words(stage: str, host: str) -> str:
    """A sentence for people: where, what, and what to try."""
    return f"{host}, {_WORDS[stage]}" if host else _WORDS[stage]
