"""Whom a host of a chain serves: the next one, and when that is lost the one after it, with a higher epoch.

Each link is served in threads of its own. One whose destination is far slower than what arrives is set aside: it goes
on at its own pace, and the next host is served beside it. One that its neighbour cannot reach is tried too, once,
beside the others. Trouble of a link never ends the host itself; what is wrong
with what it reads does.
"""

import threading
import time
from contextlib import suppress
from functools import partial

from .. import wire
from ..errors import (
    ConnectionLost,
    HandshakeRefused,
    LeftBehind,
    ManifestInvalid,
    NotAPeer,
    PeerFailed,
    PeerUnreachable,
    ProtocolError,
    SealInvalid,
    Stalled,
    Superseded,
    VersionMismatch,
    WrongTransfer,
)
from .hop import is_superseded
from .session import SYMPTOMS
from .stop import Changes, Countdown, Lane, Stopped

OF_A_LINK = (
    *(ConnectionLost, HandshakeRefused, PeerUnreachable, PeerFailed, Stalled, Superseded),
    *(ProtocolError, SealInvalid, ManifestInvalid, NotAPeer, VersionMismatch, WrongTransfer, LeftBehind),
)
"""What may go wrong with a neighbour."""
LINKS = 5
"""How often a host is connected to again whose connection breaks."""
EVENTS = 64
LINKS_PART = 8.0
"""Seconds for links to end once this host does."""


def nothing():
    """Nobody wants to know."""


