"""Where a consumer puts what it makes: a directory of ours in staging, or a single file."""

import os

from ..disk.safepath import OPEN_DIRECTORY
from ..disk.trouble import on_disk

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make(anchor, name):
    """Descriptor of a new, empty directory for nobody else."""
    with on_disk("make a directory in staging for", name):
        os.mkdir(name, 0o700, dir_fd=anchor)
        return os.open(name, OPEN_DIRECTORY, dir_fd=anchor)


def create(anchor, name):
    """Descriptor of a new file for nobody else."""
    with on_disk("make a file in staging for", name):
        return os.open(name, _CREATE, 0o600, dir_fd=anchor)


class FileSink:
    """Keeps the stream as it is, in a file. `observe(file, view)` sees all of it, `inspect(report, size)` makes the
    report.
    """

    def __init__(self, inspect, observe):
        self._inspect = inspect
        self._observe = observe
        self._descriptor = None
        self._size = 0

    def begin(self, anchor, name, _stop):
        self._descriptor = create(anchor, name)

    def feed(self, view):
        self._observe(self._descriptor, view)
        with on_disk("write", b"the stream"):
            while len(view):
                count = os.write(self._descriptor, view)
                self._size += count
                view = view[count:]

    def finish(self, report):
        with on_disk("flush", b"the stream"):
            os.fsync(self._descriptor)
        return self._inspect(report, self._size)

    def end(self):
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
