"""Deadlines that neither a changed clock nor a reboot can fool: seconds since boot, and which boot that was."""
import time
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boottime():
    """Seconds since boot; goes on while the machine sleeps, never jumps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id():
    """The name of the present boot."""
    return BOOT_ID.read_text().strip()


@dataclass(frozen=True)
class Deadline:
    """A moment of one boot. In any other boot it has passed."""

    boot: str
    at: float

    @classmethod
    def after(cls, seconds):
        return cls(boot_id(), boottime() + seconds)

    @property
    def remaining(self):
        """Seconds left, never below 0."""
        return max(0.0, self.at - boottime()) if self.boot == boot_id() else 0.0

    @property
    def passed(self):
        return self.remaining == 0.0
