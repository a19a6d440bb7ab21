"""A backup is in the hands of one alone: whoever prepares, installs or removes it has a lock on its directory."""

import contextlib
import fcntl
import os

from replicaplan.errors import ReplicaRefused


@contextlib.contextmanager
def claimed(path):
    """Hold a directory's lock, whatever its name is meanwhile; ReplicaRefused if somebody has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor, path):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ReplicaRefused([f"{path} is just being prepared, installed or removed by somebody else."]) from None
