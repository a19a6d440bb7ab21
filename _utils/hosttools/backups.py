"""What a backup by mariabackup or XtraBackup says of itself, and how it is prepared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .commands import ANY, Command

# Names until MariaDB 11.0 and of Percona's, then those since 11.1.
INFO = ("xtrabackup_info", "mariadb_backup_info")
BINLOG = ("xtrabackup_binlog_info", "mariadb_backup_binlog_info")
REPLICA = ("xtrabackup_slave_info", "mariadb_backup_slave_info")
CHECKPOINTS = ("xtrabackup_checkpoints", "mariadb_backup_checkpoints")
FILES = (*INFO, *BINLOG, *REPLICA, *CHECKPOINTS)
COMPLETED = b"completed OK!"
FULL, PREPARED, INCREMENTAL = ("full-backuped", "full-prepared"), ("log-applied", "full-prepared"), "incremental"

_GTID_SET = re.compile(r"[0-9A-Fa-f:,\- \n]*")


@dataclass(frozen=True)
class Coordinates:
    """A place in somebody's binary log: by file and position, and by GTID where the server knows it."""

    file: str = ""
    position: int = 0
    gtid: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"file": self.file, "position": self.position, "gtid": self.gtid}


def pairs(text: str) -> dict[str, str]:
    """The lines `name = value` of an info or checkpoints file."""
    found = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in found}


def binlog(text: str) -> Coordinates:
    """Where the server that was backed up was in its own binary log: file, position, and since GTIDs a third field."""
    file, position, gtid = [*text.strip("\n").split("\t"), "", "", ""][:3]
    return Coordinates(file, int(position or 0), gtid.strip()) if position.isdigit() else Coordinates()


def replica(text: str) -> Coordinates:
    """Where a replica that was backed up was in its primary's log: from the statement that the tool wrote."""
    gtid = re.search(r"(?:gtid_slave_pos|gtid_purged)\s*=\s*'([^']*)'", text, re.IGNORECASE)
    file = re.search(r"(?:MASTER|SOURCE)_LOG_FILE\s*=\s*'([^']*)'", text, re.IGNORECASE)
    position = re.search(r"(?:MASTER|SOURCE)_LOG_POS\s*=\s*(\d+)", text, re.IGNORECASE)
    return Coordinates(file[1] if file else "", int(position[1]) if position else 0, gtid[1] if gtid else "")


def channels(text: str) -> int:
    """How many primaries the statements of a replica's info file name."""
    return len(re.findall(r"CHANGE (?:MASTER|REPLICATION SOURCE)", text, re.IGNORECASE))


def is_gtid(text: str) -> bool:
    """Whether this can be a GTID position, and nothing else."""
    return bool(text) and _GTID_SET.fullmatch(text) is not None


def prepare(tool: str, directory: str, memory: int, open_files: int) -> Command:
    """The call that makes a backup consistent, within so much memory and with so many files open."""
    limit = ("prlimit", f"--nofile={open_files}:{open_files}")
    return Command((*limit, tool, "--prepare", f"--target-dir={directory}", f"--use-memory={memory}"), ok=ANY)


def series(version: str) -> tuple[int, int]:
    """Major and minor of a version such as 10.11.19-MariaDB-log; (0, 0) if it is none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def numbers(version: str) -> tuple[int, ...]:
    """(10, 11, 19) of 10.11.19-MariaDB-log; what is no version is before all of them."""
    found = re.match(r"\d+(\.\d+)+", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def vendor(version: str, comment: str = "") -> str:
    """Whose server this is: mariadb, percona or mysql."""
    words = f"{version} {comment}".lower()
    return next((name for name in ("mariadb", "percona") if name in words), "mysql")


def option_table(printed: str) -> dict[str, str]:
    """The variables in what `mariadbd --verbose --help` prints: what the server would run with, though it does not."""
    table = printed.partition("\nVariables (--variable-name=value)")[2].partition("\n---")[2]
    found = re.findall(r"^([a-z][a-z0-9-]*) +(\S.*)$", table, re.MULTILINE)
    return {name.replace("-", "_"): "" if value == "(No default value)" else value.strip() for name, value in found}
