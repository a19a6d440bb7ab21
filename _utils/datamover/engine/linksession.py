"""A session with a neighbour in a chain: who says nothing for a while, heartbeats included, is lost.

What gets on elsewhere in the chain is passed on in heartbeats, so that nobody takes waiting for standing still: upwards
what gets on behind, downwards what gets on above, never back to where it came from.
"""

import time
from dataclasses import replace

from ..errors import ConnectionLost, PeerFailed
from ..wire import OVER, Adrift, Failed
from .pulse import is_silent
from .session import Session

SHARE = 3
"""A neighbour that owes an answer is given up this many times sooner than the whole transfer would be. Heartbeats and
parting keep to that: they say what gets on farther away, and who comes in its place waits until it has parted.
"""


class LinkSession(Session):
    """The link to who serves us. `elsewhere()` is a number that grows when something gets on where the neighbour cannot
    see it.
    """

    def __init__(self, terms, peer, progress, stop, elsewhere):
        super().__init__(terms, peer, progress, stop)
        self.third = terms.stall_timeout / SHARE
        self.pause, self.parting = min(self.pause, self.third / 4), min(self.parting, self.third / 2)
        self._elsewhere = elsewhere
        self._heard = time.monotonic()

    def converse(self, link, opening, dispatch):
        self._heard = time.monotonic()
        super().converse(link, opening, dispatch)

    def hear_ping(self, ping):
        self._heard = time.monotonic()
        super().hear_ping(ping)

    def _steps(self):
        return super()._steps() + self._elsewhere()

    def _mark(self):
        return super()._mark(), self._elsewhere()

    def _ping(self):
        super()._ping()
        if self.control is None:
            return
        if time.monotonic() - self._heard > self.terms.quiet:
            self._lose(f"said nothing for {self.terms.quiet:g} s")
        if is_silent(self._link.socket, self.terms.silence):
            self._lose(f"acknowledged nothing of what was sent for {self.terms.silence:g} s")

    def _lose(self, what):
        raise ConnectionLost(f"{self.peer.host} {what}", host=self.peer.host, connection="control")


class DownSession(LinkSession):
    """The link to whom we serve. `hop`, which who makes it sets, says whether that owes us anything, and whether what
    ends us ends all.
    """

    def __init__(self, terms, peer, progress, stop, elsewhere):
        super().__init__(terms, peer, progress, stop, elsewhere)
        self.stall = self.third
        self.hop = None

    def _mark(self):
        # While it owes us nothing there is no telling whether it stands still.
        return Session._mark(self), None if self.hop.owes else time.monotonic()

    def _last_words(self, error):
        if error is None or not self.hop.is_final(error):
            return super()._last_words(error)
        return Adrift(above=OVER), passed_on(error)


def passed_on(error):
    """The Failed for what the source gave up for, in its own words on every link."""
    told = error.evidence
    if not isinstance(error, PeerFailed):
        return Failed.of(error, told.get("entry"))
    text = error.text.removeprefix(f"{told['host']}: ")
    return replace(Failed.of(error, told.get("entry")), code=told["code"], name=told["name"], text=text)


class Flow:
    """What gets on at a node of a chain, as its neighbours are told."""

    def __init__(self, progress):
        self._progress = progress
        self._seen = None
        self._above = self.behind = 0

    def rise(self):
        """Something got on behind this node."""
        self.behind += 1

    def from_above(self):
        """Grows when this node or any above it got on."""
        mark = self._progress.mark()
        if mark != self._seen:
            self._seen = mark
            self._above += 1
        return self._above

    def from_behind(self):
        return self.behind
