"""The part of a stream that was read and not yet taken: bounded, in memory, gone when nobody needs it any more."""

from ..engine.stop import Changes

MEMORY = 64 * 1024 * 1024
FEWEST = 4


class Spool:
    """Segments by their numbers. Whoever fills it waits for those who let go; `stop` ends the wait."""

    def __init__(self, size, stop):
        self.size = size
        self._most = max(FEWEST, MEMORY // size)
        self._changed = Changes(stop)
        self._held = {}
        self._missing = {}
        self._free = []

    def room(self):
        """A buffer for the next segment, as soon as there is one."""
        with self._changed:
            self._changed.until(lambda: len(self._held) < self._most)
            return self._free.pop() if self._free else bytearray(self.size)

    def keep(self, number, buffer, size):
        """From now on the first `size` bytes of the buffer are this segment."""
        with self._changed:
            self._held[number] = buffer, memoryview(buffer)[:size]
            self._missing[number] = size

    def segment(self, number):
        """The bytes of a segment that was kept and not let go."""
        with self._changed:
            return self._held[number][1]

    def let_go(self, number, size):
        """So many bytes of a segment were taken by the other end, each once."""
        with self._changed:
            self._missing[number] -= size
            if not self._missing[number]:
                del self._missing[number]
                self._reuse(*self._held.pop(number))
                self._changed.notify_all()

    def _reuse(self, buffer, view):
        view.release()
        if len(buffer) == self.size:
            self._free.append(buffer)
