"""How much of a busy host a worker claims: by the weights of its unit, or by itself where systemd does not run."""

import os
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Niceness:
    """`weight` is that of a unit, beside 100 for another service; `nice` comes to the same, and `io` is the disk's
    priority within best effort, from 0 to 7, or None for the one that follows from `nice`.
    """

    weight: int
    nice: int
    io: int | None = None

    def take(self):
        """Let this process be so nice."""
        os.setpriority(os.PRIO_PROCESS, 0, self.nice)
        if self.io is not None:
            psutil.Process().ionice(psutil.IOPRIO_CLASS_BE, self.io)


LEVELS = {
    "none": Niceness(weight=100, nice=0),
    "normal": Niceness(weight=50, nice=3),
    "low": Niceness(weight=10, nice=10, io=7),
}
