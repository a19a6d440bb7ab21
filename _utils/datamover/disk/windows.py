"""How large files are laid on the disk while they arrive: room is reserved ahead, and written back behind.

A file is seen as windows of fixed size. Before the first byte of a window is written its room is reserved, so that
the file lies in few pieces; the window before is then written back while more arrives, so that the flush at the end
finds little to do. From its first hole on a file is left alone, and what was reserved where a hole comes is given back.
"""

import os
from contextlib import suppress

from . import kernel

WINDOW = 64 * 1024 * 1024


class Windows:
    """`key` stands for one try of one file. For any thread; that two do the same at once costs nothing."""

    def __init__(self, headroom):
        self._headroom = headroom
        self._entered = {}
        self._holed = set()
        self._reserves = True

    def enter(self, key, descriptor, offset, length, size):
        """Before `length` bytes of a file of `size` are written at `offset`: their room is taken from the headroom."""
        if size < WINDOW or key in self._holed or not self._reserves:
            self._headroom.take_bytes(length)
            return
        entered = self._entered.get(key)
        if entered is None:
            entered = self._entered.setdefault(key, set())
            os.ftruncate(descriptor, size)  # Holes can be punched only before the end.
        for window in range(offset // WINDOW, (offset + length - 1) // WINDOW + 1):
            if window not in entered:
                entered.add(window)
                self._begin(descriptor, window * WINDOW, size)

    def hole(self, key, descriptor, offset, length):
        """A range that takes no room."""
        self._holed.add(key)
        if key in self._entered:
            _supported(kernel.punch_hole, descriptor, offset, length)

    def forget(self, key):
        self._entered.pop(key, None)
        self._holed.discard(key)

    def _begin(self, descriptor, start, size):
        length = min(WINDOW, size - start)
        self._headroom.take_bytes(length)
        if not _supported(kernel.allocate, descriptor, start, length):
            self._reserves = False
        if start:
            with suppress(OSError):
                kernel.start_writing(descriptor, start - WINDOW, WINDOW)


def _supported(call, *arguments):
    """Whether the file system can do this; an error of the disk is raised."""
    try:
        call(*arguments)
    except OSError as error:
        if error.errno in kernel.UNSUPPORTED:
            return False
        raise
    return True
