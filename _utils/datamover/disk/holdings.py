"""What lies at a destination before a byte has come: files whose blocks need not travel if the source has the same.

A *holding* is a place with such files. It has two methods: find(entry) gives a descriptor to read what may be the
entry's file, or None; give(entry, directory, name) puts that file under `name` into the open directory, to be
completed there, and says whether there was one. Which blocks of it are right is for digests to tell, not for a holding.
"""

import os
import stat
from contextlib import closing, contextmanager, suppress

from . import kernel, sparse
from .metadata import Identity

EARLIER = b"earlier-"
_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Earlier:
    """What one earlier attempt left: a tree beside the data of this attempt, from which files are moved over.

    Entries are found by their paths. Of a file with several names only the first that is asked for finds it.
    """

    def __init__(self, directories, journal):
        self._journal = journal
        self._directories = directories

    def find(self, entry):
        place, name = self._directories.place(entry.number, entry.parent, entry.name)
        try:
            with self._directories.hold(place) as directory:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                return os.open(name, _OPEN, dir_fd=directory) if self._is_for(entry, status) else None
        except OSError:  # whatever is there, it is not what is asked for
            return None

    def _is_for(self, entry, status):
        if not stat.S_ISREG(status.st_mode):
            return False
        return status.st_nlink == 1 or self._journal.first_name(Identity.of(status), entry.number) == entry.number

    def give(self, entry, directory, name):
        descriptor = self.find(entry)
        if descriptor is None:
            return False
        os.close(descriptor)
        place, old_name = self._directories.place(entry.number, entry.parent, entry.name)
        with self._directories.hold(place) as old:
            os.fchmod(old, 0o700)
            _move(old, old_name, directory, name)
        return True

    def drop(self, entry):
        """Remove what may be the entry's file: another one is better, and the room is needed."""
        place, name = self._directories.place(entry.number, entry.parent, entry.name)
        with suppress(OSError), self._directories.hold(place) as directory:
            os.unlink(name, dir_fd=directory)

    def close(self):
        self._directories.close()


def _move(old, old_name, directory, name):
    try:
        kernel.rename(old, old_name, directory, name, kernel.RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in kernel.UNSUPPORTED:
            raise
        os.link(old_name, name, src_dir_fd=old, dst_dir_fd=directory, follow_symlinks=False)
        os.unlink(old_name, dir_fd=old)


def set_aside(anchor, data):
    """Make of `data` in the staging directory, if it is there, what an earlier attempt left."""
    numbers = [number for number, _ in _earlier(anchor)]
    with suppress(FileNotFoundError):
        os.rename(data, EARLIER + b"%d" % (max(numbers, default=0) + 1), src_dir_fd=anchor, dst_dir_fd=anchor)


def left_by_earlier_attempts(anchor, journal, directories_of):
    """The holdings in a staging directory, the latest first. `directories_of(name)` opens what was set aside as that.
    """
    return [Earlier(directories_of(name), journal) for _, name in sorted(_earlier(anchor), reverse=True)]


def _earlier(anchor):
    names = (name for name in map(os.fsencode, os.listdir(anchor)) if name.startswith(EARLIER))
    return [(int(name[len(EARLIER) :]), name) for name in names if name[len(EARLIER) :].isdigit()]


class HeldFile:
    """A file that a holding found for an entry: `told` bytes of it, in whole blocks, are worth to be compared."""

    def __init__(self, descriptor, entry, block_size):
        self._descriptor = descriptor
        self._status = os.fstat(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        there = min(self._status.st_size, entry.size)
        self.told = blocks_there(_end_of_data(descriptor, there), there, entry.size, block_size)

    def feed(self, offset, length, builder, step):
        """Give a range, as the disk has it, to a ContentBuilder; less of it if it cannot be read."""
        try:
            sparse.feed(self._descriptor, self._status, offset, length, builder, step)
        except OSError:  # then it must come again
            return
        os.posix_fadvise(self._descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def blocks_there(end, there, size, block_size):
    """How much of a file of `size` bytes can be told in whole blocks, if `there` bytes are and data ends at `end`."""
    covered = min(-(-end // block_size) * block_size, size)
    return covered if covered <= there else there // block_size * block_size


def _end_of_data(descriptor, size):
    """Where the last data of a file ends: room that was reserved and not written counts as a hole."""
    return max((at + length for at, length, is_hole in sparse.extents(descriptor, size) if not is_hole), default=0)


@contextmanager
def found(holdings, entry, block_size):
    """The HeldFile of an entry, from the first of these holdings that has one; None if none has."""
    with _found(holdings, entry) as descriptor:
        yield None if descriptor is None else HeldFile(descriptor, entry, block_size)


def data_found(holdings, entry):
    """How many bytes of data that file has, holes left out; 0 if there is none."""
    with _found(holdings, entry) as descriptor:
        return 0 if descriptor is None else sparse.data_within(descriptor, entry.size)


@contextmanager
def _found(holdings, entry):
    descriptor = next((each for each in (holding.find(entry) for holding in holdings) if each is not None), None)
    if descriptor is None:
        yield None
        return
    with closing(os.fdopen(descriptor, "rb", buffering=0)):
        yield descriptor
