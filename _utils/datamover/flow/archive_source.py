"""An archive file as the producer of a stream: it travels as it is, read once, and must not change meanwhile."""

import os
import stat

from ..disk.metadata import Identity
from ..disk.safepath import OPEN_FILE, open_parent
from ..disk.trouble import on_source
from ..errors import ProducerFailed, SourceUnreadable, shown


class ArchiveSource:
    """`path` names a regular file; what is reported of it is `about` and its size."""

    def __init__(self, path, about):
        self._path = path
        self._about = about
        self._identity = None
        self._read = 0
        with on_source("open", path):
            self.parent, self._name = open_parent(path)
            self._descriptor = None

    def begin(self, _stop):
        with on_source("open", self._path):
            self._descriptor = os.open(self._name, OPEN_FILE, dir_fd=self.parent)
            status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceUnreadable(f"{shown(self._path)} is no regular file, so no archive", path=self._path)
        self._identity = Identity.of(status)

    def read_into(self, view):
        with on_source("read", self._path):
            count = os.readv(self._descriptor, [view])
        self._read += count
        return count

    def finish(self):
        status = os.fstat(self._descriptor)
        if Identity.of(status) != self._identity or self._read != status.st_size:
            raise ProducerFailed(
                f"{shown(self._path)} changed while it was read; stop what writes to it and copy again", path=self._path
            )
        return {**self._about, "bytes": self._read}

    def end(self):
        for descriptor in (self._descriptor, self.parent):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self.parent = None
