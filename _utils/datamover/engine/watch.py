"""Notices that nothing moves any more, and lets the other end see that this one lives."""

from ..errors import Stalled
from .stop import Countdown

BEAT = 5.0
"""Seconds between heartbeats, at most."""


class Watch:
    """`look()` gives a value that changes whenever something moves; heartbeats must leave it as it is. They come every
    `pause` seconds, or more often.
    """

    def __init__(self, timeout, look, beat, describe, stop, pause=BEAT):
        self._timeout = timeout
        self._look = look
        self._beat = beat
        self._describe = describe
        self._stop = stop
        self._pause = min(pause, timeout / 4)

    def run(self):
        """Beat and look until the work ends; Stalled when nothing moved for the timeout."""
        seen, countdown = self._look(), Countdown(self._timeout)
        while not self._stop.wait(self._pause):
            self._beat()
            now = self._look()
            if now != seen:
                seen, countdown = now, Countdown(self._timeout)
            elif not countdown.left():
                raise Stalled(f"nothing moved for {self._timeout:g} s: {self._describe()}")
