"""The source sends of a file only what the destination lacks, block by block.

A block that the destination told of is read whole before any of it is sent. Where an earlier attempt digested the file
and it has not changed since, the block need not even be read.
"""

from itertools import groupby

from ..blocks import ContentBuilder, block_range
from ..errors import SourceChanged
from .loads import cut


class Comparison:
    """`told` says what the destination has; `pieces` queues pieces (see Supply)."""

    def __init__(self, terms, told, new_hasher, pieces):
        self.held_bytes = 0
        self.resent_bytes = 0
        self._terms = terms
        self._told = told
        self._pieces = pieces
        self._block_size = terms.block_size
        self._new_hasher = new_hasher
        self._block = None

    def asks(self, entry, try_):
        """Whether the destination has anything of a file; what begins again is sent as if it had nothing."""
        return try_ == 1 and entry.size > 0 and self._digest_of(entry, 0) is not None

    def _digest_of(self, entry, index):
        return self._told.block(entry.number, index)

    def holds_small(self, entry, digest):
        """Whether the destination holds a file of one block with this digest: then that is said in its place."""
        if self._digest_of(entry, 0) != digest:
            return False
        self._pieces.held_whole(entry)
        self.held_bytes += entry.size
        return True

    def sent_again(self, length):
        self.resent_bytes += length if self._terms.attempt > 1 else 0

    def send(self, file, builder, known):
        """Send a file, digested into `builder`; what is `known` of it from an earlier attempt is not read again.

        Returns its Content.
        """
        extents = cut(file.extents(), self._block_size)
        for index, parts in groupby(extents, lambda part: part[0] // self._block_size):
            digest = self._digest_of(file.entry, index)
            if known and digest == known.blocks[index]:
                self._hold(file.entry, index)
            elif known:
                self._send_known(file, list(parts), known.blocks[index], digest)
            else:
                self._send_unless_held(file, index, list(parts), builder, digest)
        return known or builder.finish()

    def _send_known(self, file, parts, expected, told):
        builder = ContentBuilder(self._new_hasher, self._block_size)
        self._send_parts(file, parts, builder, told)
        if builder.latest != expected:
            raise SourceChanged("its bytes are others than an earlier attempt found, though its times are not")

    def _send_unless_held(self, file, index, parts, builder, told):
        if told is None:
            self._send_parts(file, parts, builder, told)
            return
        self._digest(file, parts, builder)
        if builder.latest == told:
            self._hold(file.entry, index)
        else:
            self._send_read(file, parts)

    def _send_parts(self, file, parts, builder, told):
        for part in parts:
            self._pieces.part(file, 1, *part, builder)
            if told is not None and not part[2]:
                self.sent_again(part[1])

    def _digest(self, file, parts, builder):
        """Read a block into the buffer for one, and digest it."""
        for offset, length, is_hole in parts:
            if is_hole:
                builder.hole(length)
            else:
                view = self._view(offset, length)
                if file.read_into(offset, view) < length:
                    raise SourceChanged("it is shorter than before")
                builder.update(view)
                self._pieces.read_bytes += length

    def _send_read(self, file, parts):
        """Send a block that is in the buffer."""
        for offset, length, is_hole in parts:
            if is_hole:
                self._pieces.hole(file.entry.number, 1, offset, length)
            else:
                self._pieces.data(file.entry.number, 1, offset, self._view(offset, length))
                self.sent_again(length)

    def _hold(self, entry, index):
        offset, length = block_range(index, entry.size, self._block_size)
        self._pieces.held(entry.number, 1, offset, length)
        self.held_bytes += length

    def _view(self, offset, length):
        self._block = self._block or bytearray(self._block_size)
        start = offset % self._block_size
        return memoryview(self._block)[start : start + length]
