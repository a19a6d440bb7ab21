"""The data directory of a database: exchanged by renames, given to the server's user, put back."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from datamover.disk import kernel, mounts
from datamover.host import documents, process
from hosttools.commands import Command
from replicaplan.errors import ReplicaRefused, RollbackIncomplete

from .traces import servers_in

DIRECTORY, FILE = 0o700, 0o660
ENTERED_BY_OTHERS = 0o755
SELINUX = "/sys/fs/selinux/booleans"
# What says who a server was or whom it followed. A copy of it is somebody else.
IDENTITY = ("auto.cnf", "master.info", "relay-log.info", "multi-master.info", "grastate.dat", "gvwstate.dat")
RELAY_LOGS = ("*relay-bin.*", "master-*.info", "relay-log-*.info", "*-relay-bin.index")


def exchange(datadir, prepared, kept):
    """The old data gets the name `kept`, the prepared one the name of the old. Neither rename can replace anything."""
    if os.path.lexists(datadir):
        rename(datadir, kept)
    rename(prepared, datadir)


def put_back(datadir, prepared, kept, old, new):
    """Undo an exchange, however far it came; `old` and `new` are the identities of the two directories."""
    told = _move_away(datadir, prepared) if _is(datadir, new) else None
    if old and _is(kept, old):
        _check_left(kept)
        _check_free(datadir, kept)
        rename(kept, datadir)
    if old and not _is(datadir, old):
        raise RollbackIncomplete(f"{datadir} is not the data that was there before; look for it in {kept}.")
    return told


def _move_away(datadir, prepared):
    """The new data gets its former name, or one beside that where somebody has taken it."""
    _check_left(datadir)
    place = f"{prepared}-{secrets.token_hex(2)}" if os.path.lexists(prepared) else prepared
    rename(datadir, place)
    return None if place == prepared else f"The new data is in {place}, because {prepared} is taken by something else."


def _check_left(directory):
    """A directory that gets another name takes the server that works in it along."""
    pids = servers_in(directory)
    if pids:
        numbers = ", ".join(map(str, pids))
        raise RollbackIncomplete(f"The unit was stopped, but a server works on in {directory}: process {numbers}.")


def _check_free(datadir, kept):
    if os.path.lexists(datadir):
        raise RollbackIncomplete(f"{datadir} is neither the old data nor the new: move it away, {kept} belongs there.")


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
    """By what a directory is known again after a rename and a boot, as a document keeps it; None if it is not there.

    Its inode: the number of its device may be another after a boot.
    """
    try:
        return os.stat(path, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return None


def _is(path, wanted):
    """Whether it is this one, and no file system that somebody mounted there."""
    return identity(path) == wanted and not os.path.ismount(path)


def fit_for(directory, owner, mode=DIRECTORY):
    """Remove what belongs to the server that was backed up, and give all the rest to this host's server."""
    for name in IDENTITY:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))
    for pattern in RELAY_LOGS:
        for path in Path(directory).glob(pattern):
            path.unlink()
    _give(directory, owner)
    os.chmod(directory, mode)


def mode_of(directory):
    """Who may enter it: clients of a server whose socket lies in its data directory have to. Nobody else may write."""
    try:
        return DIRECTORY | os.stat(directory).st_mode & ENTERED_BY_OTHERS
    except FileNotFoundError:
        return DIRECTORY


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


def relabel(directory):
    """Where SELinux rules, the labels that its policy wants there: it goes by the path."""
    if os.path.isdir(SELINUX):
        process.run(Command(("restorecon", "-R", "--", directory), ok=None), 3600.0)


def size_of(directory):
    """(bytes, files) below a directory."""
    sizes = [
        os.lstat(os.path.join(place, name)).st_blocks * 512 for place, _, names in os.walk(directory) for name in names
    ]
    return sum(sizes), len(sizes)


def check_removable(directory):
    """ReplicaRefused while a server works in a directory of data, or something is mounted in it."""
    pids = servers_in(directory)
    if pids:
        raise ReplicaRefused([f"A server works in {directory}: process {', '.join(map(str, pids))}."])
    mounted = [os.fsdecode(point) for point in mounts.at_or_below(os.fsencode(os.path.realpath(directory)))]
    if mounted:
        what = f"{', '.join(mounted)} is mounted in {directory}, and would be emptied with it"
        raise ReplicaRefused([f"{what}: unmount it first. Nothing was removed."])


def remove(directory):
    """Remove a directory of data, whole; ReplicaRefused where it is in use."""
    check_removable(directory)
    shutil.rmtree(directory)
    documents.flush_directory(os.path.dirname(directory))
