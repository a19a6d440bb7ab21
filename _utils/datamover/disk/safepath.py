"""Paths that cannot lead astray: their form in JSON, and directories opened step by step, never through a link.

Below a root no path string is ever given to the kernel: a name is looked up in a directory descriptor, with O_NOFOLLOW,
and directories are known by their entry's number. So a symbolic link that somebody puts in the way is an error, never a
detour, and a path may be longer than the kernel's PATH_MAX.
"""

import errno
import os
import threading
from collections import OrderedDict
from urllib.parse import quote, unquote_to_bytes

from . import kernel

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
OPEN_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

LONGEST_STEP = 4000
# An older kernel, one that is told to forbid what it does not know, or one that lost a race with renames.
NOT_IN_ONE_STEP = frozenset({errno.ENOSYS, errno.EPERM, errno.EAGAIN, errno.E2BIG, errno.EINVAL})

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def encode_path(path):
    """A path as JSON carries it: printable ASCII stays, every other byte and the percent sign become %XX."""
    return quote(path, safe=_PRINTABLE)


def decode_path(text):
    """The path that encode_path wrote so; ValueError for any other spelling, since each path has one."""
    path = unquote_to_bytes(text)
    if encode_path(path) != text:
        raise ValueError(f"not a path as it is written in JSON: {text!a}")
    return path


def split_final(path):
    """(parent, name) of an absolute path; trailing slashes mean nothing."""
    parent, name = os.path.split(path.rstrip(b"/"))
    return parent or b"/", name


def open_parent(path):
    """Descriptor of the directory that holds `path`, and the last component.

    Above it links count, as the caller named them.
    """
    parent, name = split_final(path)
    return os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), name


def descend(descriptor, names):
    """Open the directory that lies `names` below `descriptor`, through no link; the caller keeps `descriptor`.

    The kernel does it in one step if it can, and is asked step by step if not.
    """
    names = list(names)
    path = b"/".join(names)
    if len(names) > 1 and len(path) < LONGEST_STEP:
        try:
            return kernel.open_beneath(descriptor, path, OPEN_DIRECTORY)
        except OSError as error:
            if error.errno not in NOT_IN_ONE_STEP:
                raise
    return _step_by_step(descriptor, names)


def _step_by_step(descriptor, names):
    current = os.dup(descriptor)
    for name in names:
        try:
            below = os.open(name, OPEN_DIRECTORY, dir_fd=current)
        finally:
            os.close(current)
        current = below
    return current


def within(descriptor, name):
    """A path for the few calls that take no directory descriptor (extended attributes).

    One component below an open directory.
    """
    return b"/proc/self/fd/%d/%s" % (descriptor, name)


class _Held:
    """One open descriptor of a Descriptors; as a context manager it is in use and so stays open."""

    __slots__ = ("_owner", "descriptor", "users", "dropped")

    def __init__(self, owner, descriptor):
        self._owner = owner
        self.descriptor = descriptor
        self.users = 0
        self.dropped = False

    def __enter__(self):
        return self.descriptor

    def __exit__(self, *_exception):
        self._owner.release(self)


def is_empty(directory, name):
    """Whether nothing is in the directory of this name."""
    descriptor = os.open(name, OPEN_DIRECTORY, dir_fd=directory)
    try:
        with os.scandir(descriptor) as entries:
            return next(entries, None) is None
    finally:
        os.close(descriptor)


class Descriptors:
    """At most `capacity` descriptors by key, the least lately used closed first.

    One in use is never closed. For any thread.
    """

    def __init__(self, opener, capacity):
        self._opener = opener
        self._capacity = capacity
        self._lock = threading.RLock()
        self._held = OrderedDict()

    def __contains__(self, key):
        return key in self._held

    def __len__(self):
        return len(self._held)

    def hold(self, key):
        """Use as `with descriptors.hold(key) as descriptor`."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                held = self._open(key)
            else:
                self._held.move_to_end(key)
            held.users += 1
            return held

    def _open(self, key):
        held = _Held(self, self._opener(key))
        self._make_room()
        self._held[key] = held
        return held

    def _make_room(self):
        while len(self._held) >= self._capacity:
            idle = next((key for key, held in self._held.items() if not held.users), None)
            if idle is None:
                return
            os.close(self._held.pop(idle).descriptor)

    def release(self, held):
        with self._lock:
            held.users -= 1
            if held.dropped and not held.users:
                os.close(held.descriptor)

    def drop(self, key):
        """Close the descriptor of `key` as soon as nobody uses it; the next hold opens anew."""
        with self._lock:
            held = self._held.pop(key, None)
            if held is None:
                return
            held.dropped = True
            if not held.users:
                os.close(held.descriptor)

    def close(self):
        with self._lock:
            for key in list(self._held):
                self.drop(key)


ABOVE = -1


class Directories:
    """Descriptors of the directories of one tree, by entry number.

    `anchor` is the directory that holds the root, `root_name` the root's name in it, `locate(number)` gives (parent,
    name) of a directory below the root. The number ABOVE is the anchor itself, so that the root is an entry like any
    other.
    """

    def __init__(self, anchor, root_name, locate, capacity=128):
        self._anchor = anchor
        self._root_name = root_name
        self._locate = locate
        self._open = Descriptors(self._descend_to, capacity)
        self.hold = self._open.hold

    def place(self, number, parent, name):
        """(number of the directory, name in it) where an entry lies."""
        return (parent, name) if number else (ABOVE, self._root_name)

    def _descend_to(self, number):
        names: list[bytes] = []
        while number != ABOVE and (not names or number not in self._open):
            parent, name = self.place(number, *self._locate(number)) if number else (ABOVE, self._root_name)
            names.append(name)
            number = parent
        if number == ABOVE:
            return descend(self._anchor, reversed(names))
        with self._open.hold(number) as nearest:
            return descend(nearest, reversed(names))

    def close(self):
        self._open.close()
