"""A bulk connection, after its Hello and Welcome: prefixes of one size, each followed by its payload.

The prefix holds the frame's header and says how many payload bytes follow, so whoever reads never parses file data:
it reads PIECE_PREFIX bytes, then the payload straight into a buffer of its own. Mark and End are prefixes without
payload.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from ..blocks import LONGEST
from ..errors import FrameTooLarge, LocalError, ProtocolError
from ..manifest import MAX_NUMBER
from .frames import CRITICAL, HEADER_SIZE, MAX_DATA, MAX_PIECE_BODY, MAX_STREAMS, Type

_PIECE = Struct(">BBHIIIQHBBQQ")
_COUNT = Struct(">BBHIIQQQQ")
PIECE_PREFIX = _PIECE.size
_PIECE_HEADER = PIECE_PREFIX - HEADER_SIZE


class PieceKind(IntEnum):
    """What a piece stands for: bytes of a file, zeros (not sent), bytes that the other end has, many small files, many
    small files that the other end has.
    """

    DATA = 1
    HOLE = 2
    HELD = 3
    PACKED = 4
    HELD_PACK = 5


class Codec(IntEnum):
    """How a payload is written: as it is, or made smaller in a way that both ends agreed on in Hello and Welcome."""

    NONE = 0
    ZSTD = 1
    ZLIB = 2


_CODECS = frozenset(Codec)


@dataclass(frozen=True, slots=True)
class Piece:
    """The prefix of a piece: it stands for `length` bytes of a file, and `payload` bytes follow it.

    Of a pack `length` counts the table too: it is what the payload has when it is written as it is.
    """

    entry: int
    try_: int
    offset: int
    length: int
    payload: int
    kind: int = PieceKind.DATA
    codec: int = Codec.NONE
    leaf: int = 0
    stream: int = 1

    @property
    def moved(self):
        """Bytes of files that are moved by it, with the table of their pack."""
        return self.length if self.payload and self.kind != PieceKind.HELD_PACK else 0

    def __str__(self):
        where = f"#{self.entry}/{self.try_} {self.offset}+{self.length}"
        return f"Piece of kind {self.kind} {where}, {self.payload} bytes, stream {self.stream}"


@dataclass(frozen=True, slots=True)
class Count:
    """How many pieces and payload bytes were sent on a stream, over all its connections and each once."""

    pieces: int
    bytes: int
    stream: int = 1


class Mark(Count):
    """So far, and the other end is to say how much of it it took."""


class End(Count):
    """In all: the end of a stream, told and never only a close."""


def pack_piece_into(buffer, at: int, piece: Piece) -> None:
    """Write the PIECE_PREFIX bytes before a payload."""
    if trouble := _piece_trouble(piece):
        raise LocalError(f"{piece} {trouble}")
    _PIECE.pack_into(
        buffer,
        at,
        Type.PIECE,
        CRITICAL,
        piece.stream,
        _PIECE_HEADER + piece.payload,
        0,
        piece.leaf,
        piece.entry,
        piece.try_,
        piece.codec,
        piece.kind,
        piece.offset,
        piece.length,
    )


_COUNTS: dict[int, type[Mark | End]] = {Type.MARK: Mark, Type.END: End}


def pack_count(count: Mark | End) -> bytes:
    type_ = Type.END if isinstance(count, End) else Type.MARK
    return _COUNT.pack(type_, CRITICAL, count.stream, _PIECE_HEADER, 0, count.pieces, count.bytes, 0, 0)


def unpack_piece(prefix) -> Piece | Mark | End:
    """What the next PIECE_PREFIX bytes of a bulk connection say; `payload` bytes of a piece follow them."""
    if prefix[0] in _COUNTS:
        return _unpack_count(prefix)
    type_, flags, stream, size, reserved, leaf, entry, try_, codec, kind, offset, length = _PIECE.unpack(prefix)
    if type_ != Type.PIECE or flags != CRITICAL or reserved or size < _PIECE_HEADER:
        raise ProtocolError(f"type {type_}, flags {flags}, length {size}: neither a piece nor a mark nor an end")
    if size > MAX_PIECE_BODY:
        raise FrameTooLarge(f"a piece of {size} bytes: at most {MAX_PIECE_BODY} are allowed")
    piece = Piece(entry, try_, offset, length, size - _PIECE_HEADER, kind, codec, leaf, stream)
    if trouble := _piece_trouble(piece):
        raise ProtocolError(f"a piece of entry {entry} {trouble}")
    return piece


def _unpack_count(prefix):
    type_, flags, stream, size, reserved, pieces, total, *rest = _COUNT.unpack(prefix)
    if flags != CRITICAL or reserved or size != _PIECE_HEADER or any(rest) or not 0 < stream <= MAX_STREAMS:
        raise ProtocolError(f"flags {flags}, stream {stream}, length {size}: no mark or end of a bulk stream")
    return _COUNTS[type_](pieces, total, stream)


def _piece_trouble(piece):
    """Why a piece cannot be, or an empty text."""
    if not 0 < piece.stream <= MAX_STREAMS:
        return f"has stream {piece.stream}; bulk streams are 1 to {MAX_STREAMS}"
    if piece.codec not in _CODECS:
        return f"has codec {piece.codec}, which wire version 1 does not have"
    if not (0 <= piece.entry <= MAX_NUMBER and 0 <= piece.try_ < 2**16 and 0 <= piece.leaf < 2**32):
        return "is of no entry, try or leaf that can be"
    if piece.offset < 0 or piece.length < 1 or piece.offset + piece.length > LONGEST:
        return f"covers {piece.length} bytes from {piece.offset}, which no file has"
    if piece.kind == PieceKind.DATA:
        return "" if _is_carried(piece, MAX_DATA) else f"has {piece.payload} bytes for {piece.length}"
    if piece.kind in (PieceKind.HOLE, PieceKind.HELD):
        carries = piece.payload or piece.codec
        return f"carries {piece.payload} bytes, but its kind {piece.kind} has none" if carries else ""
    if piece.kind in (PieceKind.PACKED, PieceKind.HELD_PACK):
        placeless = not (piece.entry or piece.try_ or piece.offset)
        fits = placeless and _is_carried(piece, MAX_PIECE_BODY - _PIECE_HEADER)
        return "" if fits else f"is a pack of {piece.payload} bytes for {piece.length}, or claims a place"
    return f"is of kind {piece.kind}, which wire version 1 does not have"


def _is_carried(piece, most):
    """Whether the payload can be that of `length` bytes, at most `most`; what is not smaller travels as it is."""
    if piece.codec == Codec.NONE:
        return piece.payload == piece.length <= most
    return 0 < piece.payload < piece.length <= most


# A pack of small files: a table, then their bytes one after another; of files that are held the table alone.

_TABLE_SIZE = Struct(">I")
_TABLE_ROW = Struct(">QHI")
MAX_PACKED = 4096


def pack_table(rows: list[tuple[int, int, int]]) -> bytes:
    """The table of a pack: (entry, try, length) for each file whose bytes follow in this order."""
    if not 0 < len(rows) <= MAX_PACKED:
        raise LocalError(f"a pack has 1 to {MAX_PACKED} files, not {len(rows)}")
    if any(
        not (0 <= entry <= MAX_NUMBER and 0 <= try_ < 2**16 and 0 <= length < 2**32) for entry, try_, length in rows
    ):
        raise LocalError(f"a pack of {len(rows)} files names an entry, try or length that cannot be")
    return _TABLE_SIZE.pack(len(rows)) + b"".join(_TABLE_ROW.pack(*row) for row in rows)


def table_rows(table: bytes) -> list[tuple[int, int, int]]:
    """The rows of a table that this end packed."""
    return list(_TABLE_ROW.iter_unpack(table[_TABLE_SIZE.size :]))


def unpack_table(payload: memoryview) -> list[tuple[int, int, memoryview]]:
    """(entry, try, bytes) of each file of a pack; the bytes are views into the payload."""
    rows, at = _rows_and_end(payload)
    files = []
    for entry, try_, length in rows:
        files.append((entry, try_, payload[at : at + length]))
        at += length
    if at != len(payload):
        raise ProtocolError(f"a pack's files take {at} bytes; its payload has {len(payload)}")
    return files


def unpack_held(payload: memoryview) -> list[tuple[int, int, int]]:
    """(entry, try, length) of each file of a pack of held ones; none of them is empty."""
    rows, at = _rows_and_end(payload)
    if at != len(payload) or not all(length for _, _, length in rows):
        raise ProtocolError(f"a pack of {len(rows)} held files has {len(payload) - at} bytes, or names an empty file")
    return rows


def _rows_and_end(payload):
    """The rows of a pack's table, and where it ends."""
    count = _TABLE_SIZE.unpack_from(payload)[0] if len(payload) >= _TABLE_SIZE.size else 0
    at = _TABLE_SIZE.size + count * _TABLE_ROW.size
    if not 0 < count <= MAX_PACKED or at > len(payload):
        raise ProtocolError(f"a pack of {len(payload)} bytes cannot hold {count} files")
    rows = list(_TABLE_ROW.iter_unpack(payload[_TABLE_SIZE.size : at]))
    if (highest := max(entry for entry, _, _ in rows)) > MAX_NUMBER:
        raise ProtocolError(f"a pack names entry {highest}; the highest is {MAX_NUMBER}")
    return rows, at
