"""What has arrived at a relay of a chain, as a source of what it passes on: read from staging, and once it is published
from where it then lies, if nobody has touched it since.
"""

import os
import threading
from contextlib import ExitStack

from ..errors import SourceChanged, shown
from . import sparse
from .safepath import OPEN_FILE, Directories, split_final
from .trouble import on_source


class PassedFile:
    """One open file that arrives, or has arrived. A context manager."""

    def __init__(self, entry, descriptor, settled):
        self.entry = entry
        self.descriptor = descriptor
        self._settled = settled

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def extents(self, offset, length):
        """(offset, length, is_hole) of a range that has landed."""
        with on_source("read", self.entry.name):
            return list(sparse.extents(self.descriptor, offset + length, offset))

    def read_into(self, offset, view):
        """Fill `view`; fewer bytes only where the file ends."""
        with on_source("read", self.entry.name):
            return sparse.read_into(self.descriptor, offset, view)

    def unchanged(self):
        """Whether it can still be what arrived. While it is in staging nobody else writes it; afterwards size and time
        tell, and the digests at the other end.
        """
        if not self._settled:
            return True
        status = os.fstat(self.descriptor)
        return (status.st_size, status.st_mtime_ns) == (self.entry.size, self._settled.times(self.entry, status))

    def close(self):
        os.close(self.descriptor)


class Passing:
    """`staging` is what holds it until it is published, `journal` knows the entries. For any thread."""

    slow = ()

    def __init__(self, staging, journal):
        self._staging = staging
        self._journal = journal
        self._final = Directories(staging.parent, split_final(staging.final)[1], journal.location)
        self._moving = threading.Lock()
        self._is_settled = False

    def close(self):
        self._final.close()

    def begin(self, _stop):
        """The way is proved. What is read needs not be started."""

    def let_go(self, _owed):
        """A piece was taken. What lies on a disk needs not be held."""

    @staticmethod
    def unhindered(_count, seconds):
        """The seconds in which so much arrived: nobody behind holds up what lands here."""
        return seconds

    def while_moving(self, publish):
        """Have it published; until that is done nothing is opened, for a name could be either of two things."""
        with self._moving:
            publish()
            self._is_settled = True

    def times(self, entry, status):
        """The time of last change that an untouched file has on this file system."""
        granularity = self._staging.granularity
        same = entry.mtime_ns // granularity == status.st_mtime_ns // granularity
        return status.st_mtime_ns if same else entry.mtime_ns

    def open(self, entry):
        """The PassedFile of a FILE entry; SourceChanged if it is not any more what arrived."""
        with on_source("open", self._journal.path(entry.number)), ExitStack() as undo:
            file = undo.enter_context(self._open(entry))
            if not file.unchanged():
                raise self._changed(entry)
            undo.pop_all()
        return file

    def _open(self, entry):
        with self._moving:
            if self._is_settled:
                return PassedFile(entry, self._published(entry), self)
            return PassedFile(entry, self._staging.opened(entry.number), None)

    def _published(self, entry):
        number, name = self._final.place(entry.number, entry.parent, entry.name)
        with self._final.hold(number) as directory:
            return os.open(name, OPEN_FILE, dir_fd=directory)

    def _changed(self, entry):
        path = self._journal.path(entry.number)
        text = f"{shown(path) or 'the file'} was changed here after it was published and before others had it from here"
        return SourceChanged(f"{text}; resume them from a host that still has it", path=path, entry=entry.number)
