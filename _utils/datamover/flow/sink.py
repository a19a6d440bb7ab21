"""The destination's edge of a stream: segments go to a consumer, in their order, and what it makes lies in staging.

The consumer (a program, or our own unpacking) makes `data` in the staging directory. Nothing of it is published before
the producer's report has come, the consumer has ended well, what it made was checked, and all is on the disk. Nothing
is kept of a stream that breaks: it cannot be gone on with.

In a chain segments are kept beside that, in a window in memory, until all behind hold them; a segment that was begun
on one link is gone on with on another.
"""

import threading

from ..disk import staging as staged
from ..engine.stop import Changes, Stopped
from ..errors import ProtocolError
from . import segments
from .source import Segment
from .spool import Window

NOT_PART = "a stream has no part that could be"


class StreamStaging(staged.Staging):
    """For one Receiver, once it is attached to its consumer: begin(anchor, name, stop), feed(view), finish(report),
    which gives a report of its own or raises, end().
    """

    _consumer = None
    keeps = False

    def attach(self, consumer, block_size):
        self._consumer = consumer
        self._block_size = block_size
        self._turn = 1
        self._fed = 0
        self._feeding = threading.Lock()
        self._report_number = None
        self._told = None
        self._changed = None
        self._kept = NothingKept()
        self._note = nothing
        self._finished = False
        self.report = {}
        return self

    def begin(self, stop):
        """Start the consumer, in the thread that lives as long as the transfer."""
        self._changed = Changes(stop)
        if self.keeps:
            self._kept = Kept(self._block_size, stop, self._journal)
        self._consumer.begin(self.anchor, staged.DATA, stop)

    def room(self):
        """What a consumer that knows what it makes has to ask before it takes bytes and inodes."""
        return self._headroom

    # What comes

    def announce(self, entries):
        for entry in entries:
            segments.check(entry, self._block_size, self._report_number is not None)
            if entry.name == segments.REPORT:
                self._report_number = entry.number
        self._journal.add(entries)

    def write(self, number, _try, offset, view):
        """The next bytes of a segment, as soon as it is its turn."""
        self._await_turn(number)
        if number == self._report_number:
            raise ProtocolError("the report of a stream came in pieces")
        with self._feeding:
            self._check_next(number, offset)
            self._kept.keep(number, offset, view)
            self._feed(view)
            self._fed += len(view)
        return True

    def put_pack(self, files):
        """Those that were fed, which have landed whatever becomes of the rest: the link may be cut while that waits."""
        fed = []
        for number, try_, view in files:
            try:
                self._put_whole(number, view)
            except Stopped:
                if not fed:
                    raise
                break
            fed.append((number, try_, view))
        return fed

    def _put_whole(self, number, view):
        self._await_turn(number)
        with self._feeding:
            self._check_next(number, 0)
            self._kept.keep(number, 0, view)
            if number == self._report_number:
                self._told = segments.decode(view)
            else:
                self._feed(view)
            self._next()

    def _check_next(self, number, offset):
        """What was fed cannot be taken back, so nothing is fed twice, whoever sends it on however many streams."""
        if (number, offset) != (self._turn, self._fed):
            raise ProtocolError(
                f"bytes of segment {number} from {offset} on came when {self._fed} of segment {self._turn} had been fed"
            )

    def finish(self, _number):
        self._next()
        return True

    def _feed(self, view):
        self._headroom.take_bytes(len(view))
        self._consumer.feed(view)

    def _await_turn(self, number):
        with self._changed:
            self._changed.until(lambda: number <= self._turn or self._kept.cut)
            if number > self._turn:
                raise Stopped

    def _next(self):
        with self._changed:
            self._turn += 1
            self._fed = 0
            self._changed.notify_all()
        self._note()

    # In a chain

    def share(self, note):
        """Others take it from here: `note()` is told whenever more of it is held."""
        self.keeps = True
        self._note = note

    def passing(self, _journal):
        return Passed(self)

    @property
    def kept(self):
        return self._kept

    @property
    def held(self):
        """All entries below this number are held: of the last one that is said when the consumer has ended well."""
        with self._changed:
            return self._turn - (self._told is not None and not self._finished)

    def cut(self):
        """The link that it came on is over: who waits on it for its turn, or for room, waits no more."""
        self._kept.cut_off()
        if self._changed is not None:
            with self._changed:
                self._changed.notify_all()

    def mend(self):
        """Nobody waits any more; another link may begin."""
        self._kept.cut = False

    def complete(self):
        """Wait for the report, then end the consumer. For one thread."""
        with self._changed:
            self._changed.until(lambda: self._told is not None)
        self.report = self._consumer.finish(self._told)
        with self._changed:
            self._finished = True
            self._changed.notify_all()
        self._note()

    # What cannot be

    def hole(self, *_piece):
        raise ProtocolError(f"{NOT_PART} a hole")

    def keep(self, *_piece):
        raise ProtocolError(f"{NOT_PART} held")

    def restart(self, entry, _try):
        raise ProtocolError(f"{entry} of a stream was said to begin again")

    # The end

    def make_specials(self):
        """The stream is whole: the consumer ends, and what it made is checked."""
        if self._told is None:
            raise ProtocolError("the stream ended without the producer's report")
        if not self.keeps:
            self.report = self._consumer.finish(self._told)
            return
        with self._changed:
            self._changed.until(lambda: self._finished)

    def apply_metadata(self):
        """The consumer saw to it."""

    def check_metadata(self):
        return []

    @property
    def has_arrived(self):
        """Nothing that another attempt could go on with."""
        return False

    def _let_go(self):
        if self._consumer:
            self._consumer.end()
        super()._let_go()


def nothing():
    """Nobody takes it from here."""


class NothingKept:
    """Where a stream ends all of it goes to the consumer."""

    cut = False

    def keep(self, number, offset, view):
        """Nobody asks for it again."""

    def cut_off(self):
        """Nobody waits for room."""


class Kept:
    """What those behind may still lack of a stream, in a window."""

    def __init__(self, size, stop, journal):
        self.window = Window(size, stop, lambda: journal.step())
        self.cut = False
        self._journal = journal
        self._begun = 0

    def keep(self, number, offset, view):
        """The next bytes of the segment whose turn it is; Stopped if the link is cut while there is no room."""
        if number > self._begun:
            buffer = self.window.room(lambda: self.cut)
            if buffer is None:
                raise Stopped
            self.window.keep(number, buffer, self._journal.entry(number).size)
            self._begun = number
        self.window.fill(number, offset, view)
        self.window.note(len(view))

    def cut_off(self):
        self.cut = True
        self.window.wake()


class Passed:
    """What is kept of a stream, as a source of what a relay passes on."""

    def __init__(self, staging):
        self._staging = staging

    @property
    def slow(self):
        return self._staging.kept.window.slow

    def unhindered(self, count, _seconds):
        """The seconds in which so much would arrive if nobody behind held it up."""
        return self._staging.kept.window.flow.seconds(count)

    def begin(self, _stop):
        """The way is proved. What is passed on needs not be started."""

    def let_go(self, _owed):
        """A piece was taken by one; see let_go_below()."""

    def let_go_below(self, number):
        """All behind hold what comes before this segment."""
        self._staging.kept.window.let_go_below(number)

    def while_moving(self, publish):
        """By then all behind have all of it."""
        publish()

    def open(self, entry):
        return Segment(entry, self._staging.kept.window)

    def close(self):
        """Nothing is open."""
