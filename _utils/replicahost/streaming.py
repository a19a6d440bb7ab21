"""Takes a backup of this host's database into a directory of this host: the tool, its unpacker, what proves them."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

from datamover.disk import kernel
from datamover.host import documents, process
from hosttools import hotbackup
from replicaplan.errors import BackupUnfit, ReplicaRefused

from . import backup as backing
from . import datadir, server

TOLD = 1500
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
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as unpacked:
        with found.server.login() as (path, descriptors), _scratch(staging) as scratch:
            follows = bool(found.server.rows("SHOW ALL SLAVES STATUS"))
            argv = hotbackup.stream(tool, path, found.socket, found.datadir, scratch, parallel, follows)
            producer = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=process.ENVIRONMENT, cwd="/",
                pass_fds=descriptors,
            )
            with _ended(producer):
                consumer = subprocess.run(
                    hotbackup.unpack(unpacker, parallel), stdin=producer.stdout, stdout=unpacked, stderr=unpacked,
                    env=process.ENVIRONMENT, cwd=staging, check=False,
                )
                producer.stdout.close()
                producer.wait()
        _check(tool, producer.returncode, said)
        if consumer.returncode != 0:
            raise BackupUnfit(f"`{unpacker} -x` ended with status {consumer.returncode}: {_end_of(unpacked)}")


def _scratch(staging):
    """Where the tool keeps what is not in the stream."""
    return tempfile.TemporaryDirectory(prefix=STAGING, dir=os.path.dirname(staging))


@contextlib.contextmanager
def _ended(producer):
    """mariabackup takes no notice of SIGTERM: whatever happens here, it is ended by what it heeds."""
    try:
        yield
    finally:
        if producer.poll() is None:
            producer.send_signal(signal.SIGINT)
            try:
                producer.wait(10)
            except subprocess.TimeoutExpired:
                producer.kill()
                producer.wait()


def _check(tool, status, said):
    words = _end_of(said)
    if status != 0 or not hotbackup.said_completed(words.encode()):
        raise BackupUnfit(f"`{tool} --backup` ended with status {status}: {words}")


def _end_of(file):
    file.seek(max(0, file.seek(0, os.SEEK_END) - TOLD))
    return file.read().decode("utf-8", "replace").strip()


def _sync(directory):
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        kernel.syncfs(descriptor)
    finally:
        os.close(descriptor)
    documents.flush_directory(directory)
