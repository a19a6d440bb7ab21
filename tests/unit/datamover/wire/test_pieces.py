"""Pieces: a prefix of one size that says what follows; any bytes are refused or are the one form of a prefix."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import manifest, wire
from datamover.errors import FrameTooLarge, LocalError, ProtocolError
from datamover.wire import PIECE_PREFIX, Codec, End, Mark, Piece, PieceKind

from .. import strategies
from ..strategies import relaxed

# Released with wire version 1 and never edited, as test_wire.py explains.
GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "wire-1.json").read_text())

PIECES = {
    "data piece": Piece(5, 1, 4194304, 4194304, 4194304, leaf=1, stream=2),
    "compressed piece": Piece(5, 1, 4194304, 4194304, 1000000, codec=Codec.ZSTD, stream=2),
    "hole piece": Piece(5, 1, 8388608, 2**40, 0, PieceKind.HOLE),
    "held piece": Piece(5, 1, 4194304, 4194304, 0, PieceKind.HELD),
    "packed piece": Piece(0, 0, 0, 1000, 1000, PieceKind.PACKED),
    "held pack": Piece(0, 0, 0, 46, 46, PieceKind.HELD_PACK),
}
END, MARK = End(3, 4195304, 2), Mark(2, 4194304, 2)
ROWS = [(5, 1, 3), (6, 1, 0), (2**40 - 1, 65535, 2)]
FILES = b"abcde"


def prefix_of(piece):
    buffer = bytearray(PIECE_PREFIX)
    wire.pack_piece_into(buffer, 0, piece)
    return bytes(buffer)


def released():
    """What the golden file holds of this."""
    return {
        **{name: prefix_of(piece) for name, piece in PIECES.items()},
        "end": wire.pack_count(END),
        "mark": wire.pack_count(MARK),
        "table": wire.pack_table(ROWS),
    }


@st.composite
def pieces(draw):
    kind = draw(st.sampled_from(PieceKind))
    place = {"leaf": draw(st.integers(0, 2**32 - 1)), "stream": draw(st.integers(1, wire.MAX_STREAMS))}
    if kind in (PieceKind.PACKED, PieceKind.HELD_PACK):
        size = draw(st.integers(1, wire.MAX_PIECE_BODY - 32))
        return Piece(0, 0, 0, size, kind=kind, **draw(written(size)), **place)
    length = draw(st.integers(1, wire.MAX_DATA if kind == PieceKind.DATA else 2**63 - 1))
    offset = draw(st.integers(0, 2**63 - 1 - length))
    entry, try_ = draw(st.integers(0, manifest.MAX_NUMBER)), draw(st.integers(0, 2**16 - 1))
    how = draw(written(length)) if kind == PieceKind.DATA else {"payload": 0}
    return Piece(entry, try_, offset, length, kind=kind, **how, **place)


@st.composite
def written(draw, length):
    """How so many bytes travel: as they are, or compressed to fewer."""
    codec = draw(st.sampled_from(Codec)) if length > 1 else Codec.NONE
    return {"codec": codec, "payload": draw(st.integers(1, length - 1)) if codec else length}


numbers = st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(1, wire.MAX_STREAMS)
counts = st.builds(End, *numbers) | st.builds(Mark, *numbers)
prefixes = pieces().map(prefix_of) | counts.map(wire.pack_count)


@pytest.mark.parametrize("name", released())
def test_the_released_form(name):
    assert released()[name].hex() == GOLDEN[name]


@pytest.mark.parametrize("name", PIECES)
def test_the_released_pieces_are_read(name):
    assert wire.unpack_piece(bytes.fromhex(GOLDEN[name])) == PIECES[name]


def test_the_released_end_is_read():
    assert wire.unpack_piece(bytes.fromhex(GOLDEN["end"])) == END


@relaxed
@given(pieces(), st.integers(0, 9))
def test_a_piece_comes_back_from_wherever_it_stands(piece, at):
    buffer = bytearray(b"\xee" * (at + PIECE_PREFIX + 3))
    wire.pack_piece_into(buffer, at, piece)
    assert wire.unpack_piece(memoryview(buffer)[at : at + PIECE_PREFIX]) == piece
    assert buffer[:at] == b"\xee" * at and buffer[at + PIECE_PREFIX :] == b"\xee" * 3


@relaxed
@given(counts)
def test_an_end_comes_back_and_is_as_long_as_a_prefix(end):
    assert len(wire.pack_count(end)) == PIECE_PREFIX
    assert wire.unpack_piece(wire.pack_count(end)) == end


@relaxed
@given(st.binary(min_size=PIECE_PREFIX, max_size=PIECE_PREFIX) | strategies.damaged(prefixes))
def test_any_prefix_is_refused_or_is_the_one_form_of_a_piece(data):
    data = data[:PIECE_PREFIX].ljust(PIECE_PREFIX, b"\0")
    try:
        found = wire.unpack_piece(data)
    except ProtocolError:
        return
    assert (wire.pack_count(found) if isinstance(found, wire.Count) else prefix_of(found)) == data
    assert isinstance(found, wire.Count) or 0 <= found.payload <= wire.MAX_PIECE_BODY


def damaged_prefix(piece, at, value):
    data = bytearray(prefix_of(piece))
    data[at : at + len(value)] = value
    return bytes(data)


DATA = PIECES["data piece"]


@pytest.mark.parametrize(
    "prefix",
    [
        damaged_prefix(DATA, 0, b"\x10"),
        damaged_prefix(DATA, 1, b"\0"),
        damaged_prefix(DATA, 1, b"\3"),
        damaged_prefix(DATA, 2, b"\0\0"),
        damaged_prefix(DATA, 2, b"\0\x41"),
        damaged_prefix(DATA, 4, b"\0\0\0\x1f"),
        damaged_prefix(DATA, 8, b"\1"),
        damaged_prefix(DATA, 16, b"\xff"),
        damaged_prefix(DATA, 26, b"\1"),
        damaged_prefix(DATA, 27, b"\0"),
        damaged_prefix(DATA, 27, b"\2"),
        damaged_prefix(DATA, 27, b"\3"),
        damaged_prefix(DATA, 27, b"\4"),
        damaged_prefix(DATA, 28, b"\xff" * 8),
        damaged_prefix(DATA, 28, b"\x7f" + b"\xff" * 7),
        damaged_prefix(DATA, 36, bytes(8)),
        damaged_prefix(PIECES["hole piece"], 4, b"\0\0\0\x21"),
        damaged_prefix(PIECES["packed piece"], 16, b"\0" * 7 + b"\1"),
        wire.pack_count(END)[:-1] + b"\1",
        wire.pack_count(END)[:4] + b"\0\0\0\x21" + wire.pack_count(END)[8:],
        wire.pack_count(END)[:2] + b"\0\0" + wire.pack_count(END)[4:],
    ],
    ids=bytes.hex,
)
def test_a_prefix_that_cannot_be_is_refused(prefix):
    with pytest.raises(ProtocolError):
        wire.unpack_piece(prefix)


def test_a_piece_beyond_the_bound_is_refused_by_its_prefix():
    with pytest.raises(FrameTooLarge, match="at most 4259840"):
        wire.unpack_piece(damaged_prefix(PIECES["packed piece"], 4, (wire.MAX_PIECE_BODY + 1).to_bytes(4, "big")))


@pytest.mark.parametrize(
    "piece",
    [
        Piece(5, 1, 0, wire.MAX_DATA + 1, wire.MAX_DATA + 1),
        Piece(5, 1, 0, 0, 0),
        Piece(5, 1, 0, 10, 9),
        Piece(-1, 1, 0, 10, 10),
        Piece(5, 65536, 0, 10, 10),
        Piece(5, 1, -1, 10, 10),
        Piece(5, 1, 2**63 - 1, 1, 1),
        Piece(5, 1, 0, 10, 10, kind=PieceKind.HELD),
        Piece(5, 1, 0, 10, 10, kind=PieceKind.HOLE),
        Piece(5, 1, 0, 10, 10, kind=9),
        Piece(5, 1, 0, 10, 10, codec=1),
        Piece(5, 1, 0, 10, 11, codec=2),
        Piece(5, 1, 0, 10, 0, codec=2),
        Piece(5, 1, 0, 10, 9, codec=0),
        Piece(5, 1, 0, 10, 9, codec=max(Codec) + 1),
        Piece(5, 1, 0, 10, 0, PieceKind.HOLE, codec=1),
        Piece(5, 1, 0, wire.MAX_DATA + 1, 9, codec=1),
        Piece(0, 0, 0, wire.MAX_PIECE_BODY, 9, PieceKind.PACKED, codec=1),
        Piece(5, 1, 0, 10, 10, stream=0),
        Piece(5, 1, 0, 10, 10, leaf=2**32),
        Piece(0, 0, 0, wire.MAX_PIECE_BODY, wire.MAX_PIECE_BODY, kind=PieceKind.PACKED),
    ],
    ids=str,
)
def test_a_piece_that_cannot_be_is_not_sent(piece):
    with pytest.raises(LocalError):
        prefix_of(piece)


def test_a_log_can_be_read():
    assert str(DATA) == "Piece of kind 1 #5/1 4194304+4194304, 4194304 bytes, stream 2"


# Packs.


def test_a_pack_gives_views_of_its_files():
    payload = bytearray(wire.pack_table(ROWS) + FILES)
    found = wire.unpack_table(memoryview(payload))
    assert [(entry, try_, bytes(view)) for entry, try_, view in found] == [
        (5, 1, b"abc"),
        (6, 1, b""),
        (2**40 - 1, 65535, b"de"),
    ]
    assert found[0][2].obj is payload


@relaxed
@given(
    st.lists(st.tuples(st.integers(0, manifest.MAX_NUMBER), st.integers(0, 65535), st.binary(max_size=9)), min_size=1)
)
def test_a_pack_comes_back(files):
    payload = wire.pack_table([(entry, try_, len(data)) for entry, try_, data in files])
    found = wire.unpack_table(memoryview(payload + b"".join(data for _, _, data in files)))
    assert [(entry, try_, bytes(view)) for entry, try_, view in found] == files


@relaxed
@given(st.binary(max_size=100) | strategies.damaged(st.just(wire.pack_table(ROWS) + FILES)))
def test_any_pack_is_refused_or_is_the_one_form_of_its_files(payload):
    try:
        found = wire.unpack_table(memoryview(payload))
    except ProtocolError:
        return
    table = wire.pack_table([(entry, try_, len(view)) for entry, try_, view in found])
    assert table + b"".join(view for _, _, view in found) == payload


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0\0\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff" + bytes(100),
        wire.pack_table(ROWS),
        wire.pack_table(ROWS)[:-1],
        wire.pack_table(ROWS) + FILES + b"x",
        wire.pack_table([(0, 1, 0)]).replace(bytes(8), b"\0\0\1" + bytes(5)),
    ],
    ids=bytes.hex,
)
def test_a_pack_that_cannot_be_is_refused(payload):
    with pytest.raises(ProtocolError):
        wire.unpack_table(memoryview(payload))


@pytest.mark.parametrize("row", [(2**40, 1, 0), (-1, 1, 0), (1, 65536, 0), (1, 1, 2**32)])
def test_a_row_that_cannot_be_is_not_sent(row):
    with pytest.raises(LocalError):
        wire.pack_table([row])


@pytest.mark.parametrize("count", [0, wire.MAX_PACKED + 1])
def test_a_pack_has_some_files_but_not_too_many(count):
    with pytest.raises(LocalError, match=f"not {count}"):
        wire.pack_table([(1, 1, 0)] * count)


def test_the_fullest_table_leaves_room_for_a_block_of_data():
    table = wire.pack_table([(1, 1, 0)] * wire.MAX_PACKED)
    assert len(table) + wire.MAX_DATA + (PIECE_PREFIX - wire.HEADER_SIZE) <= wire.MAX_PIECE_BODY


def test_a_pack_of_held_files_is_its_table_alone():
    rows = [row for row in ROWS if row[2]]
    table = wire.pack_table(rows)
    assert wire.unpack_held(memoryview(table)) == rows
    for wrong in (table[:-1], table + b"x", wire.pack_table(ROWS), wire.pack_table([(1, 1, 1)])[:4], b""):
        with pytest.raises(ProtocolError):
            wire.unpack_held(memoryview(wrong))


def test_a_pack_of_held_files_moves_nothing_of_files():
    assert PIECES["held pack"].moved == PIECES["held piece"].moved == PIECES["hole piece"].moved == 0
    assert (PIECES["compressed piece"].moved, PIECES["packed piece"].moved) == (4194304, 1000)
