"""The master's event bus, heard from outside: listener.py runs on the master and prints what it hears."""
import json
import os
import select
import subprocess
import time
from pathlib import Path

from .errors import LabError

LISTENER = Path(__file__).with_name("listener.py")
SUBSCRIBE_TIMEOUT = 60


class Bus:
    """A context manager: subscribed before its first line, then every event in order."""

    def __init__(self, master):
        self._master = master
        self._process = None
        self._pending = b""

    def __enter__(self):
        self._process = self._master.popen(
            ["python", "-I", "-B", LISTENER],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        first = next(self._lines(time.monotonic() + SUBSCRIBE_TIMEOUT), "nothing")
        if first != "subscribed":
            self.__exit__()
            raise LabError(f"Cannot listen on the master's event bus; its listener said: {first}")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def events(self, timeout):
        """Pairs of tag and data as they come, for at most `timeout` seconds."""
        for line in self._lines(time.monotonic() + timeout):
            event = json.loads(line)
            yield event["tag"], event["data"]

    def await_event(self, tag, timeout=180):
        """The data of the first event from now on with exactly this tag."""
        for seen, data in self.events(timeout):
            if seen == tag:
                return data
        raise LabError(f"No event {tag} within {timeout} s")

    def await_start(self, minions, timeout=180):
        """Return when all these minions have reported their start."""
        missing = {f"salt/minion/{name}/start": name for name in minions}
        for tag, _ in self.events(timeout):
            missing.pop(tag, None)
            if not missing:
                return
        raise LabError(f"Not started within {timeout} s: {', '.join(sorted(missing.values()))}")

    def _lines(self, deadline):
        while True:
            line, newline, rest = self._pending.partition(b"\n")
            if newline:
                self._pending = rest
                yield line.decode()
                continue
            chunk = self._read(deadline - time.monotonic())
            if not chunk:
                return
            self._pending += chunk

    def _read(self, timeout):
        output = self._process.stdout
        ready, _, _ = select.select([output], [], [], max(0, timeout))
        return os.read(output.fileno(), 65536) if ready else b""
