"""What stands at the destination already, entry by entry: looked at and read, never left through a link, never changed.

For update=True. Everything goes through directory descriptors and O_NOFOLLOW, as at the source: a symbolic link that
somebody puts in the place of a directory is a thing of another kind, never a way out of the tree.
"""

import errno
import os
from enum import Enum

from ..errors import DestinationChanged, PublishFailed, shown
from ..manifest import Kind
from . import mounts
from .metadata import Identity, kind_of
from .safepath import OPEN_FILE, Directories, within

_NO_WAY = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Finding(Enum):
    """How what stands under an entry's name compares with the entry, at a glance."""

    MISSING = "missing"
    EQUAL = "equal in size and time"
    DIFFERS = "differs"
    OTHER = "of another kind"


def compare(entry, kind, status, granularity=1):
    """The Finding for an entry of this kind (that of the first name for a hard link) and what lstat says; pure."""
    if status is None:
        return Finding.MISSING
    if kind_of(status.st_mode) != kind:
        return Finding.OTHER
    if entry.kind != Kind.FILE:
        return Finding.DIFFERS
    same_time = status.st_mtime_ns // granularity == entry.mtime_ns // granularity
    return Finding.EQUAL if same_time and status.st_size == entry.size else Finding.DIFFERS


class Standing:
    """`parent` is the descriptor of the directory that holds the final name `name`; it stays the caller's."""

    def __init__(self, parent, name, journal):
        self.parent = parent
        self.name = name
        self._journal = journal
        self._directories = Directories(parent, name, journal.location if journal else None)
        self.hold = self._directories.hold
        self._mounts = _mounts_below(parent, name)

    def close(self):
        self._directories.close()

    def kind(self, entry):
        """What an entry is on a disk: a hard link is what it links to."""
        return self._journal.entry(entry.link).kind if entry.kind == Kind.HARDLINK else entry.kind

    def look(self, entry):
        """What lstat says of an entry's name; None where there is nothing, or no directory to hold it."""
        self._refuse_mounted(entry)
        number, name = self._place(entry)
        try:
            with self._directories.hold(number) as directory:
                return os.stat(name, dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_WAY:
                return None
            raise

    def within(self, entry, function):
        """function(directory's descriptor, name, the path of that for calls that take no descriptor)."""
        number, name = self._place(entry)
        with self._directories.hold(number) as directory:
            return function(directory, name, within(directory, name))

    def open(self, entry, identity):
        """Descriptor of the file under an entry's name; DestinationChanged if it is another one than it was."""
        number, name = self._place(entry)
        with self._directories.hold(number) as directory:
            descriptor = os.open(name, OPEN_FILE, dir_fd=directory)
        if Identity.of(os.fstat(descriptor)) != identity:
            os.close(descriptor)
            raise self.changed(entry)
        return descriptor

    def changed(self, entry):
        path = self._journal.path(entry.number)
        return DestinationChanged(
            f"{shown(path) or 'the destination'} changed while it was compared with the source: stop what writes "
            "there, or start the update again",
            path=path,
        )

    def mounted(self, path):
        return PublishFailed(
            f"something is mounted at {shown(path)} below the destination, and the source has something else there: "
            "unmount it, or update what is mounted there by itself",
            path=path,
        )

    def is_mount(self, path):
        """Whether something is mounted at this path below the root."""
        return path in self._mounts

    def is_mounted(self, path):
        """Whether something is mounted at this path below the root, or below it."""
        return any(each == path or each.startswith(path + b"/") for each in self._mounts)

    def _place(self, entry):
        return self._directories.place(entry.number, entry.parent, entry.name)

    def _refuse_mounted(self, entry):
        """What lies on another file system cannot be renamed into its place."""
        if not (self._mounts and entry.number):
            return
        parent = self._journal.path(entry.parent)
        for point in self._mounts:
            if parent == point or parent.startswith(point + b"/"):
                raise self.mounted(point)


def _mounts_below(parent, name):
    """Mount points below the final name, relative to it."""
    root = os.path.join(mounts.real_path(parent), name)
    return [os.path.relpath(point, root) for point in mounts.at_or_below(root) if point != root]
