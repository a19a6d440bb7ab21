"""Notices that nothing moves any more, and lets the other end see that this one lives."""

from ..errors import Stalled
from .stop import Countdown

BEAT = 5.0
"""Seconds between heartbeats, at most."""


class Watch:
    """`look()` gives a value that changes whenever something moves; heartbeats must leave it as it is."""

    def __init__(self, timeout, look, beat, describe, stop):
        self._timeout = timeout
        self._look = look
        self._beat = beat
        self._describe = describe
        self._stop = stop

    def run(self):
        """Beat and look until the work ends; Stalled when nothing moved for the timeout."""
        pause = min(BEAT, self._timeout / 4)
        seen, countdown = self._look(), Countdown(self._timeout)
        while not self._stop.wait(pause):
            self._beat()
            now = self._look()
            if now != seen:
                seen, countdown = now, Countdown(self._timeout)
            elif not countdown.left():
                raise Stalled(f"nothing moved for {self._timeout:g} s: {self._describe()}")