class Onward:
    """`make_hop(host, epoch)` makes a link, `tell` notes events, `is_own(error)` says what ends the host itself,
    `left(host, result, text)` is told when that one is not served from here any more, since somebody else serves it
    (*elsewhere*) or it could not be reached (*lost*), `note()` when others are served than before. `keeps` says whether
    what one lacks that is slow can be read later.

    run() is for one thread and returns when all behind this host have ended, are lost, or are in other hands.
    """

    def __init__(self, succession, make_hop, tell, is_own, left, stop, note=nothing, keeps=True):
        self._succession = succession
        self._make_hop = make_hop
        self._tell = tell
        self._is_own = is_own
        self._left = left
        self._note_change = note
        self._keeps = keeps
        self._stop = stop
        self._events = Lane(EVENTS, stop)
        self._hops = {}
        self._unopened = set()
        self._links = []
        self._threads = []
        self._handed_over = set()
        self._changed = Changes(stop)
        self.over = False
        self.trouble = None

    @property
    def links(self):
        """(host, epoch, bytes of files that it took) of every link there was."""
        return tuple((hop.host, hop.epoch, hop.forwarded) for hop in self._links)

    @property
    def carried(self):
        """Whether everybody who is served took all that there is."""
        return self.over or (bool(self._hops) and all(hop.carried for hop in tuple(self._hops.values())))

    @property
    def held(self):
        """How many entries all behind hold that are or will be served from here; None if nobody is."""
        awaited = {*self._unopened, self._succession.target} - {None}
        hops = dict(self._hops)
        if awaited - hops.keys():
            return 0
        return min((hop.held for hop in hops.values()), default=None)

    @property
    def serves_several(self):
        """Whether more than one is served at this moment."""
        return len(self._hops) > 1

    def each(self, action):
        """Do something with every link that is there."""
        for hop in tuple(self._hops.values()):
            action(hop)

    def run(self):
        """Serve until nobody is left to be served."""
        try:
            while self._hops or self._succession.target:
                self._serve_next()
                self._events.get()()
                self._note_change()
        finally:
            self._part()
        self.over = True
        self._note_change()
        self.rise()

    def _part(self):
        """Wait for links to say why they end."""
        countdown = Countdown(LINKS_PART)
        for thread in self._threads:
            thread.join(countdown.left())

    def rise(self):
        """Somebody has taken all."""
        with self._changed:
            self._changed.notify_all()

    def await_carried(self, seconds):
        """Wait until everybody who is served has taken all that there is, for so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._stop.is_set() or self.carried, seconds)
        self._stop.check()

    def _serve_next(self):
        host = self._succession.target
        if host is not None and host not in self._hops:
            self._open(host)

    def _open(self, host, waits_for_us=False):
        hop = self._hops[host] = self._make_hop(host, self._succession.open(host))
        if waits_for_us:
            hop.expect_open_door()
        self._links.append(hop)
        self._tell("link", to=host, times=self._succession.opened(host))
        thread = threading.Thread(target=self._run, args=(hop,), name=f"link to {host}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, hop):
        try:
            error = hop.run()
        except Exception as trouble:  # what it is raised for is this host's own trouble
            error = trouble
        with suppress(Stopped):
            self._events.put(partial(self._link_ended, hop, error))

    def look_at(self, hop, here, there):
        """Of so many bytes that are here the destination of this link has so many: does it hold up those behind it? It
        is not to blame for what the limit takes.
        """
        if hop.pace.is_slow(time.monotonic() - hop.withheld, here, there) and self._succession.may_set_aside(hop.host):
            self._events.put(partial(self._set_slow_aside, hop))

    def try_too(self, host):
        """Somebody behind cannot reach this one: perhaps we can, beside all whom we serve."""
        self._unopened.add(host)
        self._events.put(partial(self._serve_too, host))

    def _serve_too(self, host):
        if self._succession.take(host):
            self._open(host, waits_for_us=True)
        self._unopened.discard(host)

    def _link_ended(self, hop, error):
        """Whoever comes before us hears what becomes of it before it stops counting among those that we serve."""
        if self._hops.get(hop.host) is hop:
            self._conclude(hop, error)
            del self._hops[hop.host]
            self.rise()

    def _conclude(self, hop, error):
        if is_superseded(error):
            self._leave_to_others(hop)
        elif error is None:
            self._close(hop)
        elif self._is_own(error):
            raise error
        else:
            self._lose(hop, error)

    def _leave_to_others(self, hop):
        """Somebody farther up serves it, or has to, because this host stood still."""
        self._tell("elsewhere", host=hop.host)
        self._left(hop.host, wire.ELSEWHERE)
        self._close(hop)

    def _close(self, hop):
        """It is done, or in other hands: if it was the nearest all behind it are too."""
        if self._succession.target == hop.host:
            self._succession.finish()

    def left_to_us(self, hop):
        """Who is served over this link does not serve those behind it."""
        self._events.put(partial(self._serve_beside, hop))

    def _set_slow_aside(self, hop):
        if hop.host not in self._hops or hop.carried or not self._succession.may_set_aside(hop.host):
            return
        if self._keeps:
            self._serve_beside(hop)
        else:
            self._give_up_slow(hop)

    def _serve_beside(self, hop):
        """Serve those behind it too."""
        if hop.host in self._hops and self._succession.set_aside(hop.host):
            self._tell("set-aside", host=hop.host)
            hop.say_adrift()  # so that those behind it let us in, though it is served as before
            hop.say_adrift(wire.FOUND)

    def _give_up_slow(self, hop):
        """It would lose its copy. Where this host or the way from it may be what is slow, the one farther up that comes
        next is asked to try first.
        """
        if self._succession.is_next(hop.host) and not hop.pushes_back:
            if hop.host not in self._handed_over:
                self._handed_over.add(hop.host)
                self._tell("handed-over", host=hop.host)
                self._left(hop.host, wire.ELSEWHERE)
        elif hop.leave_behind():
            self._tell("set-aside", host=hop.host)

    def _lose(self, hop, error):
        self.trouble = self.trouble or error
        self._tell("link-lost", to=hop.host, why=error.text)
        if hop.starved:
            self._leave_to_others(hop)
            return
        may_come_back = isinstance(error, ConnectionLost) and self._succession.opened(hop.host) < LINKS
        if not may_come_back or self._succession.target != hop.host:
            if isinstance(error, SYMPTOMS):
                self._left(hop.host, wire.NOT_REACHED, error.text)
            failed = isinstance(error, PeerFailed)
            self._succession.lose(hop.host, "failed" if failed else wire.NOT_REACHED, error.text)
