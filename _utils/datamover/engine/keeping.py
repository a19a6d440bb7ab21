"""For an update the destination looks at what stands there before it is told what of that it has to give.

With compare=time, files that are equal in size and time are kept: nothing of them is read or sent, and both ends seal
them as trusted. What stands in the way of the update, or would be deleted beyond its limit, is found here too, before
anything was changed.
"""

from .. import digests, wire
from ..blocks import Content
from ..disk.journal import Side
from ..wire import Kept


def nothing(_entries, _last):
    """What is looked at first where nothing stands that could be kept."""


class Keeping:
    """look() is called for each batch of announced entries, in their order."""

    def __init__(self, terms, staging, journal, ledger, progress, say):
        self._terms = terms
        self._staging = staging
        self._journal = journal
        self._ledger = ledger
        self._progress = progress
        self._say = say
        self._new_hasher = digests.constructor(terms.algorithm)
        staging.step = progress.step

    def look(self, entries, last):
        """Look at what stands under the names of these entries; say which of them are kept."""
        numbers = self._staging.consider(entries)
        if last:
            self._staging.find_extras()
        if numbers:
            sizes = [self._ledger.trust(number) for number in numbers]
            self._note(numbers, sizes)
            self._say(Kept(entries=wire.ranges_of(numbers), **self._terms.edition))

    def _note(self, numbers, sizes):
        contents = [
            (number, 1, Content.kept(size, self._new_hasher)) for number, size in zip(numbers, sizes, strict=True)
        ]
        self._journal.put_contents(Side.OWN, contents)
        self._progress.add(bytes_done=sum(sizes), files_done=len(sizes))
