"""What both ends have in common while a transfer lasts: threads, one reason to end, a heartbeat, a parting.

The first error wins, wherever it happens: it stops every thread, is told to the other end, and is the outcome. Trouble
while parting is reported beside it. A lost connection is only the second best reason: if the other end told why it
gave up, that is the outcome.
"""

import logging
import time

from ..errors import ConnectionLost, HandshakeRefused, LocalError, MoverError, PeerFailed, PeerUnreachable
from ..wire import Failed, Ping
from . import control
from .outcome import seconds_of
from .stop import Crew, Stopped
from .watch import BEAT, Watch

JOINING = 10.0
"""Seconds for all threads to end once the work has; only a hung disk takes so long."""

SYMPTOMS = (ConnectionLost, HandshakeRefused, PeerUnreachable)
PINGED = ("bytes_done", "bytes_verified", "files_done")

log = logging.getLogger(__name__)


class Over(Exception):
    """Why the threads end when all is well."""


class Session:
    """`peer` is the member at the other end. `bulk` are its bulk streams, on either end: `reached` is how many bytes
    they moved, `troubles` words for those without a connection; whoever makes the session sets it.
    """

    def __init__(self, terms, peer, progress, stop):
        self.terms = terms
        self.peer = peer
        self.progress = progress
        self.stop = stop.child()
        self.crew = Crew(terms.role, self.stop)
        self.control = None
        self.times = progress.times
        self.bulk = None
        self.stall = terms.stall_timeout
        self.pause = BEAT
        self.parting = control.PARTING
        self._link = None
        self._times = {}
        self._pings = 0
        self._words = ()
        progress.listen(self._note_time)

    def run(self, story):
        """Carry out `story`, which returns the last words to say if all is well; return (error or None, troubles)."""
        watch = Watch(self.stall, self._mark, self._ping, self._describe, self.stop, self.pause)
        self.crew.start("watch", watch.run)
        error = self._told(story)
        self.stop.set(Over())
        hung = self.crew.join(JOINING)
        if hung:
            log.warning("threads that did not end within %g s: %s", JOINING, ", ".join(hung))
        troubles = [f"the thread {name} did not end within {JOINING:g} s" for name in hung]
        error = self._part(error, troubles)
        if self._link is not None:
            self._link.abort() if error else self._link.close()
        return error, tuple(troubles)

    def _told(self, story):
        """Carry out the story; why it failed, or None."""
        try:
            self._words = story()
        except Stopped:
            return as_error(self.stop.reason)
        except Exception as trouble:
            self.stop.set(trouble)
            return as_error(self.stop.reason)
        return None

    def converse(self, link, opening, dispatch):
        """Begin to speak and hear on the control connection, which is closed when all is over."""
        self._link = link
        self.control = control.Control(link, self.terms.role, opening, self.peer.host, self.stop)
        self.progress.enter("proved")
        self.crew.start("speaking", self.control.speak)
        self.crew.start("hearing", self.control.hear, dispatch)

    def hear_ping(self, ping):
        self.progress.hear(ping.phase, (ping.bytes_done, ping.bytes_verified, ping.files_done, ping.steps))

    @property
    def seconds(self):
        return seconds_of(self._times)

    def _part(self, error, troubles):
        """Say the last words; return the error that counts in the end."""
        if self.control is None:
            return error
        try:
            theirs = self.control.leave(*self._last_words(error), unsaid=error is None, seconds=self.parting)
        except (MoverError, Stopped, OSError) as trouble:
            if not isinstance(error, ConnectionLost | PeerFailed):
                troubles.append(f"{self.peer.host} could not be told how it ended: {trouble or 'it did not listen'}")
            return error
        return theirs if theirs and better(theirs, error) else error

    def _last_words(self, error):
        if error is None:
            return self._words
        return () if isinstance(error, PeerFailed) else (Failed.of(error, error.evidence.get("entry")),)

    # The watch

    def _mark(self):
        turns = self.control.turns if self.control else 0
        # Bulk bytes move while a piece is under way; control's do so with every heartbeat.
        return self.progress.mark(), turns, self.bulk.reached

    def _ping(self):
        if self.control is None:
            return
        self._pings += 1
        # What is counted while its entry begins again can be below zero for a moment.
        counted = {name: max(0, getattr(self.progress.counters, name)) for name in PINGED}
        steps, phase = self._steps(), self.progress.phase
        self.control.mention(Ping(sequence=self._pings, phase=phase, steps=steps, **counted))

    def _steps(self):
        """What counts as getting on beside the counters."""
        return self.progress.steps

    def _describe(self):
        counters, peer = self.progress.counters, self.progress.peer
        ours = f"{self.terms.host} is {self.progress.phase} with {counters.bytes_done} bytes done"
        theirs = f"{self.peer.host} last said it was {peer[0]}" if peer else f"{self.peer.host} has not been heard"
        return f"{ours}, {theirs}{self.bulk.troubles}"

    def _note_time(self, what, details):
        if what == "phase":
            self._times.setdefault(details["phase"], time.monotonic())


def better(theirs, ours):
    """Whether what the other end told explains more: who notices that a connection is gone does not know why."""
    return isinstance(ours, SYMPTOMS) and theirs.evidence["name"] not in {each.name for each in SYMPTOMS}


def as_error(trouble):
    """Any exception as an error of this package."""
    if isinstance(trouble, MoverError):
        return trouble
    log.error("unexpected trouble", exc_info=trouble)
    error = LocalError(f"unexpected {type(trouble).__name__}: {trouble}")
    error.__cause__ = trouble
    return error
