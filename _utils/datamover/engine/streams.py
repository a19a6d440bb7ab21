"""The bulk streams at the source: what each was given, what the other end took of it, what is owed still.

Who reads puts loads; one carrier for each stream asks what is due; who hears the other end tells what it took. A
stream outlives its connections: when one breaks, the bytes that wait are let go, only what they were is kept, and they
are read again for the next connection. So a broken network costs no memory, and the other streams carry on.
"""

import threading
from collections import deque
from contextlib import suppress
from enum import Enum, auto

from ..errors import ProtocolError
from ..wire import End
from .account import Account
from .bulk import Bulk
from .loads import BUFFER, Load, Owed
from .stop import Changes, Lane

BUFFERS = 4
"""For each stream: one being filled, one being sent, and some to even out."""
MOST_OWED = 1024
"""Pieces that a stream may owe; then it waits for the other end."""
MARK_PIECES = 64
MARK_BYTES = 16 * 1024 * 1024
"""After so much the other end is asked what it took."""
LULL = 0.05
"""Seconds without anything to send after which it is asked sooner, if somebody wants to know."""
PULSE = 1.0
"""Seconds after which a carrier that waits looks whether its connection lives."""


class Due(Enum):
    """What a carrier may have to do beside sending pieces."""

    MARK = auto()
    END = auto()
    PULSE = auto()
    LEAVE = auto()


def nothing(_owed):
    """What was taken can be read again, so nobody waits to let go of it."""


class Stream:
    """One bulk stream. `release(buffer)` takes back a buffer, `risen()` is told when a connection carries new loads,
    `let_go(owed)` of each piece that was taken.
    """

    def __init__(self, number, stop, release, risen, let_go=nothing):
        self.number = number
        self.connections = 0
        self.live = False
        self.ended = False
        self.trouble = None
        self._stop = stop
        self._release = release
        self._risen = risen
        self._let_go = let_go
        self._account = Account(number)
        self._queue = deque()
        self._admit = None
        self._link = None
        self._reached = self._base = 0
        self._unmarked = (0, 0)
        self._hurried = self._settling = self._ending = self._end_said = False
        lock = threading.RLock()
        self._changed = Changes(stop, lock)
        self._less_owed = Changes(stop, lock)  # for who waits until all was taken, and not for each load that is put

    @property
    def figures(self):
        """What was taken of it, and over how many connections."""
        account = self._account
        told = {"bytes": account.raw, "wire_bytes": account.bytes, "pieces": account.pieces}
        return {**told, "connections": self.connections}

    @property
    def pieces(self):
        """Pieces that were taken."""
        return self._account.pieces

    @property
    def waiting(self):
        """Loads that wait to be sent."""
        return len(self._queue)

    @property
    def owing(self):
        """Whether anything that it was given was not taken yet."""
        return bool(self._queue or len(self._account))

    @property
    def reached(self):
        """Grows only when more bytes than ever before left on this stream, however often they are sent again."""
        with self._changed:
            self._note_reach()
            return self._reached

    def _note_reach(self):
        if self._link is not None:
            self._reached = max(self._reached, self._base + self._link.sent)

    @property
    def pushed_back(self):
        """Seconds for which the other end took less than there was for it, on the present connection."""
        with self._changed:
            return self._link.pushed_back if self._link is not None else 0.0

    @property
    def giving(self):
        """Whether something waits here, or is on its way to the other end's kernel."""
        with self._changed:
            return bool(self._queue or self._account.unsent or (self._link is not None and self._link.in_flight))

    # For who reads

    def put(self, load):
        """Give it a load, waiting while it has enough. Without a connection its bytes are let go."""
        with self._changed:
            self._changed.until(self._has_room)
            if self.live:
                self._queue.append(load)
                self._changed.notify_all()
                return
            self._account.owe(Owed.of(load))
        self._release(load.buffer)

    def _has_room(self):
        return len(self._queue) < BUFFERS if self.live else len(self._account) < MOST_OWED

    def hurry(self):
        """From now on have the other end asked for what it took, whenever there is a lull."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def settle(self):
        """Have the other end asked for what it took of all this, as soon as that is sent."""
        with self._changed:
            self._settling = True
            self._changed.notify_all()

    def settled(self):
        """Return when all that was put was taken, or is void."""
        with self._less_owed:
            self._less_owed.until(lambda: not self._queue and not self._account)
            self._settling = False

    def end(self):
        """Nothing follows. Only when all is settled."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def await_end(self):
        """Return when the other end took the end."""
        with self._less_owed:
            self._less_owed.until(lambda: self.ended)

    # For who hears

    def admit(self, admit):
        """The other end waits for this stream's next connection, and took so much of it until now."""
        with self._changed:
            if admit.connection != self.connections + 1 or self._admit or self.ended:
                raise ProtocolError(
                    f"connection {admit.connection} of stream {admit.stream} was admitted, which "
                    f"{'has ended' if self.ended else f'had {self.connections} connections'}"
                )
            self._take_off(admit)
            self._admit = admit
            self._fall()
            self._notify_taken()

    def taken(self, taken):
        with self._changed:
            self._take_off(taken)
            if taken.ended and not self._end_said:
                raise ProtocolError(f"stream {self.number} is said to have ended, but goes on")
            self.ended = taken.ended
            self._notify_taken()

    def _notify_taken(self):
        self._changed.notify_all()
        self._less_owed.notify_all()

    def _take_off(self, told):
        for owed in self._account.taken(told.pieces, told.bytes):
            self._let_go(owed)

    # For its carrier

    def admission(self):
        """The Admit of the next connection, or None when the stream has ended."""
        with self._changed:
            self._changed.until(lambda: self._admit or self.ended)
            admit, self._admit = self._admit, None
            self.connections += admit is not None
            return admit

    def begin(self, link):
        """This connection is open."""
        with self._changed:
            self._account.begin()
            self._link, self._base = link, self._account.bytes
            self._unmarked, self._end_said = (0, 0), False

    def lose(self, trouble):
        """The connection is gone, or could not be made."""
        with self._changed:
            self.trouble = trouble
            self._fall()
            self._notify_taken()

    def next(self):
        """What is due: a Load or an Owed to be sent now, or a Due."""
        with self._changed:
            while (due := self._due()) is None:
                self._stop.check()
                asks = self._hurried and self._unmarked[0] > 0
                if not self._changed.wait(LULL if asks else PULSE):
                    return Due.MARK if asks else Due.PULSE
            return due

    def sending(self, payload, raw):
        """What next() gave is being sent, with so many payload bytes, which stand for `raw` ones."""
        with self._changed:
            self._account.sending(payload, raw)
            pieces, size = self._unmarked
            self._unmarked = pieces + 1, size + payload

    def skip(self):
        """What next() gave is void."""
        with self._changed:
            self._account.skip()
            self._notify_taken()

    def count(self, kind):
        """The Mark or End to be said now."""
        with self._changed:
            self._unmarked, self._end_said = (0, 0), kind is End
            return kind(*self._account.sent, self.number)

    def _due(self):
        if self._admit or self.ended:
            return Due.LEAVE
        if owed := self._account.unsent:
            return owed
        self._rise()
        pieces, size = self._unmarked
        if pieces >= MARK_PIECES or size >= MARK_BYTES:
            return Due.MARK
        if self._queue and len(self._account) < MOST_OWED:
            return self._take_load()
        if pieces and self._settling:
            return Due.MARK
        return Due.END if self._ending and not self._end_said else None

    def _take_load(self):
        load = self._queue.popleft()
        self._account.owe(Owed.of(load))
        self._changed.notify_all()
        return load

    def _rise(self):
        if not self.live:
            self.live, self.trouble = True, None
            self._changed.notify_all()
            self._risen()

    def _fall(self):
        """From now on nothing is sent; what waits is only owed."""
        self.live = False
        if self._link is not None:
            self._note_reach()
            link, self._link = self._link, None
            with suppress(OSError):
                link.break_off()
        while self._queue:
            load = self._queue.popleft()
            self._account.owe(Owed.of(load))
            self._release(load.buffer)


