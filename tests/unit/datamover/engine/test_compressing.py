"""What is compressed and what is not: samples, packs, small payloads, and a decision that follows what was measured."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from datamover.engine import compressing
from datamover.engine.compressing import SPAN_BYTES, Compressor, Expander, Policy, choose
from datamover.engine.stages import Timesheet
from datamover.errors import ProtocolError
from datamover.wire import PIECE_PREFIX, Codec, Piece, PieceKind, pack_piece_into, unpack_piece

MIB = 1024 * 1024
TEXT = b"said again and again, " * 3000


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def load(payload, kind=PieceKind.DATA):
    """(piece, prefix and payload) as they leave the reader."""
    place = (0, 0) if kind == PieceKind.PACKED else (5, 1)
    piece = Piece(*place, 0, len(payload), len(payload), kind)
    data = bytearray(PIECE_PREFIX + len(payload))
    pack_piece_into(data, 0, piece)
    data[PIECE_PREFIX:] = payload
    return piece, memoryview(data)


def compressor(name="zstd", policy=None):
    return Compressor(name, 0, policy or Policy(False, 1), Timesheet())


@pytest.mark.parametrize("kind", [PieceKind.DATA, PieceKind.PACKED])
@pytest.mark.parametrize("name", ["zstd", "zlib"])
def test_what_gets_smaller_travels_smaller_and_is_whole_again(name, kind):
    piece, data = compressor(name).smaller(*load(TEXT, kind))
    assert unpack_piece(data[:PIECE_PREFIX]) == piece
    assert (piece.codec, piece.length, piece.payload) == (Codec[name.upper()], len(TEXT), len(data) - PIECE_PREFIX)
    assert piece.payload < len(TEXT) / 10
    assert Expander([f"codec-{name}"], Timesheet()).whole(piece, data[PIECE_PREFIX:]) == TEXT


def test_a_compressor_can_be_used_again_and_again():
    packer, expander = compressor(), Expander(["codec-zstd"], Timesheet())
    for number in range(5):
        text = b"%d" % number + TEXT[: 60000 // (number + 1)]
        piece, data = packer.smaller(*load(text))
        assert expander.whole(piece, data[PIECE_PREFIX:]) == text


@pytest.mark.parametrize(
    "payload", [os.urandom(MIB), b"x" * 100, os.urandom(20_000), os.urandom(MIB // 2) * 2], ids=range(4)
)
def test_what_does_not_get_smaller_or_is_tiny_travels_as_it_is(payload):
    piece, data = load(payload)
    assert compressor().smaller(piece, data) == (piece, data)


def test_a_hole_is_left_alone():
    piece = Piece(5, 1, 0, MIB, 0, PieceKind.HOLE)
    assert compressor().smaller(piece, memoryview(bytes(PIECE_PREFIX)))[0] is piece


def test_noise_is_known_by_a_sample_alone(monkeypatch):
    packed, packer = [], compressor()

    class Noting:
        pack = staticmethod(lambda data, real=packer._usual: packed.append(len(data)) or real.pack(data))

    monkeypatch.setattr(packer, "_usual", Noting)
    packer.smaller(*load(os.urandom(MIB)))
    assert sum(packed) <= 16 * 1024


def test_a_codec_that_was_not_agreed_on_is_refused():
    piece, data = compressor("zlib").smaller(*load(TEXT))
    with pytest.raises(ProtocolError, match="not agreed"):
        Expander(["codec-zstd"], Timesheet()).whole(piece, data[PIECE_PREFIX:])


@pytest.mark.parametrize(
    ("mode", "agreed", "chosen"),
    [
        ("auto", ["codec-zlib", "codec-zstd"], ("zstd", 0)),
        ("auto", ["codec-zlib"], ("zlib", 0)),
        ("auto", [], ("none", 0)),
        ("none", ["codec-zstd"], ("none", 0)),
        ("zlib", ["codec-zlib", "codec-zstd"], ("zlib", 0)),
        ("zstd:9", ["codec-zstd"], ("zstd", 9)),
    ],
)
def test_the_codec_is_the_best_of_both_or_the_one_that_was_asked_for(mode, agreed, chosen):
    assert choose(mode, agreed) == chosen


# The decision over time.


def live(policy, clock, way, codec=350e6, spans=20):
    """Payloads of a megabyte on a way of so many bytes a second; a third of them travels while it compresses."""
    for _ in range(spans * SPAN_BYTES // MIB):
        wire = MIB // 3 if policy.compress else MIB
        if policy.compress:
            policy.compressed(MIB, wire, MIB / codec)
        work, sending = (MIB / codec if policy.compress else 0.0), wire / way
        clock.now += max(work, sending)
        policy.sent(MIB, wire, max(0.0, sending - work), work if sending > work else 0.0)
    return policy.compress


@pytest.fixture
def clock():
    return Clock()


def test_a_slow_way_gets_compressed_payloads_and_a_fast_one_does_not(clock):
    assert live(Policy(True, 1, clock), clock, way=12.5e6)
    assert live(Policy(True, 1, clock), clock, way=125e6)
    assert not live(Policy(True, 1, clock), clock, way=1000e6)


def test_it_follows_a_way_that_changes(clock):
    policy = Policy(True, 1, clock)
    for way, compresses in ((1000e6, False), (50e6, True), (1000e6, False)):
        assert live(policy, clock, way, spans=400) == compresses


def test_an_order_is_not_reconsidered(clock):
    policy = Policy(False, 1, clock)
    assert live(policy, clock, way=5000e6)
    policy.worth = replace(policy.worth, thorough=True)
    assert not policy.thorough


def test_who_mostly_waits_for_a_slow_way_makes_more_effort_until_the_way_gets_faster(clock):
    policy = Policy(True, 1, clock)
    for way, thorough in ((12.5e6, True), (100e6, False), (12.5e6, True)):
        assert live(policy, clock, way, spans=400)
        assert policy.thorough == thorough


@pytest.mark.parametrize("name", ["zstd", "zlib"])
def test_more_effort_makes_text_smaller_and_the_other_end_needs_not_know(name):
    text = Path(compressing.__file__).read_bytes() * 30
    usual, thorough = Policy(True, 1), Policy(True, 1)
    thorough.worth = replace(thorough.worth, thorough=True)
    sizes = []
    for policy in (usual, thorough):
        piece, data = compressor(name, policy).smaller(*load(text))
        assert Expander([f"codec-{name}"], Timesheet()).whole(piece, data[PIECE_PREFIX:]) == text
        sizes.append(piece.payload)
    assert sizes[1] < sizes[0]


def test_what_was_queued_before_a_change_is_not_counted_after_it(clock):
    policy = Policy(True, 1, clock)
    policy.sent(SPAN_BYTES, SPAN_BYTES, 0.0, 0.0)
    assert not policy.compress, "nothing held it up"
    clock.now += compressing.SETTLING / 2
    policy.sent(100 * SPAN_BYTES, 100 * SPAN_BYTES, 0.0, 0.0)
    clock.now += compressing.SETTLING
    policy.sent(MIB, MIB, 0.05, 0.0)
    policy.compressed(MIB, MIB // 3, MIB / 350e6)
    clock.now += 0.3
    policy.sent(int(0.3 * 12.5e6), int(0.3 * 12.5e6), 0.29, 0.0)
    assert policy.compress and policy.worth.way == pytest.approx(12.5e6)
