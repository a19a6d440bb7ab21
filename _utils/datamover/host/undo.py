"""The undo log: what must be undone is on disk before the change is made, so whoever comes later can undo it.

One JSON document per line. A change is {"seq", "what", "with"}; when it is undone, {"seq", "done": true} follows. A
line that was torn by a crash belongs to a change that was not begun, because the change waits for the flush.
"""
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from .documents import flush_directory

KEPT = object()


@dataclass(frozen=True)
class Change:
    """One registered change: `what` names who can undo it, `details` are the arguments for that."""

    seq: int
    what: str
    details: dict


class UndoLog:
    """The log in the file `path`, which is made by the first registration."""

    def __init__(self, path):
        self._path = Path(path)
        self._writing = threading.Lock()

    def register(self, what, **details):
        """Flush to disk how to undo a change that the caller is about to make; returns its number."""
        with self._writing:
            seq = 1 + max((line["seq"] for line in self._lines()), default=0)
            self._append({"seq": seq, "what": what, "with": details})
        return seq

    def done(self, seq):
        """Note that change `seq` is undone."""
        with self._writing:
            self._append({"seq": seq, "done": True})

    def pending(self):
        """The changes that are not undone, the newest first."""
        changes = {}
        for line in self._lines():
            if line.get("done"):
                changes.pop(line["seq"], None)
            else:
                changes[line["seq"]] = Change(line["seq"], line["what"], line["with"])
        return sorted(changes.values(), key=lambda change: -change.seq)

    def run(self, handlers):
        """Undo everything pending with `handlers` {what: callable(**details)}; returns sentences about what failed.

        A handler that fails leaves its change pending, as does one that returns KEPT because it was asked to leave the
        thing where it is; the others still get their turn.
        """
        return [trouble for change in self.pending() if (trouble := self._undo(change, handlers))]

    def _undo(self, change, handlers):
        try:
            if handlers[change.what](**change.details) is not KEPT:
                self.done(change.seq)
        except Exception as error:  # whatever it is, the other changes must be undone too
            return f"could not undo {change.what} ({self._path}, number {change.seq}): {error!r}"
        return None

    def _lines(self):
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        return [document for line in content.splitlines() if (document := _document(line))]

    def _append(self, document):
        new = not self._path.exists()
        with open(self._path, "ab", opener=_private) as file:
            # The line break comes first too: a torn line must not swallow this one.
            file.write(b"\n" + json.dumps(document).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            flush_directory(self._path.parent)


def _private(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _document(line):
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) and "seq" in document else None
