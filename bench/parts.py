"""What the processes of some machines hold in memory together, moment by moment, beyond those that ran before.

A machine is known by its network, so that what was brought into it from outside counts as its own.
"""

import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path

LOOK_EVERY = 0.25
_SHARE = re.compile(r"^Pss:\s+(\d+)", re.MULTILINE)
SERVER = "mariadbd"


class PeakByPart:
    """`roots` are {name: a pid there}. Of pages that several share each counts its part; servers do not count."""

    def __init__(self, roots):
        self._roots = roots
        self._looks = {name: [] for name in roots}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self):
        self._names = {network_of(pid): name for name, pid in self._roots.items()}
        self._before = set(running())
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._over.set()
        self._thread.join()

    def until(self, moment):
        """{name: the most bytes that its processes held at once, up to this moment of the monotonic clock}."""
        return {
            name: max((size for at, size in looks if at <= moment), default=0) for name, looks in self._looks.items()
        }

    def _look_on(self):
        while not self._over.wait(LOOK_EVERY):
            held = dict.fromkeys(self._looks, 0)
            for pid in set(running()) - self._before:
                if name := self._names.get(network_of(pid)):
                    held[name] += share_of(pid)
            for name, size in held.items():
                self._looks[name].append((time.monotonic(), size))


def running():
    """The ids of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def network_of(pid):
    """The network that a process is in; None if it has ended."""
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    return None


def share_of(pid):
    """Bytes; nothing of a process that has ended, or that is the server."""
    with suppress(OSError, AttributeError, TypeError):
        if Path("/proc", str(pid), "comm").read_text().strip() != SERVER:
            rollup = Path("/proc", str(pid), "smaps_rollup").read_text()
            return int(_SHARE.search(rollup)[1]) << 10
    return 0
