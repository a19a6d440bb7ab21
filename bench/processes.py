"""Processes that speak JSON with us, line by line, and the memory that they and all below them use."""

import json
import os
import re
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from .errors import BenchError

TOLD = 600
"""Characters of its last words that are shown when a process fails."""
LOOK_EVERY = 0.05

_PARENT, _PEAK = (re.compile(rf"^{name}:\s+(\d+)", re.MULTILINE) for name in ("PPid", "VmHWM"))


class Conversation:
    """A process that answers in lines of JSON; its context ends it, with all that it started."""

    def __init__(self, name, argv, log):
        self.name = name
        self._log = Path(log)
        with open(self._log, "wb") as errors:
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        kill_tree(self.pid)
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def say(self, document):
        with suppress(BrokenPipeError):  # Its answer, or its silence, is the news.
            self._process.stdin.write(json.dumps(document).encode() + b"\n")
            self._process.stdin.flush()

    def hear(self):
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"{self.name} ended without an answer{self.last_words()}")
        return json.loads(line)

    def last_words(self):
        words = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return f": {words[-TOLD:]}" if words else ""


class Watchdog:
    """Kills these processes, with all below them, when a run lasts too long."""

    def __init__(self, seconds, conversations):
        self._timer = threading.Timer(seconds, lambda: [kill_tree(each.pid) for each in conversations])

    def __enter__(self):
        self._timer.start()

    def __exit__(self, *_exception):
        self._timer.cancel()


class PeakMemory:
    """Looks at all processes below some roots, and remembers the highest resident set of each."""

    def __init__(self, roots, with_roots):
        self._roots = roots
        self._with_roots = with_roots
        self._peaks = {name: {} for name in roots}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._over.set()
        self._thread.join()

    def bytes(self):
        """The sum over each root's processes; pages that they share count in each."""
        return {name: sum(peaks.values()) for name, peaks in self._peaks.items()}

    def _look_on(self):
        while not self._over.wait(LOOK_EVERY):
            self._look()

    def _look(self):
        processes = all_processes()
        for name, root in self._roots.items():
            below = descendants(root, processes) - (set() if self._with_roots else {root})
            self._peaks[name].update({pid: processes[pid][1] for pid in below if pid in processes})


def all_processes():
    """{pid: (its parent, the highest resident set it ever had in bytes)}."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, TypeError):  # It ended; a thread of the kernel has no memory.
            status = Path("/proc", name, "status").read_text(encoding="utf-8", errors="replace")
            found[int(name)] = (int(_PARENT.search(status)[1]), int(_PEAK.search(status)[1]) << 10)
    return found


def descendants(root, processes):
    """A process and all below it."""
    family, size = {root}, 0
    while size != len(family):
        size = len(family)
        family |= {pid for pid, (parent, _) in processes.items() if parent in family}
    return family


def kill_tree(root):
    for pid in descendants(root, all_processes()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
