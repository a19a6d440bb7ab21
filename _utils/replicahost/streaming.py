"""Takes a backup of this host's database into a directory of this host: the tool, its unpacker, what proves them."""

import contextlib
import os
import shutil
import subprocess
import tempfile

from datamover.disk import kernel
from datamover.host import children, documents
from hosttools import hotbackup
from replicaplan.errors import BackupUnfit, ReplicaRefused

from . import backup as backing
from . import datadir, server

TOLD = 1500
LOOK = 3600.0
STAGING = ".salt-transfer-backup-"


def take(found, target, parallel):
    """The backup, under its final name. Whatever goes wrong, nothing is there."""
    _refuse(found, target)
    staging = tempfile.mkdtemp(prefix=STAGING, dir=os.path.dirname(os.path.normpath(target)))
    try:
        _stream(found, staging, parallel)
        backing.check_whole(backing.read(staging))
        _sync(staging)
        if os.path.isdir(target):
            os.rmdir(target)
        datadir.rename(staging, os.path.normpath(target))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return backing.read(target)


def _refuse(found, target):
    against = []
    if not found.running:
        against.append(f"No database answers at {found.socket}; only a running one can be backed up.")
    if not os.path.isabs(target):
        raise ReplicaRefused([*against, f"{target!r} is no absolute path: it has to begin with a slash."])
    if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target) or os.path.ismount(target)):
        against.append(f"{target} exists and is no empty directory: nothing is overwritten.")
    if not os.path.isdir(os.path.dirname(os.path.normpath(target))):
        against.append(f"The directory in which {target} would be is not there.")
    if against:
        raise ReplicaRefused(against)


def _stream(found, staging, parallel):
    """Both programs to their ends; what they say goes to files, because a full pipe would stop them."""
    tool = server.find_tool(hotbackup.TOOLS["mariadb"], "backup tool of MariaDB")
    unpacker = server.find_tool((hotbackup.UNPACKERS["mariadb"],), "unpacker of backups")
    with tempfile.TemporaryDirectory() as notes, found.server.login() as (path, descriptors):
        said, unpacked = os.path.join(notes, "said"), os.path.join(notes, "unpacked")
        with _scratch(staging) as scratch:
            follows = bool(found.server.rows("SHOW ALL SLAVES STATUS"))
            argv = hotbackup.stream(tool, path, found.socket, found.datadir, scratch, parallel, follows)
            producer, consumer = _run(argv, said, descriptors, hotbackup.unpack(unpacker), unpacked, staging)
        _check(tool, producer, said)
        if consumer != 0:
            raise BackupUnfit(f"`{unpacker} -x` {children.ended(consumer)}: {_end_of(unpacked)}")


def _run(argv, said, descriptors, unpack, unpacked, staging):
    """(status, status) of the two; whatever happens here, and to us, neither runs on."""
    with contextlib.ExitStack() as ends:
        producer = children.Child(argv, said, stdout=subprocess.PIPE, pass_fds=descriptors)
        ends.callback(producer.end)
        consumer = children.Child(unpack, unpacked, stdin=producer.stdout, directory=staging)
        ends.callback(consumer.end)
        producer.stdout.close()  # else it would not notice that nobody reads any more
        for child in (consumer, producer):
            while not child.ends_within(LOOK):
                pass
    return producer.status, consumer.status


def _scratch(staging):
    """Where the tool keeps what is not in the stream."""
    return tempfile.TemporaryDirectory(prefix=STAGING, dir=os.path.dirname(staging))


def _check(tool, status, said):
    words = _end_of(said)
    if status != 0 or not hotbackup.said_completed(words.encode()):
        raise BackupUnfit(f"`{tool} --backup` {children.ended(status)}: {words}")


def _end_of(path):
    return children.tail(path, TOLD).decode("utf-8", "replace").strip()


def _sync(directory):
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        kernel.syncfs(descriptor)
    finally:
        os.close(descriptor)
    documents.flush_directory(directory)
