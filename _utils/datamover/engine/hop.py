"""What every link down a chain has, whoever makes it: it opens with patience, hears where the destination stands before
it sends, and lasts until the destination knows how all behind it ended.
"""

import threading
import time
from contextlib import suppress

from .. import wire
from ..errors import HandshakeRefused, LeftBehind, PeerUnreachable, Stalled, Superseded
from ..wire import Adrift, Behind, Bye, Landed, Ping, Published, Restart, Sealed, Standing
from . import dial
from .opening import introduce, is_passing
from .sending import Sending
from .standings import Awaited
from .stop import Countdown, Stopped
from .told import Nothing

PAUSE = 0.25
"""Seconds until a destination is tried again that could not be reached."""


class Hop(Sending):
    """`node` is the host that serves: it is told how hosts behind ended or that one was not reached, that one
    got on, that one has all.

    `carried` says whether the destination took all that there is, `held` how many entries of a stream it and all behind
    it hold.
    """

    def __init__(self, terms, roster, identity, session, tree, journal, progress, throttle, node):
        super().__init__(terms, roster, identity, session, tree, journal, progress, throttle)
        session.hop = self
        self.carried = False
        self.held = 0
        self._is_parting = False
        self._began = time.monotonic()
        self._node = node
        self.pace = node.new_pace()
        self._awaited = Awaited(terms.block_size, session.stop)
        self._told_tries = {}
        self._telling = threading.Lock()
        self._tries_for = 2 * terms.patience
        self.starved = False
        session.stop.on_set(self._note_end)

    @property
    def host(self):
        return self._peer.host

    @property
    def epoch(self):
        return self._terms.epoch

    @property
    def reached(self):
        return self._streams.reached

    @property
    def troubles(self):
        return self._streams.troubles

    def _standing_there(self):
        """What the destination has already. From now on it is asked what it took whenever there is nothing to send, so
        that waiting for more is not taken for owing.
        """
        standing = self._awaited.get()
        self._streams.hurry()
        return standing

    def _have_nothing_told(self):
        """Something was announced on another link; what the destination holds beside it was told there."""
        self._told = Nothing()

    @property
    def forwarded(self):
        """Bytes of files that the destination took over this link."""
        return sum(stream["bytes"] for stream in self._streams.figures)

    @property
    def withheld(self):
        """Seconds for which the limit kept from the destination what was there for it."""
        return self._times.stages().limit / self._terms.streams

    @property
    def pushes_back(self):
        """Whether it is the destination that takes so little, and not this host or the way that gives so little: for
        most of the time it had no room for what was there on any connection.
        """
        return 2 * min(stream.pushed_back for stream in self._streams) > time.monotonic() - self._began

    @property
    def owes(self):
        """Whether something is to come from the destination: where it stands, what it took, that it has published.
        After that it waits for those behind it.
        """
        return not self._is_parting and not (self._awaited.complete and self._has_all())

    def _has_all(self):
        """Whether the destination took all that was there for it so far, and more may come."""
        return not self._streams.ending and not any(stream.owing for stream in self._streams)

    @property
    def starves(self):
        """Whether the destination took all that it was given, and would get more if reading here got on."""
        return False

    def _note_end(self, reason):
        """Before its threads end: was it this host that stood still?"""
        self.starved = isinstance(reason, Stalled) and self.starves

    def is_final(self, error):
        """Whether this ends not only the link, but the whole transfer."""
        return self._node.is_final(error)

    def say_adrift(self, above=wire.LOST):
        """Who comes before us is lost, or found again."""
        if self._session.control is not None:
            with suppress(Stopped):
                self._say(Adrift(above=above))

    def leave_behind(self):
        """It holds up those behind it, and nobody keeps for long what it lacks. False if the link has ended."""
        text = f"{self.host} had the stream from {self._terms.host} so much slower than it came that it was left behind"
        way_out = f"nothing is kept of a stream: resume {self.host} from any host that has finished"
        return self._session.stop.set(LeftBehind(f"{text}, so that the others need not wait; {way_out}"))

    def run(self):
        """Serve the destination; why the link ended, None if all is done."""
        error, _ = self._session.run(self._move)
        return error

    def expect_open_door(self):
        """Others have tried long enough for the destination to have let us in."""
        self._tries_for = self._terms.patience

    def _open(self, hello):
        """Try for a while: the destination may first have to notice that it needs us, and to open its pinhole."""
        countdown = Countdown(self._tries_for)
        while True:
            try:
                sock = dial.connect(self._peer, self._session.stop, max(1.0, countdown.left()))
                return introduce(sock, self._context, hello, self._peer, self._session.stop)
            except (PeerUnreachable, HandshakeRefused) as error:
                if not countdown.left() or not is_passing(error):
                    raise
            if self._session.stop.wait(PAUSE):
                self._session.stop.check()

    def _await_parting(self):
        """It publishes, and parts when it knows how those behind it ended."""
        self._is_parting = True
        self._parted.get()

    def _hear(self, message):
        match message:
            case Standing():
                self._awaited.hear(message)
            case Ping():
                before = self._progress.peer
                super()._hear(message)
                if self._progress.peer != before:
                    self._node.rise()
                self._node.look_at(self, message.bytes_done)
            case Landed():
                self.held = max(self.held, message.watermark)
                self._node.holding.note()
            case Behind(result=wire.ELSEWHERE):
                self._node.left_to_us(self)
            case Behind(result=wire.NOT_REACHED):
                self._node.not_reached(message.host)
            case Behind():
                self._node.heard_of(message.host, message.result, message.text)
            case Sealed():
                super()._hear(message)
                self.carried = True
                self._node.carried()
            case Published():
                super()._hear(message)
                self._node.heard_of(self.host, "published", "")
            case Bye():
                self._parted.put(message)
            case _:
                super()._hear(message)

    def _tell_tries(self, standing, number):
        """Tell every try of an announced entry that the destination does not know; which one is meant now."""
        entry, current, _ = self._journal.known(number)
        announced_as = standing.try_of(number) if number < standing.announced else 1
        with self._telling:
            for try_ in range(self._told_tries.get(number, announced_as) + 1, current + 1):
                self._say(Restart(try_=try_, entry=entry, **self._terms.edition))
            if current > 1:
                self._told_tries[number] = current
        return entry, current


def is_superseded(error):
    """Whether a link ended because somebody farther up serves the destination by now."""
    return says(error, Superseded)


def says(error, kind):
    """Whether an error is of this kind, here or in the words of the other end."""
    return isinstance(error, kind) or getattr(error, "evidence", {}).get("name") == kind.name
