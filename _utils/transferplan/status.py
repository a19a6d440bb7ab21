"""What a worker tells while it works and its last word, as `transfer.status` and `transfer.follow` of a minion answer.

A verdict is final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import shapes
from .errors import Told

UNSTARTED = ("preparing", "prepared", "armed")
MOVING = ("connecting", "proved", "moving", "verifying", "sealed", "publishing")
PUBLISHED, FAILED, CANCELLED = ENDED = "published", "failed", "cancelled"
PHASES = (*UNSTARTED, *MOVING, *ENDED)
"""In this order, the last three instead of each other."""


@dataclass(frozen=True)
class Progress:
    bytes_total: int
    bytes_done: int
    files_total: int
    files_done: int
    bytes_verified: int
    estimated: bool


@dataclass(frozen=True)
class Skipped:
    path: bytes
    why: str


@dataclass(frozen=True)
class Stream:
    """What one bulk stream carried: bytes of files, and what travelled for them, in so many pieces and connections."""

    bytes: int
    pieces: int
    connections: int
    wire_bytes: int = 0


@dataclass(frozen=True)
class Verdict:
    """How it ended on one host. `root` is over what this host itself read (source) or read back (destination).

    Of a chain: `read_bytes` and `reread_bytes` of the source; `chain` says whom a destination took from and passed by.
    """

    result: str
    error: Told | None = None
    path: str = ""
    level: str = ""
    algorithm: str = ""
    block_size: int = 0
    root: str | None = None
    files: int = 0
    directories: int = 0
    links: int = 0
    entries: int = 0
    bytes: int = 0
    sparse_bytes: int = 0
    moved_bytes: int = 0
    held_bytes: int = 0
    resent_bytes: int = 0
    wire_bytes: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    trusted: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    skipped: tuple[Skipped, ...] = ()
    skipped_more: int = 0
    excluded: int = 0
    retried_entries: int = 0
    streams: tuple[Stream, ...] = ()
    cleanup: tuple[str, ...] = ()
    read_bytes: int = 0
    reread_bytes: int = 0
    chain: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    transfer: str
    role: str
    host: str
    phase: str
    seq: int
    alive: bool
    progress: Progress
    attempt: int = 1
    limit: int | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[tuple[float, ...], ...] = ()
    phases: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Mapping[str, Any], ...] = ()
    verdict: Verdict | None = None

    def __post_init__(self):
        if self.phase not in PHASES:
            raise ValueError(f"phase {self.phase[:40]!a} is none of {', '.join(PHASES)}")

    @classmethod
    def from_payload(cls, payload: Any, host: str) -> Status:
        """The status in a minion's answer; BadAnswer if it is not of this form."""
        return shapes.read(cls, payload, f"The status from {host}")
