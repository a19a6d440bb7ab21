"""What travels on bulk connections, ready to be sent: pieces and packs in buffers that go round."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .. import wire
from ..wire import PIECE_PREFIX, Piece, PieceKind

PIECE = 512 * 1024
PACK = 1024 * 1024
PACK_ROWS = 2048

_PACK_START = PIECE_PREFIX + len(wire.pack_table([(0, 0, 0)] * PACK_ROWS))
BUFFER = max(PIECE_PREFIX + PIECE, _PACK_START + PACK)


def cut(extents: Iterable[tuple[int, int, bool]], block_size: int) -> Iterator[tuple[int, int, bool]]:
    """Extents (offset, length, is_hole) as pieces: none crosses a block, none holds more than PIECE bytes of data."""
    for offset, length, is_hole in extents:
        end = offset + length
        while offset < end:
            in_block = block_size - offset % block_size
            size = min(end - offset, in_block if is_hole else min(in_block, PIECE))
            yield offset, size, is_hole
            offset += size


@dataclass(frozen=True, slots=True)
class Load:
    """A piece, the bytes that travel (prefix and payload together), and the buffer that becomes free then.

    `table` is that of a pack.
    """

    piece: Piece
    data: memoryview
    buffer: bytearray
    table: bytes = b""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is kept of a load until the other end took it: enough to read it again."""

    piece: Piece
    table: bytes

    @classmethod
    def of(cls, load):
        return cls(load.piece, load.table)


class Pack:
    """Small files in one buffer, behind room for the prefix and the table, which are written when it is complete."""

    def __init__(self, buffer):
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._end = _PACK_START
        self.rows = []
        self.bytes = 0

    def has_room(self, size):
        return len(self.rows) < PACK_ROWS and self._end + size <= len(self._view)

    def room(self, size):
        """Where the next file's bytes go."""
        return self._view[self._end : self._end + size]

    def add(self, number, try_, size):
        self.rows.append((number, try_, size))
        self._end += size
        self.bytes += size

    def load(self, stream, leaf):
        """Everything as one load, in one stretch of the buffer."""
        table = wire.pack_table(self.rows)
        start = _PACK_START - len(table)
        size = self._end - start
        self._view[start:_PACK_START] = table
        piece = Piece(0, 0, 0, length=size, payload=size, kind=PieceKind.PACKED, leaf=leaf, stream=stream)
        wire.pack_piece_into(self._buffer, start - PIECE_PREFIX, piece)
        return Load(piece, self._view[start - PIECE_PREFIX : self._end], self._buffer, table)


class HeldPack:
    """Small files that the other end has: only they are named."""

    def __init__(self):
        self.rows = []
        self.bytes = 0

    @property
    def is_full(self):
        return len(self.rows) >= PACK_ROWS

    def add(self, number, try_, size):
        self.rows.append((number, try_, size))
        self.bytes += size

    def load(self, buffer, stream, leaf):
        """Everything as one load, in this buffer."""
        table = wire.pack_table(self.rows)
        end = PIECE_PREFIX + len(table)
        size = len(table)
        piece = Piece(0, 0, 0, size, payload=size, kind=PieceKind.HELD_PACK, leaf=leaf, stream=stream)
        wire.pack_piece_into(buffer, 0, piece)
        memoryview(buffer)[PIECE_PREFIX:end] = table
        return Load(piece, memoryview(buffer)[:end], buffer, table)