class Streams(Bulk):
    """All of them, and the buffers that go round."""

    def __init__(self, count, stop, let_go=nothing):
        self._free = Lane(BUFFERS * count, stop, (bytearray(BUFFER) for _ in range(BUFFERS * count)))
        self._risen = Changes(stop)
        told = self.release, self._rise, let_go
        super().__init__(Stream(number, stop, *told) for number in range(1, count + 1))
        self.ending = False
        self._last = 0
        self._kept = None, 0
        self._outdated = []

    def buffer(self):
        """An empty buffer, as soon as one is free."""
        return self._free.get()

    def release(self, buffer):
        self._free.put(buffer)

    def choose(self, keeping=None):
        """The number of the stream that has least to do; the last one again if it was chosen for the same `keeping`."""
        if keeping is None or self._kept[0] != keeping:
            self._kept = keeping, self._idlest()
        return self._kept[1]

    def _idlest(self):
        with self._risen:
            self._risen.until(lambda: any(stream.live for stream in self._all))
        turn = (*self._all[self._last :], *self._all[: self._last])
        self._last = min(turn, key=lambda stream: (not stream.live, stream.waiting)).number
        return self._last

    def put(self, load: Load):
        self._all[load.piece.stream - 1].put(load)

    def outdated(self, number, try_):
        """A file that is owed is not what it was when it was read."""
        self._outdated.append((number, try_))

    def hurry(self):
        """From now on ask in each lull what was taken, so that it can be let go and waiting is not taken for owing."""
        for stream in self._all:
            stream.hurry()

    def settle(self):
        """Wait until all was taken; return (number, try) of what could not be sent again because it changed."""
        for stream in self._all:
            stream.settle()
        for stream in self._all:
            stream.settled()
        outdated, self._outdated = self._outdated, []
        return outdated

    def end(self):
        """No loads follow."""
        self.ending = True
        for stream in self._all:
            stream.end()

    def await_end(self):
        for stream in self._all:
            stream.await_end()

    def _rise(self):
        with self._risen:
            self._risen.notify_all()
