"""Which types of transfer are streams, and what that makes of the other options.

A stream is read once and held nowhere: it is proved in flight, nothing of it is kept when it breaks, and it goes to a
place where nothing is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from . import paths
from .errors import BadPlace
from .options import COMMAND, Settings

FILE, BACKUP, ARCHIVE = "file", "xtrabackup", "decompress"
SUFFIXES = {".tar.gz": "gz", ".tgz": "gz", ".tar.xz": "xz", ".txz": "xz", ".tar.zst": "zst", ".tzst": "zst"}
FITTED: dict[str, Any] = {
    "verify": "flight",
    "keep_partial": 0,
    "update": False,
    "overwrite": False,
    "delete": False,
    "include": (),
    "exclude": (),
}
OF_STREAMS = frozenset({"verify", "keep_partial"})
"""What is chosen for a stream, and not for the tree that it became."""


def is_stream(asked: Settings) -> bool:
    return asked.type != FILE


def becomes(asked: Settings) -> str:
    """The kind of what stands at the destination when a stream has arrived."""
    return "file" if asked.keep_stream else "directory"


def fitted(asked: Settings) -> Settings:
    """The settings of a stream, whatever a configuration says for files; what the command line says is refused."""
    if not is_stream(asked):
        return asked
    return replace(asked, **{name: value for name, value in FITTED.items() if asked.origins.get(name) != COMMAND})


def contradictions(asked: Settings) -> Iterator[str]:
    """What is wrong with the options of a stream, or with those of streams where there is none."""
    own = {
        "stop_replication": (asked.stop_replication, BACKUP),
        "keep_stream": (asked.keep_stream, BACKUP),
        "parallel": (asked.parallel != "auto", BACKUP),
        "backup_tool": (asked.backup_tool != "auto", BACKUP),
        "expect": (asked.expect != "nothing", ARCHIVE),
    }
    for name, (given, type_) in own.items():
        if given and asked.type != type_:
            yield f"{name} is only for type={type_}"
    if is_stream(asked):
        yield from _unfit(asked)


def _unfit(asked: Settings) -> Iterator[str]:
    wrong = [name for name, value in FITTED.items() if getattr(asked, name) != value]
    for name in wrong:
        yield (
            f"{name} is not for type={asked.type}: a stream is proved in flight, goes as a whole to a place where "
            "nothing is, and cannot be gone on with"
        )


def final_name(asked: Settings, source: bytes) -> bytes:
    """The name that is appended to a destination that ends in a slash; BadPlace where there is none."""
    name = paths.basename(source)
    if asked.type == BACKUP:
        raise BadPlace("dst of type=xtrabackup is the directory that the backup shall be: write it without the slash")
    if asked.type == ARCHIVE:
        return name[: len(name) - len(suffix_of(name))]
    return name


def suffix_of(name: bytes) -> str:
    """The end of a name that says which archive it is; empty if none does."""
    text = name.decode("utf-8", "surrogateescape")
    return next((suffix for suffix in SUFFIXES if text.endswith(suffix)), "")
