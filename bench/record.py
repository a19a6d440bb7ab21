"""What was measured, as one JSON document that is written after each row; what is there already is not done again."""

import json
import os
from pathlib import Path

from .errors import BenchError

FORMAT = 1
SAME = ("machine", "code", "scale", "runs", "destination")
"""What has to be as it was for an old row to stand beside a new one."""


class Record:
    """`path` None keeps it in memory. `fresh` begins anew whatever is there. `others` is what was not as it is now of
    what is there; then it is not gone on with either.
    """

    def __init__(self, path, about, fresh=False):
        self._path = path and Path(path)
        known = {} if fresh or not path else read(path)
        self.others = [name for name in SAME if known and known["about"].get(name) != about[name]]
        self.resumed = bool(known) and not self.others
        self.document = known if self.resumed else {"format": FORMAT, "about": about, "rows": {}}

    @property
    def rows(self):
        return self.document["rows"]

    def put(self, key, result):
        """Add a row, and write all."""
        self.rows[key] = result
        if self._path:
            write(self._path, json.dumps(self.document, indent=1, ensure_ascii=False) + "\n")


def read(path):
    """The document; empty if there is none that can be read."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return document if document.get("format") == FORMAT else {}


def to_show(path, command):
    """The document, to show it; BenchError if there is none that can be read."""
    document = read(path)
    if not document:
        raise BenchError(f"{path} is not there, or is no record: {command} --write-docs measures what it has to hold.")
    return document


def write(path, text):
    """At one stroke, so that a kill loses at most one row."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
