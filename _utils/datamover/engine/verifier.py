"""Reads back what has landed, behind the pieces that still land, and digests what the disk gives.

Large files are flushed and read back range by range while the rest arrives; small ones when many are together, because
one flush serves them all.
"""

from contextlib import contextmanager

from .. import digests
from ..blocks import ContentBuilder
from ..errors import MoverError
from .stop import Lane

RANGE = 32 * 1024 * 1024
"""How much of a large file lands before it is read back."""
WAITING = 8
"""Packs of files, and ranges, that may wait to be read back; then landing waits."""
TOGETHER = 1024
TOGETHER_BYTES = 64 * 1024 * 1024
EVERYTHING = None
"""Put last: nothing follows."""


class Verifier:
    """`found` gets what was read back, a list of (number, try, Content). run() is for one thread, the rest for any.

    What `holdings` read already of what was held is not read again.
    """

    def __init__(self, terms, staging, journal, ledger, holdings, found, step, stop, times):
        self._terms = terms
        self._staging = staging
        self._journal = journal
        self._ledger = ledger
        self._holdings = holdings
        self._found = found
        self._step = step
        self._times = times
        self._new_hasher = times.hashing(digests.constructor(terms.algorithm))
        self._lane = Lane(WAITING, stop)
        self._done = Lane(1, stop)
        self._waiting = {}
        self._waiting_bytes = 0
        self._known = []
        self._rereads = {}

    def reach(self, landing):
        """More of a file has landed; it is read back when there is enough of it."""
        if landing.frontier - max(landing.told, landing.held) < RANGE:
            return
        landing.told = landing.frontier
        self._put([(landing.entry.number, landing.try_, landing.held, landing.frontier)])

    def complete(self, files, held=0):
        """These files, (number, try) each, have landed whole; so much of their beginning was held."""
        self._put([(number, try_, held, EVERYTHING) for number, try_ in files])

    def _put(self, items):
        with self._times.on("wait"):
            self._lane.put(items)

    def finish(self):
        """Nothing lands any more: return when all has been read back."""
        self._lane.put(None)
        self._done.get()

    def run(self):
        """Read back until finish() is called."""
        while (items := self._lane.get()) is not None:
            with self._times.on("read_back"):
                self._take_all(items)
        if self._waiting or self._known:
            with self._times.on("read_back"):
                self._read_back_waiting()
        self._done.put(True)

    def _take_all(self, items):
        for item in items:
            self._take(*item)
        if len(self._waiting) + len(self._known) >= TOGETHER or self._waiting_bytes >= TOGETHER_BYTES:
            self._read_back_waiting()

    def _take(self, number, try_, held, upto):
        held = held if self._staging.in_place(number) else 0
        if upto is EVERYTHING:
            self._take_whole(number, try_, held)
            self._holdings.forget(number)
        # A slow stream may tell of a range when all of the file is here; then it is read with the rest, or was.
        elif self._ledger.is_landing(number, try_):
            self._read_on(number, try_, held, upto)

    def _take_whole(self, number, try_, held):
        size = self._journal.entry(number).size
        known = self._holdings.content(number) if held == size else None
        if known:
            self._known.append((number, try_, known))
        elif size > RANGE:
            self._read_to_the_end(number, try_, held, size)
        else:
            self._rereads.pop(number, None)
            self._waiting[number] = try_
            self._waiting_bytes += size

    # Ranges of large files

    def _read_on(self, number, try_, held, upto):
        """Read back what follows of a file, up to this offset; return its builder."""
        builder = self._builder(number, try_, held)
        for offset in range(builder.length, upto, RANGE):
            with self._unless_void(number, try_):
                self._flush([number])
                self._staging.read_back_range(number, offset, min(RANGE, upto - offset), builder)
            self._step()
        return builder

    def _read_to_the_end(self, number, try_, held, size):
        content = self._read_on(number, try_, held, size).finish()
        del self._rereads[number]
        self._found([(number, try_, content)])

    def _builder(self, number, try_, held):
        """The builder of a file; if there is none of this try, one that has taken what was held, or a new one."""
        known, builder = self._rereads.get(number, (0, None))
        if known != try_:
            was_read = self._holdings.builder(number, held) if held else None
            builder = was_read or ContentBuilder(self._new_hasher, self._terms.block_size)
            self._rereads[number] = try_, builder
        return builder

    # Whole files

    def _read_back_waiting(self):
        known, self._known = self._known, []
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        files = dict(self._flushed(list(waiting.items())))
        how = self._new_hasher, self._terms.block_size
        found = known
        for number, content in self._staging.read_back_many(list(files), *how):
            if content is None:
                content = self._read_again(number, files[number])
            if content is not None:
                found.append((number, files[number], content))
            self._step()
        self._found(found)

    def _read_again(self, number, try_):
        """The Content of a file that was gone a moment ago; None if it was discarded for another try."""
        with self._unless_void(number, try_):
            return self._staging.read_back(number, self._new_hasher, self._terms.block_size)
        return None

    def _flushed(self, files):
        """Flush files together; those whose try is still meant."""
        files = [file for file in files if self._ledger.is_current(*file)]
        try:
            self._flush([number for number, _ in files])
        except MoverError:
            if all(self._ledger.is_current(*file) for file in files):
                raise
            return self._flushed(files)
        return files

    def _flush(self, numbers):
        with self._times.on("flush"):
            self._staging.flush(numbers)

    @contextmanager
    def _unless_void(self, number, try_):
        """What goes wrong with a file that was just discarded does not matter."""
        try:
            yield
        except MoverError:
            if self._ledger.is_current(number, try_):
                raise
