"""A hot backup as a stream: which tool makes it, how it is called, what it has to say in the end; and its unpacker.

mariabackup (mariadb-backup by its newer name) and Percona's xtrabackup have one interface as far as this goes. Where
they log in stands in a file that only root can read.
"""

from __future__ import annotations

import re
from typing import Any

from . import backups
from .commands import ANY, Command, Program

UNPACKERS = {"mariadb": "mbstream", "percona": "xbstream", "mysql": "xbstream"}
TOOLS = {
    "mariadb": ("mariadb-backup", "mariabackup"),
    "percona": ("xtrabackup",),
    "mysql": ("xtrabackup",),
}
NAMES = tuple(dict.fromkeys(name for names in TOOLS.values() for name in names))
_POSITION = re.compile(
    r"MySQL binlog position: filename '([^']*)', position '(\d+)'(?:, GTID of the last change '([^']*)')?"
)
_VERSION = re.compile(r"(?:based on MariaDB server|version) (\d+\.\d+\.\d+[^\s]*)")


def stream(tool: str, access: str, socket: str, datadir: str, scratch: str, parallel: int, slave_info: bool):
    """The command line that makes the backup on its standard output."""
    return (
        tool,
        f"--defaults-extra-file={access}",
        "--backup",
        "--skip-no-lock",  # whatever the server's own configuration says: without locks no coordinates are right
        "--stream=xbstream",
        f"--parallel={parallel}",
        f"--socket={socket}",
        f"--datadir={datadir}",
        f"--target-dir={scratch}",
        f"--tmpdir={scratch}",
        *(("--slave-info",) if slave_info else ()),
    )


def unpack(unpacker: str) -> tuple[str, ...]:
    """The command line that unpacks the stream on its standard input into the directory where it runs.

    With one thread: several take turns at one input, which costs mbstream three times as long (docs/decisions.md).
    """
    return (unpacker, "-x")


def versions(names: tuple[str, ...]) -> Program[dict[str, str]]:
    """Which of these tools are there, with their versions."""
    found = {}
    for name in names:
        result = yield Command((name, "--version"), ok=ANY)
        if result.status == 0:
            found[name] = version_in((result.stdout + result.stderr).decode("utf-8", "replace"))
    return found


def version_in(said: str) -> str:
    """The version that a tool tells of itself; empty if it tells none."""
    found = _VERSION.search(said)
    return found[1] if found else ""


def said_completed(said: bytes) -> bool:
    """Whether the last thing that a backup said is that it was completed; what it said earlier counts for nothing."""
    lines = [line for line in said.splitlines() if line.strip()]
    return bool(lines) and lines[-1].rstrip().endswith(backups.COMPLETED)


def position(said: bytes) -> dict[str, Any] | None:
    """The donor's own place in its binary log, as the backup told it; None without a binary log."""
    found = _POSITION.search(said.decode("utf-8", "replace"))
    return backups.Coordinates(found[1], int(found[2]), found[3] or "").as_dict() if found else None
