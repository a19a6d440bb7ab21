"""The audit trail of a host: what was moved, opened and refused here, and who asked. Lines are only ever appended.

    audit.jsonl        the youngest lines; audit.jsonl.1 those before them, and so on
    lock               held by who appends or reads

One JSON document per line: {"n", "at", "what", ...}. Numbers count on over all files. A line is flushed before its
writer goes on. What a crash tore off is no line: the next writer cuts it away.
"""
import json
import os
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

from ..errors import Busy
from . import flock
from .documents import flush_directory

PATIENCE = 10.0
LARGEST = 4 << 20
KEPT = 7
TAIL = 64 << 10
LONGEST_TEXT = 1000


class Trail:
    """The trail of the state directory: files of at most about `largest` bytes, `kept` of them beside the youngest."""

    def __init__(self, state_dir, largest=LARGEST, kept=KEPT):
        self.directory = Path(state_dir) / "audit"
        self._file = self.directory / "audit.jsonl"
        self._largest = largest
        self._kept = kept

    def make(self):
        """Make its directory, if it is not there."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def note(self, what, **details):
        """Append one line; it is on the disk when this returns."""
        self.make()
        with self._locked():
            self._mend()
            number = 1 + self._last_number()
            self._rotate()
            at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            self._append({"n": number, "at": at, "what": what, **_bounded(details)})

    def read(self, after=0):
        """The lines with numbers beyond `after`, the oldest first."""
        with ExitStack() as opened:
            for file in self._opened(opened, after):
                yield from (line for text in file if (line := _line(text)) and line["n"] > after)

    def _opened(self, opened, after):
        """The files that hold lines beyond `after`, the oldest first: open, so that a rotation takes none away."""
        if not self.directory.is_dir():
            return []
        with self._locked():
            found = [path for path in reversed(self._files()) if _last_number(path) > after]
            return [opened.enter_context(open(path, "rb")) for path in found]

    def _locked(self):
        held = flock.hold(self.directory / "lock", seconds=PATIENCE)
        if held is None:
            raise Busy(f"another process has held {self.directory}/lock for {PATIENCE} s")
        return held

    def _files(self):
        """Those that are there, the youngest first."""
        older = (self._file.with_name(f"{self._file.name}.{number}") for number in range(1, self._kept + 1))
        return [path for path in (self._file, *older) if path.exists()]

    def _mend(self):
        """Cut away what is no whole line at the end."""
        if not self._file.exists():
            return
        with open(self._file, "r+b") as file:
            tail, begins = _tail(file)
            if tail and not tail.endswith(b"\n"):
                file.truncate(begins + tail.rfind(b"\n") + 1)
                os.fsync(file.fileno())

    def _last_number(self):
        return next((number for path in self._files() if (number := _last_number(path))), 0)

    def _rotate(self):
        if not self._file.exists() or self._file.stat().st_size < self._largest:
            return
        for number in range(self._kept, 0, -1):
            younger = self._file.with_name(f"{self._file.name}.{number - 1}") if number > 1 else self._file
            if younger.exists():
                os.replace(younger, self._file.with_name(f"{self._file.name}.{number}"))
        flush_directory(self.directory)

    def _append(self, line):
        new = not self._file.exists()
        with open(self._file, "ab", opener=_private) as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            flush_directory(self.directory)


def _private(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _tail(file):
    """(the last bytes of a file, where they begin)."""
    begins = max(0, file.seek(0, os.SEEK_END) - TAIL)
    file.seek(begins)
    return file.read(), begins


def _last_number(path):
    """The number of the last whole line; 0 without any."""
    with open(path, "rb") as file:
        tail, _ = _tail(file)
    return max((line["n"] for text in tail.splitlines(keepends=True) if (line := _line(text))), default=0)


def _line(text):
    """A line; None for what has lost its end, as after a crash, or its beginning, as at the beginning of a tail."""
    try:
        line = json.loads(text) if text.endswith(b"\n") else None
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("n"), int) else None


def _bounded(value):
    """The value with texts of a bounded length, so that a line fits into a tail."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}..."
    if isinstance(value, dict):
        return {name: _bounded(each) for name, each in value.items()}
    return [_bounded(each) for each in value[:20]] if isinstance(value, (list, tuple)) else value
