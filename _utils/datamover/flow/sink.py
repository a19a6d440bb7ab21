"""The destination's edge of a stream: segments go to a consumer, in their order, and what it makes lies in staging.

The consumer (a program, or our own unpacking) makes `data` in the staging directory. Nothing of it is published before
the producer's report has come, the consumer has ended well, what it made was checked, and all is on the disk. Nothing
is kept of a stream that breaks: it cannot be gone on with.
"""

from ..disk import staging as staged
from ..engine.stop import Changes
from ..errors import ProtocolError
from . import segments

NOT_PART = "a stream has no part that could be"


class StreamStaging(staged.Staging):
    """For one Receiver, once it is attached to its consumer: begin(anchor, name, stop), feed(view), finish(report),
    which gives a report of its own or raises, end().
    """

    _consumer = None

    def attach(self, consumer, block_size):
        self._consumer = consumer
        self._block_size = block_size
        self._turn = 1
        self._report_number = None
        self._told = None
        self._changed = None
        self.report = {}
        return self

    def begin(self, stop):
        """Start the consumer, in the thread that lives as long as the transfer."""
        self._changed = Changes(stop)
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

    def write(self, number, _try, _offset, view):
        """The next bytes of a segment, as soon as it is its turn."""
        self._await_turn(number)
        if number == self._report_number:
            raise ProtocolError("the report of a stream came in pieces")
        self._feed(view)
        return True

    def put_pack(self, files):
        for number, _, view in files:
            self._put_whole(number, view)
        return files

    def _put_whole(self, number, view):
        self._await_turn(number)
        if number == self._report_number:
            self._told = segments.decode(view)
        else:
            self._feed(view)
        self._next()

    def finish(self, _number):
        self._next()
        return True

    def _feed(self, view):
        self._headroom.take_bytes(len(view))
        self._consumer.feed(view)

    def _await_turn(self, number):
        with self._changed:
            self._changed.until(lambda: number <= self._turn)

    def _next(self):
        with self._changed:
            self._turn += 1
            self._changed.notify_all()

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
        self.report = self._consumer.finish(self._told)

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
