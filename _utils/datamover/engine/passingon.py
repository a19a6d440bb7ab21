"""What a relay reads to pass it on: files as pieces, range by range as they land, never before.

Nothing is digested here but what the destination says it holds: bytes are proved at the other end, by the digests that
the source told and that are passed on once they were found to be right here too.
"""

from contextlib import contextmanager

from .. import digests
from ..blocks import block_count, block_range, content_of
from ..errors import SourceChanged
from ..wire import PIECE_PREFIX, Piece
from .ledger import State
from .loads import Pack, cut
from .supply import SMALL, Supply


class Void(Exception):
    """The try of a file that was passed on has ended: it comes again."""


class PassingOn(Supply):
    """`standing` is what the destination has already, `ledger` what is here; `waiting` while it waits for that, `reads`
    while its disk is asked.
    """

    def __init__(self, terms, passing, journal, streams, told, progress, times, standing, ledger, partial, stop):
        super().__init__(terms, passing, journal, streams, told, progress, None, None, times)
        self.waiting = self.reads = False
        self._standing = standing
        self._ledger = ledger
        self._partial = partial
        self._stop = stop
        self._carrying = {}

    def _piece(self, number, try_, offset, length, payload, kind):
        """What belongs together stays on one stream, though other things are passed on in between."""
        unit = self._unit(number, try_, offset)
        stream = self._carrying.get(unit) or self._streams.choose()
        self._carrying[unit] = stream
        return Piece(number, try_, offset, length, payload, kind, leaf=self._terms.leaf, stream=stream)

    def pass_on(self, entry, try_):
        """Queue all of a file that the destination has not, as it lands here; False if the try became void."""
        if self._standing.has_all(entry.number, try_) or self._told.keeps(entry.number):
            return True
        try:
            if entry.size <= SMALL and not self._begun(entry, try_):
                self._pass_small(entry, try_)
            else:
                self._pass_large(entry, try_)
        except Void:
            return False
        finally:
            self._told.forget(entry.number)
            self._carrying.clear()
        return True

    def _begun(self, entry, try_):
        return any(self._standing.filled(entry.number, try_, block) for block in range(0, entry.size, self._block_size))

    @property
    def _block_size(self):
        return self._terms.block_size

    # Waiting for what lands

    def _await(self, ready, wait):
        """What `ready()` gives, waiting for it if need be; what was packed until then does not wait."""
        found = ready()
        if found:
            return found
        self.finish()
        self.waiting = True
        try:
            with self._times.on("wait"):
                return wait(ready, self._stop)
        finally:
            self.waiting = False

    def await_change(self, ready):
        """The same for whoever has nothing to pass on."""
        return self._await(ready, self._ledger.await_change)

    def _await_growth(self, entry, try_, known):
        """(bytes, frontier, beyond) of what has landed of a file when it is more than so many bytes."""
        return self._await(lambda: self._arrived(entry, try_, known), self._ledger.await_growth)

    def _await_landed(self, entry, try_):
        def has_landed():
            state = self._ledger.state(entry.number, try_)
            return VOID if state is None else state >= State.LANDED

        if self.await_change(has_landed) is VOID:
            raise Void

    # Small files

    def _pass_small(self, entry, try_):
        self._await_landed(entry, try_)
        if self._told.block(entry.number, 0) is not None and entry.size and try_ == 1:
            with self._tree.open(entry) as file:
                if self._holds(file, 0, [(0, entry.size, False)]):
                    return
        if self._pack is not None and not self._pack.has_room(entry.size):
            self.finish()
        if self._pack is None:
            self._pack = Pack(self._buffer())
        if entry.size:
            self._read_whole(entry, try_, self._pack.room(entry.size))
        self._pack.add(entry.number, try_, entry.size)

    def _read_whole(self, entry, try_, view):
        with self._reading(entry, try_) as file, self._asking_the_disk():
            if file.read_into(0, view) < entry.size or not file.unchanged():
                raise self._changed(entry, try_)

    def _reading(self, entry, try_):
        try:
            with self._asking_the_disk():
                return self._tree.open(entry)
        except SourceChanged as error:
            raise self._changed(entry, try_) from error

    @contextmanager
    def _asking_the_disk(self):
        self.reads = True
        try:
            yield
        finally:
            self.reads = False

    def _changed(self, entry, try_):
        """Void if it was only that the file came again, else what is wrong."""
        if self._ledger.state(entry.number, try_) is None:
            return Void()
        return SourceChanged(f"{entry} is not what arrived any more", entry=entry.number)

    # Large files

    def _pass_large(self, entry, try_):
        if not self._partial:
            self._await_landed(entry, try_)
        self.finish()
        self._await_growth(entry, try_, 0)
        with self._reading(entry, try_) as file:
            self._pass_ranges(file, try_)
            if not file.unchanged():
                raise self._changed(entry, try_)
        self._progress.add(files_done=1)

    def _arrived(self, entry, try_, known):
        arrival = self._ledger.arrival(entry.number, try_)
        if arrival is None:
            raise Void
        return arrival if arrival[0] > known or arrival[0] == entry.size else None

    def _pass_ranges(self, file, try_):
        entry, passed = file.entry, Passed(file.entry, try_, self._standing, self._block_size)
        landed = 0
        while not passed.complete:
            arrival = self._await_growth(entry, try_, landed)
            landed = arrival[0]
            for block, length in passed.ready(*arrival[1:]):
                self._pass_block(file, try_, block, length, passed)

    def _pass_block(self, file, try_, block, length, passed):
        """Pass on what is there of a block; where the destination holds one of its own, only when all of it is."""
        index, done = block // self._block_size, passed.of(block)
        whole = block_range(index, file.entry.size, self._block_size)[1]
        if try_ == 1 and not done and self._told.block(file.entry.number, index) is not None:
            if length < whole:
                return
            if self._holds(file, index, file.extents(block, whole)):
                passed.add(block, whole)
                return
        for part in cut(file.extents(block + done, length - done), self._block_size):
            self._pass_part(file, try_, *part)
        passed.add(block, length)

    def _pass_part(self, file, try_, offset, length, is_hole):
        if is_hole:
            self.hole(file.entry.number, try_, offset, length)
            return
        buffer = self._buffer()
        payload = memoryview(buffer)[PIECE_PREFIX : PIECE_PREFIX + length]
        with self._asking_the_disk():
            count = file.read_into(offset, payload)
        if count < length:
            self._streams.release(buffer)
            raise self._changed(file.entry, try_)
        self.read_bytes += length
        self.piece_of(file.entry.number, try_, offset, length, buffer)

    def _holds(self, file, index, parts):
        """Whether the destination holds this block as it is here: then that is said in its place."""
        offset, length = block_range(index, file.entry.size, self._block_size)
        view = memoryview(bytearray(length))
        with self._asking_the_disk():
            for at, size, is_hole in parts:
                if not is_hole:
                    file.read_into(at, view[at - offset : at - offset + size])
        digest = content_of(view, digests.constructor(self._terms.algorithm), self._block_size).whole
        if digest != self._told.block(file.entry.number, index):
            return False
        self.held(file.entry.number, 1, offset, length)
        return True


