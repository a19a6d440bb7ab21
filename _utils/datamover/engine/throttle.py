"""The limit: how many payload bytes a second all bulk connections together may take, changeable at any time.

What is sent is cut so small that it flows evenly. Time that was not used is soon forgotten, so that no burst follows.
"""

import time

from .stop import Changes

SLICES = 25
"""Parts of a second: no slice is larger than what may be sent in one."""
SLICE = 16 * 1024
"""But at least so large: less costs more than it evens out."""
FORGOTTEN = 0.1
"""Seconds after which unused time is lost."""


class Throttle:
    """For any thread. `rate` is in bytes a second, 0 for no limit."""

    def __init__(self, rate, stop, clock=time.monotonic):
        self._rate = rate
        self._stop = stop
        self._clock = clock
        self._free_at = clock()
        self._changed = Changes(stop)

    @property
    def rate(self):
        return self._rate

    def change(self, rate):
        """Another limit from now on, also for who is waiting; 0 lifts it."""
        with self._changed:
            self._rate = rate
            self._free_at = self._clock()
            self._changed.notify_all()

    def slices(self, data):
        """`data` in parts that are small enough to be sent one by one."""
        at = 0
        while at < len(data):
            size = max(SLICE, self._rate // SLICES) if self._rate else len(data)
            yield data[at : at + size]
            at += size

    def await_turn(self, size):
        """Return when so many bytes may be sent; say how many seconds that took."""
        began = self._clock()
        with self._changed:
            while (left := self._left()) > 0:
                self._changed.wait(left)
                self._stop.check()
            if self._rate:
                self._free_at += size / self._rate
        return self._clock() - began

    def _left(self):
        """Seconds until something may be sent."""
        now = self._clock()
        self._free_at = max(self._free_at, now - FORGOTTEN)
        return self._free_at - now if self._rate else 0.0
