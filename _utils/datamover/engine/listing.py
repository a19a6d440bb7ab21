"""The source's list of entries, announced batch by batch; ahead of what is sent where the destination looks first, and
where a producer makes them: then one thread takes what it makes and another digests it.

How far ahead is bounded by what the answers take: digests of blocks, which are kept until their file is sent.
"""

from itertools import islice

from .. import wire
from ..blocks import DIGEST, block_count
from .stop import Lane

AHEAD = 8
"""Batches that are announced ahead."""
ANSWER = 64
"""Bytes of an answer about one file, beside the digests of its blocks."""
LAST = None
KNOWN = 1024


class Listing:
    """`count` entries have been announced; `known` ones the destination has heard of before, on another link."""

    def __init__(self, terms, tree, say, crew, stop, times):
        self.count = self.known = 0
        self._terms = terms
        self._tree = tree
        self._say = say
        self._times = times
        self._crew = crew
        self._ahead = Lane(AHEAD, stop)

    def announced(self):
        """The entries of each batch, after it was announced."""
        if not (self._terms.considers or self._terms.stream):
            yield from self._announce(wire.entry_size)
            return
        size_of = _alone if self._terms.stream else self._size_with_answer
        self._crew.start("announcing", self._announce_ahead, size_of)
        while (entries := self._ahead.get()) is not LAST:
            yield entries

    def _announce_ahead(self, size_of):
        for entries in self._announce(size_of):
            self._ahead.put(entries)
        self._ahead.put(LAST)

    def _announce(self, size_of):
        entries = iter(self._tree.walk())
        yield from self._known(entries)
        announcements = wire.announcements(entries, size_of, **self._terms.edition)
        for announcement in self._times.over("read" if self._terms.stream else "list", announcements):
            self.count += len(announcement.entries)
            self._say(announcement)
            yield announcement.entries

    def _known(self, entries):
        """Batches of what needs not be announced."""
        while known := tuple(islice(entries, min(KNOWN, self.known - self.count))):
            self.count += len(known)
            yield known

    def _size_with_answer(self, entry):
        return size_with_answer(entry, self._terms.block_size)


def size_with_answer(entry, block_size):
    """Bytes of an entry in a batch together with those of an answer that tells of all its blocks."""
    return wire.entry_size(entry) + ANSWER + DIGEST * block_count(entry.size, block_size)


def _alone(_entry):
    """What is made while it comes is announced as soon as it is there."""
    return wire.BATCH
