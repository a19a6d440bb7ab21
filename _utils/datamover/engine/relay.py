"""A destination in a chain: what arrives is written, verified and published as at any destination, and passed on.

It is served over one link after the other (see upstream) and serves over others (see onward, forwarder). What it has
outlives its links; whoever comes is told of it. It begins to serve as soon as it is served, and goes on when it has
published, until it knows how all behind it ended.
"""

import threading
import time
from dataclasses import replace

from .. import wire
from ..errors import LeftBehind, PredecessorLost, SealInvalid, SourceChanged, SourceVanished, Superseded
from ..wire import Behind, Bye, Have, Kept, Landed, Published, Sealed
from .chainreception import ChainReception
from .forwarder import Forwarder
from .holding import Holding, NothingHeld
from .hop import says
from .linksession import SHARE, DownSession, Flow
from .onward import OF_A_LINK, Onward
from .order import Order, Succession
from .outcome import Chain
from .pace import Pace
from .progress import Progress
from .receiver import Receiver
from .stop import Countdown, Lane, Stopped
from .throttle import Throttle
from .upstream import NO_MORE, Upstream

LONGEST_HOLD = 60.0
"""Seconds for which publishing waits until who comes next has everything too."""
SLACK = 8.0
"""Seconds more than those farther up need at most, one after the other."""
OF_FILES = "what has arrived is kept: resume it, from the source or from any host that has finished"
OF_A_STREAM = "nothing is kept of a stream: resume it from any host that has finished"


