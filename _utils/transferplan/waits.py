"""What is kept of a copy that waits for busy hosts, so that somebody can go on for a runner that died."""

from __future__ import annotations

from dataclasses import dataclass

from . import units
from .errors import Reason, TooManyTransfers


@dataclass(frozen=True)
class Wait:
    """A copy waits `since` then, for `seconds` at most; its place is that of one that was `asked_at`. All by the clock
    of the master.
    """

    asked_at: float
    since: float
    seconds: float

    def lasted(self, now: float) -> float:
        return max(0.0, now - self.since)

    def is_over(self, now: float) -> bool:
        return self.lasted(now) > self.seconds

    def reason(self) -> Reason:
        """Why it is not begun after its time."""
        return TooManyTransfers.reason(
            f"it was to wait {units.span(self.seconds)} at most for busy hosts; that is over, and the runner that "
            "waited had died: ask for it again"
        )
