"""What an update will do to the existing tree, as a list on disk that can be carried out again from its beginning.

One JSON document per line, in a file of the staging directory; it is flushed before the first step is taken, so that
whoever comes after a crash can finish what was begun. Paths begin with the final name.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ..manifest import Entry, decode_entry, encode_entry
from .safepath import OPEN_FILE, decode_path, encode_path

NAME = b"steps"
CHANGES = b"changes"
"""The directory beside it that holds what is to be put in place, each thing under the name that its path gives it."""
NAME_LENGTH = 40
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def below(final_name, path):
    """The path of a step: that of an entry, with the final name before it."""
    return final_name + b"/" + path if path else final_name


def staged_name(path):
    """The name in CHANGES of what is to be put at the path of a step, the same in every attempt."""
    return hashlib.sha256(path).hexdigest()[:NAME_LENGTH].encode()


class Do(str, Enum):
    """DIRECTORY: make it. PUT: rename what is staged for it to it. LINK: make it a name of `first`. DELETE: if
    it is a directory only when it is empty. TEND: set the metadata that `entry` says.
    """

    DIRECTORY = "directory"
    PUT = "put"
    LINK = "link"
    DELETE = "delete"
    TEND = "tend"


@dataclass(frozen=True, slots=True)
class Step:
    """`new`: nothing stands there, and nothing may be replaced. `aside`: what stands there is moved away first."""

    do: Do
    path: bytes
    number: int = 0
    new: bool = False
    aside: bool = False
    first: bytes = b""
    entry: Entry | None = None

    @property
    def staged(self):
        return staged_name(self.path)

    def as_dict(self):
        told = {"do": self.do.value, "path": encode_path(self.path), "number": self.number}
        told |= {name: True for name in ("new", "aside") if getattr(self, name)}
        if self.first:
            told["first"] = encode_path(self.first)
        if self.entry:
            told["entry"] = base64.b64encode(encode_entry(self.entry)).decode()
        return told

    @classmethod
    def from_dict(cls, told):
        entry = told.get("entry")
        return cls(
            Do(told["do"]),
            decode_path(told["path"]),
            told["number"],
            told.get("new", False),
            told.get("aside", False),
            decode_path(told.get("first", "")),
            decode_entry(base64.b64decode(entry))[0] if entry else None,
        )


class Writer:
    """Appends steps; a context manager that flushes them to the disk at its end."""

    def __init__(self, directory):
        self._directory = directory
        self._file = open(os.open(NAME, _CREATE, 0o600, dir_fd=directory), "w", encoding="ascii")  # noqa: SIM115
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        os.fsync(self._directory)

    def add(self, step):
        self._file.write(json.dumps(step.as_dict(), separators=(",", ":")) + "\n")
        self.count += 1


def read(directory) -> Iterator[Step]:
    """The steps that a Writer left in a directory."""
    with open(os.open(NAME, OPEN_FILE, dir_fd=directory), encoding="ascii") as lines:
        for line in lines:
            yield Step.from_dict(json.loads(line))