class Relay(Receiver):
    """One use. `on_adrift(members)` opens the way for those farther up the chain; `throttle` holds a limit for all that
    is passed on.
    """

    def __init__(
        self, spec, roster, identity, listener, staging, journal, progress, stop, on_sealed, on_adrift, throttle=None
    ):
        hosts = [member["host"] for member in roster["members"]]
        self._order = Order(hosts, spec["host"])
        self._upstream = None
        self._words = []
        self.behinds = []
        self._links = threading.Lock()
        super().__init__(spec, roster, identity, listener, staging, journal, progress, stop, on_sealed)
        stop = self._session.stop
        self._session.bulk = self
        self._identity = identity
        self._on_adrift = on_adrift
        self._throttle = throttle or Throttle(self._terms.limit, stop)
        self._flow = Flow(progress)
        self._passing = staging.passing(journal)
        self._ledger.share()
        self.seal = None
        self.partial = staging.partial
        self._taken = []
        self._predecessors = []
        self._succession = Succession(self._order)
        told = progress.tell, is_own, self._left, stop
        self._onward = Onward(self._succession, self._new_hop, *told, self._serves_others, not self._terms.stream)
        self.holding = self._new_holding(stop)
        self._served, self._ready, self._landed = Lane(1, stop), Lane(1, stop), Lane(1, stop)
        self._all_ended, self._parted = Lane(1, stop), Lane(1, stop)
        self._opened = self._over = self._nobody_comes = False
        self._adrift_since = None
        self._seen, self._began_at, self._seen_at = 0, 0.0, 0.0

    def _new_reception(self, stop):
        return ChainReception(self._terms, self._roster, self._order, self._give_way, stop)

    def run(self):
        try:
            return super().run()
        finally:
            self._passing.close()

    def outcome(self, error=None, troubles=()):
        chain = Chain(tuple(self._predecessors), self._onward.links, self._succession.lost)
        return replace(super().outcome(error, troubles), chain=chain)

    @property
    def _streams(self):
        links = (*self._taken, self._upstream) if self._upstream else tuple(self._taken)
        return tuple(figures for link in links for figures in link.inlets.figures)

    # Both directions together, as the watch over all of it sees them

    @property
    def reached(self):
        upstream = self._upstream
        # How long one waits for another predecessor is bounded in _await_link, or where somebody farther up waits.
        waits = time.monotonic() if self._predecessors and (upstream is None or self._adrift_since) else 0
        return upstream.inlets.reached if upstream else 0, waits, self._flow.behind

    @property
    def troubles(self):
        upstream = self._upstream
        return upstream.inlets.troubles if upstream else f"; {self._terms.host} is served by nobody"

    # The story

    def _take(self):
        crew = self._session.crew
        crew.start("door", self._door.run)
        crew.start("upstream", self._be_served)
        self._served.get()
        self._staging.begin(self._session.stop)
        self._ready.put(True)
        crew.start("verifier", self._verifier.run)
        if self._terms.considers:
            crew.start("looking", self._holdings.run)
        if self._terms.stream:
            crew.start("completing", self._staging.complete)
            crew.start("telling", self._tell_held)
        crew.start("onward", self._serve)
        self._seal_everything(self._landed.get())
        self._session.stop.check()
        self._progress.enter("publishing")
        self._onward.await_carried(min(LONGEST_HOLD, self._terms.stall_timeout / 5))
        self._passing.while_moving(self._on_sealed)
        self._progress.enter("published")
        self._word(Published(root=self._root, **self._terms.edition))
        self._all_ended.get()
        self._word(NO_MORE)
        self._await_parted()
        return (Bye(),)

    def _await_parted(self):
        """Who serves us hears all that became of us; if that one is lost, who comes in its place. One that stands still
        is not waited for.
        """
        before = None
        while self._parted.get_within(self._terms.stall_timeout / SHARE) is None:
            if self._upstream and self._upstream is before:
                return
            before = self._upstream

    # Being served

    def _be_served(self):
        while (coming := self._await_link()) is not NO_MORE:
            self._predecessors.append((coming.member.host, coming.epoch))
            upstream = Upstream(self, coming, self._terms, self._progress, self._flow, self._session.stop)
            with self._links:
                self._upstream = upstream
                for word in self._words:
                    upstream.word(word)
            error = upstream.run()
            with self._links:
                self._taken.append(upstream)
                self._upstream = None
            self._session.stop.check()
            if error is None:
                break
            self._after(upstream, error)
        self._parted.put(True)

    def _after(self, upstream, error):
        """A link has ended: is that the end of all?"""
        if self.seal is None and (upstream.over or says(error, LeftBehind) or not isinstance(error, OF_A_LINK)):
            self._over = upstream.over
            raise error
        if upstream.over:
            self._nobody_comes = True
        elif not isinstance(error, Superseded):
            self._progress.tell("predecessor-lost", host=upstream.member.host, why=error.text)
            self.set_adrift(error.text)

    def _await_link(self):
        """The next Coming, or NO_MORE if there will be none. Who has nobody before it opens the way for all farther up,
        after a while or at once; who has published waits too, since they ask those behind before they call them lost.
        """
        patience, bound = Countdown(self._terms.patience), self._bound()
        while True:
            waits_on = self._opened or self._nobody_comes
            coming = self._reception.control.get_within(1.0 if waits_on else max(0.05, patience.left()))
            if coming is not None:
                return coming
            if self.seal is not None and self._has_said_all() and (self._nobody_comes or not bound.left()):
                return NO_MORE
            if not (waits_on or patience.left()):
                self.set_adrift("nobody came")
            if bound and self.seal is None and not bound.left():
                raise self._lost()

    def _bound(self):
        """How long to wait for another one after the first; for the first it is the lease that decides.

        Those farther up look for us since whoever was before us was lost, be it only by who served us.
        """
        if not self._predecessors:
            return None
        each, since = 2 * self._terms.patience, self._adrift_since or time.monotonic()
        bound = min(self._terms.stall_timeout, self._terms.quiet + each * len(self._order.before) + SLACK)
        return Countdown(max(each, bound - (time.monotonic() - since)))

    def _lost(self):
        last, _ = self._predecessors[-1]
        way_out = OF_A_STREAM if self._terms.stream else OF_FILES
        none_came = f"none of {', '.join(self._order.before)} came in its place"
        return PredecessorLost(f"{self._terms.host} lost {last}, and {none_came}; {way_out}")

    def _has_said_all(self):
        with self._links:
            return NO_MORE in self._words

    def _give_way(self, member):
        """Somebody farther up has come."""
        with self._links:
            upstream = self._upstream
        if upstream:
            upstream.give_up(Superseded(f"{self._terms.host} is served by {member.host} from now on"))

    def set_adrift(self, why):
        """Let in whoever is farther up, and have those behind do the same: they may be needed there."""
        self._adrift_since = self._adrift_since or time.monotonic()
        if not self._opened:
            self._opened = True
            self._progress.tell("adrift", why=why)
            self._on_adrift([self._roster.member(host) for host in self._order.before])
        self._onward.each(lambda hop: hop.say_adrift())

    def found_again(self):
        """Somebody serves us, or those farther up, again."""
        if self._adrift_since:
            self._adrift_since = None
            self._onward.each(lambda hop: hop.say_adrift(wire.FOUND))

    # What is kept of a stream

    def _new_holding(self, stop):
        if not self._terms.stream:
            return NothingHeld()
        self._staging.share(self._note_held)
        own = lambda: self._staging.held, lambda: self._onward.held
        return Holding(*own, self._passing.let_go_below, stop)

    def _note_held(self):
        self.holding.note()

    def _serves_others(self):
        """A host was served to its end or passed by: that is getting on, however long it took to give it up."""
        self._flow.rise()
        self._note_held()

    def _tell_held(self):
        held = 0
        while True:
            held = self.holding.await_more(held)
            self.say_held()

    def say_held(self):
        """What this host and all behind it hold; nobody needs to know once all is sealed."""
        upstream = self._upstream
        if self.holding.upto and self.seal is None and upstream and upstream.conversing:
            landed = self._progress.counters.bytes_done
            self._say_if_open(upstream, Landed(watermark=self.holding.upto, bytes=landed, **self._terms.edition))

    # What a link needs of its relay

    def begin(self):
        """The way from somebody before this host is proved."""
        self._progress.enter("moving")
        self.found_again()
        if not self._began_at:
            self._began_at = time.monotonic()
            self._served.offer(True)
            self._ready.get()

    @property
    def ledger(self):
        return self._ledger

    @property
    def intake(self):
        return self._intake

    @property
    def expect(self):
        return self._reception.expect

    def check(self):
        self._session.stop.check()

    def cut(self):
        """The link is over: who waits for what would come on it waits no more."""
        self._ledger.cut()
        self._staging.cut()

    def mend(self):
        """Nobody waits any more."""
        self._staging.mend()

    def hear(self, message):
        self._hear(message)

    def hear_digests(self, whole):
        self._compare(whole, ours=False)

    def has_landed(self, seal):
        """All has come, and the source's seal, which is the same on every link."""
        self._check_signature(seal)
        if self.seal is None:
            self.seal = seal
            self._ledger.wake()
            self._landed.put(seal)
        elif self.seal != seal:
            raise SealInvalid("a second seal came that is not the first")

    def _take_restart(self, restart):
        upstream = self._upstream
        if upstream:
            upstream.forget_parts(restart.entry.number)
        super()._take_restart(restart)

    def _say(self, message):
        """What is found here is told to who serves us now, if it can use it."""
        match message:
            case Sealed():
                self._word(message)
            case Have() | Kept():
                upstream = self._upstream
                if upstream and upstream.fresh:
                    self._say_if_open(upstream, message)

    @staticmethod
    def _say_if_open(upstream, message):
        try:
            upstream.say(message)
        except Stopped:
            return

    def _word(self, message):
        with self._links:
            self._words.append(message)
            if self._upstream:
                self._upstream.word(message)

    # Serving

    @property
    def adrift(self):
        """Whether nobody serves us, or somebody farther up whom we depend on."""
        return bool(self._adrift_since)

    def _serve(self):
        self._onward.run()
        self._all_ended.put(True)

    def _new_hop(self, host, epoch):
        terms = replace(self._terms, role="source", epoch=epoch)
        progress = Progress()
        session = DownSession(terms, self._roster.member(host), progress, self._session.stop, self._flow.from_above)
        place = terms, self._roster, self._identity, session, self._passing, self._journal, progress
        return Forwarder(*place, self._throttle, self)

    # What a link needs of who serves

    def new_pace(self):
        return Pace(*self._passing.slow)

    def is_final(self, _error):
        """Only what the source gave up for ends those behind too."""
        return self._over

    def rise(self):
        """Somebody behind got on."""
        self._flow.rise()

    def look_at(self, hop, there):
        """Who is served has got so far."""
        self._onward.look_at(hop, self._arrived(), there)

    def _arrived(self):
        """Bytes that have landed here, and the seconds that they need, as exact as heartbeats are."""
        landed = self._progress.counters.bytes_done
        if landed != self._seen:
            self._seen, self._seen_at = landed, time.monotonic()
        return landed, self._passing.unhindered(landed, self._seen_at - self._began_at)

    def carried(self):
        """Who is served has all."""
        self._onward.rise()

    def heard_of(self, host, result, text):
        """A host behind this one has ended."""
        if self._succession.tell(host, result, text):
            self._say_of(Behind.of(host, result, text))

    def left_to_us(self, hop):
        """Who is served does not serve those behind it."""
        self._onward.left_to_us(hop)

    def not_reached(self, host):
        """Who is served cannot reach one behind it."""
        self._onward.try_too(host)

    def _left(self, host, result, text=""):
        """Somebody farther up serves this one, or has to try it: whoever serves us must not rely on us for it."""
        self._say_of(Behind.of(host, result, text))

    def _say_of(self, behind):
        """Say what becomes of those behind, now and on every link that comes."""
        self.behinds.append(behind)
        upstream = self._upstream
        if upstream and upstream.conversing:
            self._say_if_open(upstream, behind)


def is_own(error):
    """Whether what ended a link is this host's own trouble. That somebody changed what was published is not."""
    return not isinstance(error, (*OF_A_LINK, SourceChanged, SourceVanished))
