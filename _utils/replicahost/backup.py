"""A backup that has arrived in a directory: what it says of itself, made consistent, checked."""

import os
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path

from datamover.host import children, documents, process
from hosttools import backups, hotbackup
from hosttools.commands import ANY, Command, words
from replicaplan import memory
from replicaplan.errors import BackupUnfit, PrepareFailed

from .claims import claimed
from .server import find_tool

TOLD = 1500
LOOK = 3600.0
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
        return schemas_in(self.path)

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
SYSTEM = ("mysql", "performance_schema", "sys", "lost+found")
NO_SCHEMA = ("#", ".")
"""With what the names of other directories begin, such as #innodb_redo or .rocksdb; of schemas these are encoded."""


def schemas_in(directory):
    """The directories in one that are schemas of users, in the server's own encoding of names."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    return sorted(name for name in names if name not in SYSTEM and not name.startswith(NO_SCHEMA))


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


def prepare(path, size=0, open_files=1_000_000):
    """Make a backup consistent; True if it was not before. Once begun it is either prepared or of no use."""
    read(path)
    with claimed(path):
        return _prepare(path, size, open_files)


def _prepare(path, size, open_files):
    backup = read(path)
    check_whole(backup)
    if backup.prepared:
        return False
    begun = Path(path, BEGUN)
    if begun.exists():
        raise BackupUnfit(f"{path} was being prepared when that was interrupted: it may be neither. Take a new backup.")
    _check_tool(backup)
    begun.touch(0o600)
    documents.flush_directory(path)
    _run_prepare(path, size or default_memory(), open_files)
    if not read(path).prepared:
        raise PrepareFailed(f"{path} is not prepared though the tool said so: look at its checkpoints file.")
    begun.unlink()
    documents.flush_directory(path)
    return True


BEGUN = ".salt-transfer-preparing"


def _check_tool(backup):
    """The format of the redo log belongs to a series, and an older tool of it may not know all of that."""
    tool = find_tool(hotbackup.NAMES, "backup tool")
    result = process.run(Command((tool, "--version"), ok=ANY))
    said = (result.stdout + result.stderr).decode("utf-8", "replace")
    own = hotbackup.version_in(said)
    if not backup.version:
        return
    whose = f"{backup.path} is of a server {backup.version}, and {tool} here is {own or 'of no known version'}"
    if backups.series(own) != backups.series(backup.version):
        raise BackupUnfit(f"{whose}: prepare it with the tool of the same series.")
    if backups.numbers(own) < backups.numbers(backup.version):
        raise BackupUnfit(f"{whose}: prepare it with a tool that is not older.")


def default_memory():
    """A quarter of what is available: on this host now, and to the unit in which we run at most."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return memory.usual(int(line.split()[1]) * 1024, _limits())
    return memory.SMALLEST


def _limits(own=Path("/proc/self/cgroup"), tree=Path("/sys/fs/cgroup")):
    """What the control groups permit in which this process is."""
    unified = [line[3:].strip("/") for line in own.read_text().splitlines() if line.startswith("0::")]
    for place in unified:
        for group in (tree / place, *(tree / place).parents):
            limit = group / "memory.max"
            if limit.is_file() and (words := limit.read_text().strip()).isdigit():
                yield int(words)
            if group == tree:
                break


def _run_prepare(path, size, open_files):
    tool = find_tool(hotbackup.NAMES, "backup tool")
    command = backups.prepare(tool, path, size, _allowed(open_files))
    with tempfile.TemporaryDirectory() as notes:
        said = os.path.join(notes, "said")
        child = children.Child(command.argv, said)
        try:
            while not child.ends_within(LOOK):
                pass
        finally:
            child.end()
        words_said = children.tail(said)
    if child.status != 0 or not hotbackup.said_completed(words_said):
        last = words_said.decode("utf-8", "replace").strip()[-TOLD:]
        raise PrepareFailed(f"{path} could not be prepared: `{tool} --prepare` {children.ended(child.status)}: {last}")


def _allowed(open_files):
    """As many as asked, if the kernel lets us have so many; root in a container may not raise its own limit."""
    wanted = min(open_files, int(Path("/proc/sys/fs/nr_open").read_text()))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    tried = process.run(Command(("prlimit", f"--nofile={wanted}:{wanted}", "true"), ok=ANY))
    return wanted if tried.status == 0 else min(wanted, hard)


def verify(path):
    """Read all data files and compare the checksums of their pages; {"files", "bad": [{path, words}]}."""
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
