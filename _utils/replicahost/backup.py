"""A backup that has arrived in a directory: what it says of itself, made consistent, checked."""

import os
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from datamover.host import documents, process
from hosttools import backups
from hosttools.commands import ANY, Command, words
from replicaplan.errors import BackupUnfit, PrepareFailed

from .server import find_tool

TOLD = 1500
SMALLEST_MEMORY = 32 << 20
MEMORY_SHARE, MOST_MEMORY = 4, 8 << 30
CHECK_PATIENCE = 24 * 3600.0


@dataclass(frozen=True)
class Backup:
    """A backup by its directory, and what its files say."""

    path: str
    info: dict
    checkpoints: dict
    coordinates: backups.Coordinates
    upstream: backups.Coordinates
    channels: int

    @property
    def prepared(self):
        return self.checkpoints.get("backup_type") in backups.PREPARED

    @property
    def complete(self):
        """Whether the tool came to its end: it writes the time of that last."""
        return bool(self.info.get("end_time"))

    @property
    def version(self):
        return self.info.get("server_version", "")

    @property
    def schemas(self):
        """The directories in it that are schemas, in the server's own encoding of names."""
        return sorted(entry.name for entry in os.scandir(self.path) if entry.is_dir() and entry.name not in SYSTEM)

    def as_dict(self):
        return {
            "path": self.path,
            "complete": self.complete,
            "prepared": self.prepared,
            "type": self.checkpoints.get("backup_type", ""),
            "tool": self.info.get("tool_name", ""),
            "tool_version": self.info.get("tool_version", ""),
            "server_version": self.version,
            "start_time": self.info.get("start_time", ""),
            "end_time": self.info.get("end_time", ""),
            "from_lsn": int(self.checkpoints.get("from_lsn", 0)),
            "to_lsn": int(self.checkpoints.get("to_lsn", 0)),
            "coordinates": self.coordinates.as_dict(),
            "upstream": self.upstream.as_dict(),
            "channels": self.channels,
            "schemas": self.schemas,
        }


LIMITS = ("partial", "compressed", "encrypted")
SYSTEM = ("mysql", "performance_schema", "sys", "lost+found", "#innodb_redo", "#innodb_temp")


def read(path):
    """The backup in a directory; BackupUnfit says what is missing."""
    if not os.path.isabs(path):
        raise BackupUnfit(f"{path!r} is no absolute path: it has to begin with a slash.")
    if os.path.islink(path) or not os.path.isdir(path):
        raise BackupUnfit(f"{path} is no directory.")
    texts = {kind: _first_of(path, names) for kind, names in NAMES.items()}
    if not texts["info"] or not texts["checkpoints"]:
        raise BackupUnfit(
            f"{path} holds no backup by mariabackup or XtraBackup: "
            f"{' or '.join(backups.INFO)} and {' or '.join(backups.CHECKPOINTS)} have to be in it."
        )
    return Backup(
        path,
        backups.pairs(texts["info"]),
        backups.pairs(texts["checkpoints"]),
        backups.binlog(texts["binlog"]),
        backups.replica(texts["replica"]),
        backups.channels(texts["replica"]),
    )


NAMES = {
    "info": backups.INFO, "checkpoints": backups.CHECKPOINTS, "binlog": backups.BINLOG, "replica": backups.REPLICA,
}


def _first_of(path, names):
    for name in names:
        place = Path(path, name)
        if place.is_file() and not place.is_symlink():
            return place.read_text("utf-8", "replace")
    return ""


