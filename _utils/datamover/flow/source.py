"""The source's edge of a stream: what a producer makes, segment by segment, in the form of a tree that is read once.

A segment stays in memory until the other end took it, because a connection may break; nothing is read twice and nothing
can be begun again. The stream ends with the producer's report, and that there is one says that it ended well: a
producer that fails makes no report, and a stream without report is never sealed.
"""

from ..errors import SourceChanged
from ..wire import PieceKind, table_rows
from . import segments
from .spool import Spool, Window


class NothingSkipped:
    """What a tree would tell of entries that cannot travel."""

    shown = ()
    more = 0


class Segment:
    """A segment of the stream, in the form of an open file."""

    def __init__(self, entry, spool):
        self.entry = entry
        self._spool = spool

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        """Nothing is open."""

    def extents(self, offset=0, length=None):
        return iter([(offset, self.entry.size if length is None else length, False)])

    def read_into(self, offset, view):
        self._spool.read(self.entry.number, offset, view)
        return len(view)

    def unchanged(self):
        return True


class StreamSource:
    """For one Sender. `producer` has begin(stop), read_into(view), finish() which gives the report or raises, end(),
    parent.
    """

    skipped = NothingSkipped()
    excluded = 0

    def __init__(self, producer, journal, block_size, step):
        self.report = {}
        self._producer = producer
        self._journal = journal
        self._block_size = block_size
        self._step = step
        self._new_spool = Spool
        self._spool = None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    @property
    def parent(self):
        """Descriptor of the directory that the producer reads from; None if it opens no name itself."""
        return self._producer.parent

    def share(self):
        """A chain takes it: what was made is kept until all hosts hold it, see let_go_below()."""
        self._new_spool = lambda size, stop: Window(size, stop, self._step)

    def begin(self, stop):
        """The way is proved: start the producer. In the thread that lives as long as the transfer."""
        self._spool = self._new_spool(self._block_size, stop)
        self._producer.begin(stop)

    def close(self):
        """Whatever happened: the producer is gone after this, and what it changed on its host is as it was."""
        self._producer.end()

    # Listing

    def walk(self):
        """The entries, each as soon as it is there."""
        number = 0
        yield self._told(segments.root())
        while size := self._fill(number + 1):
            number += 1
            yield self._told(segments.segment(number, size))
        self.report = self._producer.finish()
        encoded = segments.encode(self.report)
        self._spool.keep(number + 1, bytearray(encoded), len(encoded))
        yield self._told(segments.report(number + 1, len(encoded)))
        self._journal.flush()

    def _fill(self, number):
        """Fill the next segment from the producer; its size, 0 at the end."""
        buffer = self._spool.room()
        view, at = memoryview(buffer), 0
        while at < len(view) and (count := self._producer.read_into(view[at:])):
            at += count
            self._step()
        view.release()
        if at:
            self._spool.keep(number, buffer, at)
            self._spool.note(at)
        return at

    @property
    def slow(self):
        """In a chain: when one that lags behind another is slow (see Pace)."""
        return self._spool.slow if self._spool else ()

    def unhindered(self, count):
        """In a chain: the seconds in which so much would be made if nobody held it up."""
        return self._spool.flow.seconds(count)

    def _told(self, entry):
        self._journal.add([entry])
        return entry

    # Reading

    def open(self, entry):
        return Segment(entry, self._spool)

    def read_small(self, entry, view):
        return self.open(entry).read_into(0, view[: entry.size])

    def let_go(self, owed):
        """The other end took a piece."""
        if owed.piece.kind == PieceKind.PACKED:
            for number, _, size in table_rows(owed.table):
                self._spool.let_go(number, size)
        else:
            self._spool.let_go(owed.piece.entry, owed.piece.length)

    def let_go_below(self, number):
        """All hosts of the chain hold what comes before this segment."""
        self._spool.let_go_below(number)

    def refresh(self, entry):
        raise SourceChanged(f"{entry} of a stream cannot be read again: nothing holds it any more")

    @staticmethod
    def suspects():
        return iter(())
