"""The data directory of a database: exchanged by renames, given to the server's user, put back."""

import contextlib
import os
import shutil
from pathlib import Path

from datamover.disk import kernel
from datamover.host import documents, process
from hosttools import backups
from hosttools.commands import Command
from replicaplan.errors import RollbackIncomplete

DIRECTORY, FILE = 0o700, 0o660
# What says who a server was or whom it followed. A copy of it is somebody else.
IDENTITY = ("auto.cnf", "master.info", "relay-log.info", "multi-master.info", "grastate.dat", "gvwstate.dat")
RELAY_LOGS = ("*relay-bin.*", "master-*.info", "relay-log-*.info", "*-relay-bin.index")


def exchange(datadir, prepared, kept):
    """The old data gets the name `kept`, the prepared one the name of the old. Neither rename can replace anything."""
    if os.path.lexists(datadir):
        rename(datadir, kept)
    rename(prepared, datadir)


def put_back(datadir, prepared, kept, old, new):
    """Undo an exchange, however far it came; `old` and `new` are (device, inode) of the two directories."""
    if _is(datadir, new):
        rename(datadir, prepared)
    if old and _is(kept, old):
        rename(kept, datadir)
    if old and not _is(datadir, old):
        raise RollbackIncomplete(f"{datadir} is not the data that was there before; look for it in {kept}.")


def rename(source, target):
    """Rename durably; FileExistsError if the target is there."""
    one, other = (os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY) for path in (source, target))
    try:
        names = os.fsencode(os.path.basename(source)), os.fsencode(os.path.basename(target))
        kernel.rename(one, names[0], other, names[1], kernel.RENAME_NOREPLACE)
    finally:
        os.close(one)
        os.close(other)
    for path in {os.path.dirname(source), os.path.dirname(target)}:
        documents.flush_directory(path)


def identity(path):
    """(device, inode) of a directory as a list, as a document keeps it; None if it is not there."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return [found.st_dev, found.st_ino]


def _is(path, wanted):
    return identity(path) == list(wanted)


def fit_for(directory, owner):
    """Remove what belongs to the server that was backed up, and give all the rest to this host's server."""
    for name in IDENTITY:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))
    for pattern in RELAY_LOGS:
        for path in Path(directory).glob(pattern):
            path.unlink()
    _give(directory, owner)
    _relabel(directory)


def _give(directory, owner):
    """Below a directory that nobody else may write in, so nothing can be exchanged for a link meanwhile."""
    for place, _, names in os.walk(directory):
        os.chmod(place, DIRECTORY)
        for name in names:
            path = os.path.join(place, name)
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
            if not os.path.islink(path):
                os.chmod(path, FILE)
        if place != directory:
            os.chown(place, owner.pw_uid, owner.pw_gid)
    os.chown(directory, owner.pw_uid, owner.pw_gid)


def _relabel(directory):
    """Where SELinux rules, the labels that the policy wants below the new name."""
    if os.path.isdir("/sys/fs/selinux/booleans"):
        process.run(Command(("restorecon", "-R", "--", directory), ok=None), 3600.0)


def moved_in(directory):
    """Info files of the backup leave a directory in which a server is to run; returns {name: text}."""
    found = {}
    for name in backups.FILES:
        path = Path(directory, name)
        if path.is_file():
            found[name] = path.read_text("utf-8", "replace")
    return found


def size_of(directory):
    """(bytes, files) below a directory."""
    sizes = [
        os.lstat(os.path.join(place, name)).st_blocks * 512 for place, _, names in os.walk(directory) for name in names
    ]
    return sum(sizes), len(sizes)


def remove(directory):
    """Remove an old data directory, whole."""
    shutil.rmtree(directory)
    documents.flush_directory(os.path.dirname(directory))