def check_whole(backup):
    """BackupUnfit unless the tool came to its end and the backup is a full one."""
    if not backup.complete:
        raise BackupUnfit(f"{backup.path} is incomplete: its info file has no end_time. Take a new backup.")
    kind = backup.checkpoints.get("backup_type", "")
    if kind not in (*backups.FULL, *backups.PREPARED):
        raise BackupUnfit(f"{backup.path} is {kind or 'of no known type'}; only full backups can be prepared here.")
    limits = [name for name in LIMITS if backup.info.get(name, "") not in ("", "N")]
    if limits:
        raise BackupUnfit(
            f"{backup.path} is {' and '.join(limits)}, which is not prepared here. If nobody asked for that, look "
            "for it in the donor's configuration, in the groups of the backup tool, and take a new backup."
        )


def prepare(path, memory=0, open_files=1_000_000):
    """Make a backup consistent; True if it was not before. Once begun it is either prepared or of no use."""
    backup = read(path)
    check_whole(backup)
    if backup.prepared:
        return False
    begun = Path(path, BEGUN)
    if begun.exists():
        raise BackupUnfit(f"{path} was being prepared when that was interrupted: it may be neither. Take a new backup.")
    _check_same_series(backup)
    begun.touch(0o600)
    documents.flush_directory(path)
    _run_prepare(path, memory or default_memory(), open_files)
    if not read(path).prepared:
        raise PrepareFailed(f"{path} is not prepared though the tool said so: look at its checkpoints file.")
    begun.unlink()
    documents.flush_directory(path)
    return True


BEGUN = ".salt-transfer-preparing"


def _check_same_series(backup):
    """The format of the redo log belongs to a series: another one may read it wrongly."""
    tool = find_tool(backups.TOOLS, "backup tool")
    result = process.run(Command((tool, "--version"), ok=ANY))
    said = (result.stdout + result.stderr).decode("utf-8", "replace")
    own = next((word for word in said.split() if backups.series(word) != (0, 0)), "")
    if backup.version and backups.series(own) != backups.series(backup.version):
        raise BackupUnfit(
            f"{backup.path} is of a server {backup.version}, and {tool} here is {own or 'of no known version'}: "
            "prepare it with the tool of the same series."
        )


def default_memory():
    """A quarter of what is free now: a server on the same host must not lose its own."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return max(SMALLEST_MEMORY, min(MOST_MEMORY, int(line.split()[1]) * 1024 // MEMORY_SHARE))
    return SMALLEST_MEMORY


def _run_prepare(path, memory, open_files):
    tool = find_tool(backups.TOOLS, "backup tool")
    command = backups.prepare(tool, path, memory, _allowed(open_files))
    with tempfile.TemporaryFile() as said:
        status = subprocess.run(
            command.argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=process.ENVIRONMENT, cwd="/",
            check=False,
        ).returncode
        said.seek(max(0, said.seek(0, os.SEEK_END) - 65536))
        words_said = said.read()
    lines = words_said.strip().splitlines()
    if status != 0 or not lines or not lines[-1].endswith(backups.COMPLETED):
        last = words_said.decode("utf-8", "replace").strip()[-TOLD:]
        raise PrepareFailed(f"{path} could not be prepared: `{tool} --prepare` ended with status {status}: {last}")


def _allowed(open_files):
    """As many as asked, if the kernel lets us have so many; root in a container may not raise its own limit."""
    wanted = min(open_files, int(Path("/proc/sys/fs/nr_open").read_text()))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    tried = process.run(Command(("prlimit", f"--nofile={wanted}:{wanted}", "true"), ok=ANY))
    return wanted if tried.status == 0 else min(wanted, hard)


def verify(path):
    """Read all data files and compare the checksums of their pages; {"files", "bad": [{path, words}], "unread"}."""
    backup = read(path)
    check_whole(backup)
    tool = find_tool(("innochecksum",), "checker of data files")
    bad, files = [], 0
    for place in sorted(Path(path).rglob("*.ibd")):
        files += 1
        result = process.run(Command((tool, str(place)), ok=ANY), CHECK_PATIENCE)
        if result.status != 0:
            bad.append({"path": str(place.relative_to(path)), "words": words(result)[:300]})
    return {"files": files, "bad": bad}
