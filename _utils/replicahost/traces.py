"""What files and processes tell of a server, whether it answers or not."""

import contextlib
import os
from pathlib import Path

import psutil

from . import backup

CHANNELS = ("master.info", "master-*.info")
PRIMARY_LINE = 3  # of such a file: how many lines it has, log file, position, then whom it follows
MOST = 65536
GALERA = "grastate.dat"
INNODB = ("ibdata", "ib_logfile", "undo", "aria_log")
SERVERS = ("mariadbd", "mysqld")
DELETED = " (deleted)"
TOLD = 5


def files(datadir):
    """{"schemas": how many, "channels": how many that name a primary, "galera", "elsewhere": what leads out of it}."""
    return {
        "schemas": len(backup.schemas_in(datadir)) if os.path.isdir(datadir) else 0,
        "channels": sum(1 for pattern in CHANNELS for path in Path(datadir).glob(pattern) if _names_a_primary(path)),
        "galera": Path(datadir, GALERA).exists(),
        "elsewhere": elsewhere(datadir),
    }


def _names_a_primary(path):
    """RESET SLAVE removes such a file; one that a power cut left empty says nothing."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        lines = file.read(MOST).splitlines()
        return len(lines) > PRIMARY_LINE and bool(lines[PRIMARY_LINE].strip())
    return False


def elsewhere(directory):
    """What leads to data outside of a data directory, the first few: links, and what InnoDB has instead of links."""
    top = _entries(directory)
    links = [each.name for each in top if each.is_symlink() and (each.is_dir() or each.name.startswith(INNODB))]
    inside = [
        f"{schema.name}/{each.name}"
        for schema in top
        if schema.is_dir(follow_symlinks=False)
        for each in _entries(schema.path)
        if each.is_symlink() or each.name.endswith(".isl")
    ]
    return sorted([*links, *inside])[:TOLD]


def _entries(directory):
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as found:
        return list(found)
    return []


def servers_in(datadir):
    """The processes of servers that work in a data directory, by whatever path, also after it was removed."""
    servers = [each.pid for each in psutil.process_iter(["name"]) if each.info["name"] in SERVERS]
    return sorted(pid for pid in servers if _works_in(pid, os.path.realpath(datadir)))


def _works_in(pid, datadir):
    place = f"/proc/{pid}/cwd"
    with contextlib.suppress(OSError):  # it has just ended, or the directory is not there
        return os.readlink(place).removesuffix(DELETED) == datadir or os.path.samefile(place, datadir)
    return False
