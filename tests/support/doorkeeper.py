"""Sees each program that begins in a machine before its own first line, however short it lives.

What is linked dynamically first opens the cache of the linker. The kernel asks us whether it may, and until we have
answered, its arguments and its environment are there to be read.
"""

import contextlib
import ctypes
import os
import select
import struct

DOOR = "/etc/ld.so.cache"
ASKED_BEFORE, CLOSE_ON_EXEC = 4, 1
ADD, OPENS = 1, 0x10000
EVENT, ANSWER, ALLOW = struct.Struct("=IBBHQii"), struct.Struct("=iI"), 1
AT_WORKING_DIRECTORY = -100
MOST = 4096

_libc = ctypes.CDLL(None, use_errno=True)


class Doorkeeper:
    """A context manager, to be asked again and again: `come_in` gives the processes that wait at the door."""

    def __init__(self, machine):
        self._machine = machine
        self._descriptor = None

    def __enter__(self):
        self._descriptor = _checked(_libc.fanotify_init(ASKED_BEFORE | CLOSE_ON_EXEC, os.O_RDONLY | os.O_CLOEXEC))
        return self

    def __exit__(self, *_):
        os.close(self._descriptor)

    def come_in(self, seconds):
        """The ids, as seen from here, of those who come within so many seconds; each is let in after its turn."""
        self._stand_at_the_door()
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        events = os.read(self._descriptor, MOST) if ready else b""
        for *_, opened, pid in EVENT.iter_unpack(events):
            try:
                yield pid
            finally:
                os.write(self._descriptor, ANSWER.pack(opened, ALLOW))
                os.close(opened)

    def _stand_at_the_door(self):
        """A machine that has booted again has another one. One that is about to boot still shows that of the host."""
        with contextlib.suppress(FileNotFoundError), _without_entering(self._machine.path(DOOR)) as door:
            if not os.path.samestat(os.fstat(door), os.stat(DOOR)):
                path, mask = f"/proc/self/fd/{door}".encode(), ctypes.c_uint64(OPENS)
                _checked(_libc.fanotify_mark(self._descriptor, ADD, mask, AT_WORKING_DIRECTORY, path))


@contextlib.contextmanager
def _without_entering(path):
    """A descriptor of a file that nobody is asked about: we would wait for ourselves."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"fanotify: {os.strerror(number)}")
    return result