VOID = object()


class Passed:
    """How much of each block of a file was passed on, or was there from the beginning."""

    def __init__(self, entry, try_, standing, block_size):
        self._size = entry.size
        self._block_size = block_size
        self._first = 0
        blocks = range(block_count(entry.size, block_size))
        filled = ((index * block_size, standing.filled(entry.number, try_, index * block_size)) for index in blocks)
        self._of = {block: min(length, self._whole(block)) for block, length in filled if length}
        self._advance()

    def _whole(self, block):
        return min(self._block_size, self._size - block)

    @property
    def complete(self):
        return self._first >= self._size

    def of(self, block):
        return self._of.get(block, 0)

    def add(self, block, length):
        """Of this block so much is done."""
        self._of[block] = length
        self._advance()

    def _advance(self):
        while not self.complete and self._of.get(self._first) == self._whole(self._first):
            del self._of[self._first]
            self._first += self._block_size

    def ready(self, frontier, beyond):
        """(block, bytes of it that are here) of each block of which there is more than was passed on."""
        here = [(block, self._whole(block)) for block in range(self._first, frontier, self._block_size)]
        return [(block, length) for block, length in (*here, *sorted(beyond.items())) if self._lacks(block, length)]

    def _lacks(self, block, length):
        return block >= self._first and length > self.of(block)
