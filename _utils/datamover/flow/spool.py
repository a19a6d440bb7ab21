"""The part of a stream that was read and not yet taken: bounded, in memory, gone when nobody needs it any more."""

import time

from ..engine.stop import Changes
from ..errors import LeftBehind

MEMORY = 64 * 1024 * 1024
FEWEST = 4
LOOK = 1.0
"""Seconds after which who is held up by those behind it shows that it lives."""


class Spool:
    """Segments by their numbers. Whoever fills it waits for those who let go; `stop` ends the wait."""

    def __init__(self, size, stop):
        self.size = size
        self._most = max(FEWEST, MEMORY // size)
        self._changed = Changes(stop)
        self._stop = stop
        self._held = {}
        self._missing = {}
        self._free = []

    def room(self):
        """A buffer for the next segment, as soon as there is one."""
        with self._changed:
            self._changed.until(self._has_room)
            return self._buffer()

    def _has_room(self):
        return len(self._held) < self._most

    def _buffer(self):
        return self._free.pop() if self._free else bytearray(self.size)

    def keep(self, number, buffer, size):
        """From now on the first `size` bytes of the buffer are this segment."""
        with self._changed:
            self._held[number] = buffer, memoryview(buffer)[:size]
            self._missing[number] = size

    def note(self, size):
        """So much has come."""

    def read(self, number, offset, view):
        """Fill the view with what lies there in a segment that was kept and not let go."""
        with self._changed:
            view[:] = self._held[number][1][offset : offset + len(view)]

    def let_go(self, number, size):
        """So many bytes of a segment were taken by the other end, each once."""
        with self._changed:
            self._missing[number] -= size
            if not self._missing[number]:
                self._drop(number)

    def _drop(self, number):
        del self._missing[number]
        self._reuse(*self._held.pop(number))
        self._changed.notify_all()

    def _reuse(self, buffer, view):
        view.release()
        if len(buffer) == self.size:
            self._free.append(buffer)


class Free:
    """How fast a stream comes while there is plenty of room for it: when that gets short those behind hold it up, and
    those before, who keep as much, cannot send more.
    """

    def __init__(self):
        self._bytes = 0
        self._seconds = 0.0
        self._since = None

    def note(self, size, is_free):
        now, since = time.monotonic(), self._since
        self._since = now if is_free else None
        if is_free and since is not None:
            self._bytes += size
            self._seconds += now - since

    def seconds(self, count):
        """How long so many bytes take at this rate; 0 as long as it is not known."""
        return count * self._seconds / self._bytes if self._bytes else 0.0


class Window(Spool):
    """The same at a host of a chain: a segment is kept until all behind it hold it, whoever of them dies meanwhile.

    `step()` is called while who fills it is held up.
    """

    def __init__(self, size, stop, step):
        super().__init__(size, stop)
        self.flow = Free()
        self._step = step

    @property
    def slow(self):
        """(bytes, seconds) for a Pace: who takes from it is slow, whatever that took to come, if it lacks half of what
        can be kept.
        """
        return self._most * self.size // 2, 0.0

    def note(self, size):
        """So much has come."""
        self.flow.note(size, self.is_free)

    @property
    def is_free(self):
        """Whether no more than half of it is in use."""
        return 2 * len(self._held) <= self._most

    def room(self, given_up=lambda: False):
        """As at any spool; None if `given_up()`, which whoever changes it must wake() for."""
        with self._changed:
            while not (self._has_room() or given_up()):
                self._stop.check()
                self._changed.wait(LOOK)
                self._step()
            return None if given_up() else self._buffer()

    def wake(self):
        with self._changed:
            self._changed.notify_all()

    def fill(self, number, offset, data):
        """The next bytes of a segment that is kept."""
        with self._changed:
            self._held[number][1][offset : offset + len(data)] = data

    def read(self, number, offset, view):
        with self._changed:
            if number not in self._held:
                raise LeftBehind(f"segment {number} of the stream was let go: all that were counted on had it")
            super().read(number, offset, view)

    def let_go(self, _number, _size):
        """That the next host took it is not enough."""

    def let_go_below(self, number):
        """All segments below this one are held by all behind."""
        with self._changed:
            for each in [each for each in self._held if each < number]:
                self._drop(each)
