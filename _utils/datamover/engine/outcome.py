"""How a run of the engine ended, in numbers: what the worker's verdict is made of."""

from dataclasses import dataclass, field

from ..errors import Cancelled, MoverError
from .stages import Stages

MOVE, VERIFY, PUBLISH = ("proved", "verifying"), ("verifying", "sealed"), ("sealed", "published")


@dataclass(frozen=True)
class Chain:
    """What a host did in a chain: who served it, (host, epoch) in their order; whom it served, (host, epoch, bytes of
    files); and hosts behind it that were lost.
    """

    predecessors: tuple[tuple[str, int], ...] = ()
    links: tuple[tuple[str, int, int], ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def forwarded_bytes(self):
        """Bytes of files that were passed on, over all links."""
        return sum(count for _, _, count in self.links)


@dataclass(frozen=True)
class Outcome:
    """`error` is None when all was published. Counts say how far it came; `cleanup` is trouble beside the error.

    `moved_bytes` are bytes of files that were sent or taken, `wire_bytes` what travelled for them.
    """

    error: MoverError | None = None
    root: bytes | None = None
    entries: int = 0
    files: int = 0
    directories: int = 0
    links: int = 0
    bytes: int = 0
    sparse_bytes: int = 0
    moved_bytes: int = 0
    wire_bytes: int = 0
    held_bytes: int = 0
    resent_bytes: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    trusted: int = 0
    retried_entries: int = 0
    streams: tuple[dict[str, int], ...] = ()
    skipped: tuple[tuple[bytes, str], ...] = ()
    skipped_more: int = 0
    excluded: int = 0
    report: dict[str, object] = field(default_factory=dict)
    """What a producer or consumer told of itself."""
    seconds: dict[str, float] = field(default_factory=dict)
    stages: Stages = Stages()
    cleanup: tuple[str, ...] = ()
    chain: Chain | None = None
    read_bytes: int = 0
    """What was read of the source's files, again and again if need be; `reread_bytes` is what of it was read again."""
    reread_bytes: int = 0

    @property
    def result(self):
        if self.error is None:
            return "published"
        # Whoever hears of a cancel from the other end was cancelled too, only later.
        told = self.error.evidence.get("code")
        return "cancelled" if Cancelled.code in (self.error.code, told) else "failed"


def seconds_of(times):
    """How long each part took, from the moments at which phases began."""
    parts = {"move": MOVE, "verify": VERIFY, "publish": PUBLISH, "total": (MOVE[0], PUBLISH[1])}
    known = ((name, begin, end) for name, (begin, end) in parts.items() if {begin, end} <= {*times})
    return {name: round(times[end] - times[begin], 4) for name, begin, end in known}
