"""Logs outside of the data directory: moved aside with the old data, and back with it.

They get a directory of their own where they are, so that no rename leaves its file system. Files are known by their
name and inode: whoever takes it back finds those that were there before, however far the renames came.
"""

import contextlib
import os
import stat
from dataclasses import asdict
from pathlib import Path

import psutil

from datamover.disk import kernel, mounts
from datamover.host import documents
from replicaplan import logs
from replicaplan.errors import RollbackIncomplete, ServiceFailed

from .traces import SERVERS, servers_in

PRIVATE = 0o700
MAY_WRITE = 0o3
CHANNELS = "master-*.info"


def of(found):
    """The logs of this host's database that its data directory does not hold."""
    channels = [path.stem.partition("-")[2] for path in sorted(Path(found.datadir).glob(CHANNELS))]
    return logs.outside(found.options, found.datadir, channels)


def look(found):
    """What `replica.info` tells of them, as documents."""
    return [_told(log, found) for log in of(found)]


def _told(log, found):
    """A server that runs has shown that it may write there."""
    files = _files(log)
    return {
        "kind": log.kind, "base": log.base, "files": len(files),
        "bytes": sum(each.st_size for each in files.values()),
        "directory_exists": os.path.isdir(log.directory),
        "directory_is": os.path.realpath(log.directory),
        "writable": os.access(log.directory, os.W_OK) and (found.running or _may_write(log.directory, found.owner)),
        "strange": sorted({name for name, each in files.items() if not _is_of(each, found.owner)} | _mounted(log)),
        "open_by": sorted({*_open_by(files)} - {*servers_in(found.datadir), found.unit.pid}),
    }


def _files(log, directory=None):
    """{name: what lstat says} of what belongs to a log where the server has it, or in another directory."""
    try:
        with os.scandir(directory or log.directory) as entries:
            return {each.name: each.stat(follow_symlinks=False) for each in entries if log.holds(each.name)}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _may_write(directory, owner):
    """Whether the user that a server runs as can make files there."""
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(directory)
        if owner.pw_uid in (0, found.st_uid):
            return owner.pw_uid == 0 or found.st_mode >> 6 & MAY_WRITE == MAY_WRITE
        groups = os.getgrouplist(owner.pw_name, owner.pw_gid)
        return found.st_mode >> (3 if found.st_gid in groups else 0) & MAY_WRITE == MAY_WRITE
    return False


def _is_of(file, owner):
    """Whether it is a plain file of the server's user."""
    return stat.S_ISREG(file.st_mode) and file.st_uid == owner.pw_uid


def _mounted(log):
    """What no rename moves."""
    there = (os.path.split(os.fsdecode(path)) for path in mounts.at_or_below(os.fsencode(log.directory)))
    return {name for directory, name in there if directory == log.directory and log.holds(name)}


def _open_by(files, programs=None):
    """The processes, of these programs alone if any are named, that have one of these files open."""
    wanted = {(each.st_dev, each.st_ino) for each in files.values()}
    for process in psutil.process_iter(["name"]) if wanted else ():
        if (programs is None or process.info["name"] in programs) and _opens(process.pid, set(files), wanted):
            yield process.pid


def _opens(pid, names, wanted):
    """A look at the name first: to ask a file of a server that is away what it is may never end."""
    with contextlib.suppress(OSError):  # it has just ended
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):  # it was just closed
                place = f"/proc/{pid}/fd/{number}"
                if os.path.basename(os.readlink(place)) in names:
                    opened = os.stat(place)
                    if (opened.st_dev, opened.st_ino) in wanted:
                        return True
    return False


def move_aside(hold, found, ending, host):
    """Register how to undo it, then give the old logs a directory of their own, whose name has this ending."""
    _check_alone(found, host)
    moving = [(log, {"kept": log.base + ending, "old": _inodes(_files(log))}) for log in of(found)]
    for log, places in moving:
        hold.undo.register("logs", **asdict(log), **places)
        hold.undo.register("new_logs", **asdict(log), **places)
    hold.note(kept_logs=[places["kept"] for _, places in moving])
    for log, places in moving:
        _aside(log, places["kept"], places["old"])


def _check_alone(found, host):
    """Once more, now that the server is down: nobody else may write into what is moved."""
    against = logs.against_files(look(found), found.owner.pw_name, host)
    if against:
        raise ServiceFailed(f"{found.unit.name} was stopped, but its data was not touched: {' '.join(against)}")


def _inodes(files):
    return {name: each.st_ino for name, each in files.items()}


def _aside(log, kept, names):
    with _opened(log.directory) as here:
        os.mkdir(os.path.basename(kept), PRIVATE, dir_fd=here)
        with _opened(os.path.basename(kept), here) as there:
            _rename(here, there, names)


def _rename(source, target, names):
    """Durably, from one directory to another; FileExistsError if one is there."""
    for name in map(os.fsencode, names):
        kernel.rename(source, name, target, name, kernel.RENAME_NOREPLACE)
    os.fsync(target)
    os.fsync(source)


@contextlib.contextmanager
def _opened(path, parent=None):
    """A directory itself: in one that belongs to the server's user, its name may lead elsewhere meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove_new(kind, base, channels, kept, old):
    """Undo what the new server has logged: nothing of that is to be taken for the old logs when they are back."""
    log = logs.Log(kind, base, tuple(channels))
    if not _is_aside(log, kept, old):
        return
    files = {name: each for name, each in _files(log).items() if each.st_ino != old.get(name)}
    pids = sorted(_open_by(files, SERVERS))
    if pids:
        named = ", ".join(map(str, pids))
        raise RollbackIncomplete(f"The unit was stopped, but a server still writes {base}.*: process {named}.")
    if files:
        with _opened(log.directory) as here:
            for name in files:
                os.unlink(name, dir_fd=here)
            os.fsync(here)


def put_back(kind, base, channels, kept, old):
    """Undo a moving aside, however far it came; `old` has the inodes of the old files by their names."""
    log = logs.Log(kind, base, tuple(channels))
    if not _is_aside(log, kept, old):
        return None
    here, aside = _inodes(_files(log)), _inodes(_files(log, kept))
    missing = [name for name, inode in old.items() if inode not in (here.get(name), aside.get(name))]
    if missing:
        raise RollbackIncomplete(
            f"{missing[0]} of the old {kind} is neither in {log.directory} nor in {kept}: look for it, put it there."
        )
    with _opened(log.directory) as target:
        with _opened(os.path.basename(kept), target) as source:
            _rename(source, target, [name for name, inode in old.items() if here.get(name) != inode])
        return _emptied(kept)


def _is_aside(log, kept, old):
    """Whether the old logs are away. Once they are back, their directory goes last: the old server may have run since,
    have logged more and purged some.
    """
    here = _inodes(_files(log))
    return os.path.lexists(kept) or bool(old) and not any(here.get(name) == inode for name, inode in old.items())


def _emptied(kept):
    """It has to have another name at least."""
    try:
        os.rmdir(kept)
    except OSError:
        rest = f"{kept}-rest"
        os.rename(kept, rest)
        return f"The old logs are back; what else somebody has put to them is in {rest}."
    finally:
        documents.flush_directory(os.path.dirname(kept))
    return None
