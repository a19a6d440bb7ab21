"""What the processes of some machines hold in memory together, moment by moment, beyond those that ran before."""

import re
import threading
import time
from contextlib import suppress
from pathlib import Path

from .processes import all_processes, descendants

LOOK_EVERY = 0.25
_SHARE = re.compile(r"^Pss:\s+(\d+)", re.MULTILINE)
SERVER = "mariadbd"


class PeakByPart:
    """`roots` are {name: pid}. Of pages that several share each counts its part; database servers do not count."""

    def __init__(self, roots):
        self._roots = roots
        self._looks = {name: [] for name in roots}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self):
        processes = all_processes()
        self._before = {pid for root in self._roots.values() for pid in descendants(root, processes)}
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
            processes = all_processes()
            for name, root in self._roots.items():
                new = descendants(root, processes) - self._before
                self._looks[name].append((time.monotonic(), sum(map(share_of, new))))


def share_of(pid):
    """Bytes; nothing of a process that has ended, or that is the server."""
    with suppress(OSError, AttributeError, TypeError):
        if Path("/proc", str(pid), "comm").read_text().strip() != SERVER:
            rollup = Path("/proc", str(pid), "smaps_rollup").read_text()
            return int(_SHARE.search(rollup)[1]) << 10
    return 0
