"""Where data lies and where it is received: all in memory, in a mount namespace of our own, gone with it."""

import time
from pathlib import Path

from .data import DATASETS, SUSPECT_SECONDS
from .errors import BenchError
from .network import call
from .stage import bound_directory, ext4_file_system, memory_file_system

ROOT = "/run/salt-transfer-bench"
SPARE = 512 << 20
INODES_PER_FILE = 2


class Grounds:
    """`destination` receives in a directory of a file system that is there already, instead of in memory."""

    def __init__(self, destination=None):
        call("mount", "-t", "tmpfs", "-o", "size=95%", "tmpfs", "/run")
        self._destination = destination
        self.place, self.things = Path(ROOT, "place"), Path(ROOT, "things")
        for path in (self.place, self.things, Path(ROOT, "source")):
            path.mkdir(parents=True, mode=0o700)
        self._made = {}

    def source(self, name, amount):
        """(path, Load) of a dataset of this amount; made once, in a directory of its own."""
        if (name, amount) not in self._made:
            path = Path(ROOT, "source", f"{len(self._made)}", "data")
            path.parent.mkdir()
            self._demand_memory(name, amount)
            self._made[name, amount] = path, DATASETS[name].make(path, amount)
            time.sleep(SUSPECT_SECONDS)
        return self._made[name, amount]

    def fresh(self, kind, load):
        """A context with an empty place to receive in."""
        if self._destination:
            return bound_directory(self.place, self._destination)
        if kind == "ext4":
            return ext4_file_system(self.place, Path(ROOT, "image"), 2 * load.bytes + SPARE)
        return memory_file_system(self.place)

    @staticmethod
    def _demand_memory(name, amount):
        """Both copies, and a file system's own image."""
        wanted = 3 * amount + SPARE if DATASETS[name].kind == "file" else SPARE
        if available_memory() < wanted:
            raise BenchError(f"{name} of {amount >> 20} MiB wants {wanted >> 20} MiB of free memory; give a --size")


def available_memory():
    """Bytes."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
