"""Cutting files into pieces, packing small files."""

from hypothesis import given
from hypothesis import strategies as st

from datamover import wire
from datamover.engine.loads import BUFFER, PACK_ROWS, PIECE, HeldPack, Pack, cut
from datamover.wire import PIECE_PREFIX, PieceKind, unpack_piece, unpack_table

from ..strategies import relaxed

BLOCK = 4 * 1024 * 1024


def extents():
    """Extents that follow each other from 0, data and holes."""
    lengths = st.lists(st.tuples(st.integers(1, 3 * BLOCK), st.booleans()), max_size=5)
    return lengths.map(lambda parts: [(sum(p[0] for p in parts[:n]), *part) for n, part in enumerate(parts)])


@relaxed
@given(extents(), st.sampled_from([65536, BLOCK]))
def test_pieces_cover_extents_in_order_and_never_cross_a_block(found, block_size):
    at = 0
    for offset, length, is_hole in cut(found, block_size):
        assert offset == at and length > 0
        assert offset // block_size == (offset + length - 1) // block_size
        assert is_hole or length <= PIECE
        at += length
    assert at == sum(length for _, length, _ in found)


@relaxed
@given(extents())
def test_holes_stay_holes(found):
    pieces = list(cut(found, BLOCK))
    for kind in (True, False):
        assert sum(p[1] for p in pieces if p[2] is kind) == sum(e[1] for e in found if e[2] is kind)


def packed(pack):
    """What arrives of a pack."""
    load = pack.load(stream=3, leaf=0)
    assert wire.table_rows(load.table) == pack.rows
    piece = unpack_piece(load.data[:PIECE_PREFIX])
    assert piece == load.piece and (piece.kind, piece.stream) == (PieceKind.PACKED, 3)
    assert len(load.data) == PIECE_PREFIX + piece.payload
    return [(number, try_, bytes(view)) for number, try_, view in unpack_table(load.data[PIECE_PREFIX:])]


def buffer():
    return bytearray(BUFFER)


def test_a_pack_arrives_as_it_was_filled():
    pack, files = Pack(buffer()), [(5, 1, b""), (6, 2, b"six"), (9, 1, b"x" * 70_000), (10, 65535, b"\0")]
    for number, try_, data in files:
        assert pack.has_room(len(data))
        pack.room(len(data))[:] = data
        pack.add(number, try_, len(data))
    assert pack.bytes == 70_004
    assert packed(pack) == files


def test_a_pack_takes_only_what_fits():
    pack, count = Pack(buffer()), 0
    while pack.has_room(65536):
        pack.add(count, 1, 65536)
        count += 1
    assert 8 <= count <= 16 and len(packed(pack)) == count


def test_a_pack_takes_a_bounded_number_of_files():
    pack = Pack(buffer())
    for number in range(PACK_ROWS):
        assert pack.has_room(0)
        pack.add(number, 1, 0)
    assert not pack.has_room(0)
    assert len(packed(pack)) == PACK_ROWS


def test_every_piece_fits_a_buffer():
    assert BUFFER >= PIECE_PREFIX + PIECE


def test_the_table_has_its_place_before_the_bytes():
    pack = Pack(buffer())
    pack.add(1, 1, 0)
    assert len(pack.load(1, 0).data) == PIECE_PREFIX + len(wire.pack_table([(1, 1, 0)]))


def test_held_files_are_only_named():
    pack = HeldPack()
    for number in range(PACK_ROWS):
        assert not pack.is_full
        pack.add(number, 1, 10)
    assert pack.is_full and pack.bytes == 10 * PACK_ROWS
    load = pack.load(buffer(), stream=2, leaf=0)
    assert unpack_piece(load.data[:PIECE_PREFIX]) == load.piece and load.piece.moved == 0
    assert wire.unpack_held(load.data[PIECE_PREFIX:]) == wire.table_rows(load.table) == pack.rows
