"""The destination looks at what it has already of what is announced, and tells it to the source block by block.

A thread of its own reads behind the announcements, while the source reads and sends what was told already. What it
reads is digested as it will be in the end: a file that turns out to be held need not be read again, and of one that is
held up to some block only what follows.
"""

import threading

from .. import digests, wire
from ..blocks import ContentBuilder, block_count
from ..manifest import Kind
from ..wire import Part
from .stop import Lane

WAITING = 16
"""Batches of entries that may wait to be looked at; an honest source announces fewer ahead."""
PORTION = 16 * 1024 * 1024
"""How much of a file is read before it is told."""
MARKS = 256
"""Places in one file at which digesting can go on; where there would be more, every other is forgotten."""
MOST_KEPT = 256 * 1024
"""Blocks whose digests are kept until their files have landed; what is beyond is read again."""


class Reading:
    """What was read of one file, so that digesting can go on where it ends to be held."""

    def __init__(self, entry, new_hasher, block_size):
        self.entry = entry
        self.builder = ContentBuilder(new_hasher, block_size)
        self._restored = lambda count, mark: ContentBuilder.restored(
            new_hasher, block_size, self.builder.blocks[:count], mark
        )
        self._marks = []
        self._stride = self._since = 1

    def note(self):
        """Some whole blocks were read; the file can be taken up here."""
        self._since -= 1
        if self._since:
            return
        self._since = self._stride
        self._marks.append((len(self.builder.blocks), self.builder.mark()))
        if len(self._marks) > MARKS:
            self._marks = self._marks[1::2]
            self._stride = self._since = 2 * self._stride

    def upto(self, count):
        """A new builder that has taken at most so many blocks; None if it would have taken none."""
        known = [mark for mark in self._marks if mark[0] <= count]
        return self._restored(*known[-1]) if known else None

    @property
    def content(self):
        """The Content of the file, if all of it was read."""
        return self.builder.finish() if self.builder.length == self.entry.size else None


class Holdings:
    """`say` tells the source; `look_first` is called with every batch and whether it is the last.

    run() is for one thread, consider() for another, the rest for any.
    """

    def __init__(self, terms, staging, look_first, say, step, stop, times):
        self._look_first = look_first
        self._terms = terms
        self._staging = staging
        self._say = say
        self._step = step
        self._times = times
        self._new_hasher = times.hashing(digests.constructor(terms.algorithm))
        self._lane = Lane(WAITING, stop)
        self._lock = threading.Lock()
        self._readings = {}
        self._kept = 0

    def consider(self, entries, last):
        """These entries were announced; the last ones of all, or more will follow."""
        self._lane.put((entries, last))

    def run(self):
        """Tell of everything that is announced what is on the disk."""
        with self._times.on("flush"):
            self._staging.sync()  # or the cache could give what the disk never got
        last = False
        while not last:
            entries, last = self._lane.get()
            with self._times.on("read_back"):
                self._look_first(entries, last)
                self._tell(entries)

    def _tell(self, entries):
        parts = []
        for entry in entries:
            if entry.kind == Kind.FILE and entry.size:
                parts = self._look_at(entry, parts)
        considered = entries[-1].number + 1 if entries else 0
        for message in wire.have_messages(parts, considered, **self._terms.edition):
            self._say(message)

    def _look_at(self, entry, parts):
        """Tell of one file, or add to the parts that are to be told; those that are left to be."""
        with self._staging.held(entry, self._terms.block_size) as file:
            if file is None or not file.told:
                return parts
            reading = self._keep(Reading(entry, self._new_hasher, self._terms.block_size))
            for part in self._read(file, reading):
                parts.append(part)
                if entry.size > PORTION:
                    self._say_now(parts)
                    parts = []
        return parts

    def _say_now(self, parts):
        for message in wire.have_messages(parts, 0, **self._terms.edition):
            self._say(message)

    def _read(self, file, reading):
        """The parts of a file, each as soon as it is read."""
        portion = max(1, PORTION // self._terms.block_size) * self._terms.block_size
        for offset in range(0, file.told, portion):
            length = min(portion, file.told - offset)
            file.feed(offset, length, reading.builder, self._step)
            if reading.builder.length < offset + length:
                return
            yield self._part(reading, offset // self._terms.block_size)

    def _part(self, reading, first):
        entry, builder = reading.entry, reading.builder
        if entry.size <= self._terms.block_size:
            return Part(entry.number, 1, entry.size, 0, (), builder.latest)
        blocks = builder.blocks[first:]
        if builder.length % self._terms.block_size:
            blocks.append(builder.latest)
        else:
            with self._lock:
                reading.note()
        return Part(entry.number, 1, entry.size, first, tuple(blocks))

    # What was read

    def _keep(self, reading):
        cost = self._cost(reading)
        with self._lock:
            if not self._readings or self._kept + cost <= MOST_KEPT:
                self._readings[reading.entry.number] = reading
                self._kept += cost
        return reading

    def _cost(self, reading):
        return 1 + block_count(reading.entry.size, self._terms.block_size)

    def told(self, number):
        """How much of a file has been told so far, as far as that is still known."""
        reading = self._readings.get(number)
        return reading.builder.length if reading else 0

    def content(self, number):
        """The Content of a file that was read whole; None if it was not, or is no longer known."""
        reading = self._readings.get(number)
        return reading and reading.content

    def builder(self, number, length):
        """A builder that has taken as much as possible of the first `length` bytes of a file, or None."""
        with self._lock:
            reading = self._readings.get(number)
            return reading and reading.upto(length // self._terms.block_size)

    def forget(self, number):
        """What was read of a file is of no use any more."""
        with self._lock:
            reading = self._readings.pop(number, None)
            if reading:
                self._kept -= self._cost(reading)
