"""Tells whoever watches over this worker that it lives: from a thread of its own, and only while the main loop turns.

A process that was stopped or frozen beats no more and counts as dead after its lease. A disk that is slow may hold up
the main loop for longer than a lease, which is no death; one that is held up far beyond that ends the process, with
the place of every thread in the log. Time is counted in beats, so that a host which slept has killed nobody.
"""

import faulthandler
import logging
import os
import threading

BEATS = 8
"""In a lease, at least: some may come late on a busy host."""
LONGEST_PAUSE = 5.0
LONGEST_TURN = 90.0
LONGEST_ENDING = 900.0
"""Seconds in which what was staged must be removed, be it a million files."""
HUNG = 1

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats through `notifier`, in a `with` block, often enough for a watch of `lease` seconds."""

    def __init__(self, notifier, lease, longest_turn=LONGEST_TURN):
        self._notifier = notifier
        self._pause = min(LONGEST_PAUSE, lease / BEATS)
        self._longest = longest_turn
        self._left = longest_turn
        self._over = threading.Event()

    def __enter__(self):
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self._over.set()

    def turned(self):
        """The main loop has done what came."""
        self._left = self._longest

    def ending(self):
        """The main loop turns no more: it undoes, which may take its time."""
        self._longest = self._left = LONGEST_ENDING

    def _beat(self):
        self._notifier.alive()
        while not self._over.wait(self._pause):
            self._left -= self._pause
            if self._left <= 0:
                _give_up(self._longest)
            self._notifier.alive()


def _give_up(seconds):
    """End at once: whoever watches undoes, and lock and listener are gone with the process."""
    log.error("the main loop has hung for %g s; the worker ends without a verdict", seconds)
    faulthandler.dump_traceback(all_threads=True)
    os._exit(HUNG)
