"""Codecs: payloads come back whole, and whatever else is said to be one is refused before it takes room."""

import os
import sys
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import codecs
from datamover.errors import ProtocolError

from .strategies import damaged, relaxed

zstandard = pytest.importorskip("zstandard")

TEXT = b"what is said twice, what is said twice, is shorter the second time. " * 40
MIB = 1024 * 1024


@pytest.fixture(params=codecs.available())
def codec(request):
    return codecs.new(request.param)


def test_zlib_is_everywhere_and_zstd_is_preferred():
    assert codecs.available()[0] == "zstd"
    assert "zlib" in codecs.available()


@relaxed
@given(st.binary(min_size=1, max_size=5000) | st.just(TEXT), st.sampled_from(codecs.available()))
def test_what_was_packed_comes_back(data, name):
    codec = codecs.new(name)
    assert codec.unpack(memoryview(codec.pack(memoryview(data))), len(data)) == data


@pytest.mark.parametrize("name", codecs.available())
def test_each_level_is_taken_and_a_high_one_packs_more(name):
    low, high, _ = codecs.LEVELS[name]
    data = os.urandom(500) * 4 + TEXT
    sizes = [len(codecs.new(name, level).pack(data)) for level in (low, high)]
    assert sizes[1] <= sizes[0] < len(data)


@pytest.mark.parametrize("more", [-1, 1, 1000])
def test_another_length_than_was_announced_is_refused(codec, more):
    with pytest.raises(ProtocolError):
        codec.unpack(codec.pack(TEXT), len(TEXT) + more)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packed: packed + b"x",
        lambda packed: packed + packed,
        lambda packed: packed[:-1],
        lambda packed: packed[: len(packed) // 2],
        lambda packed: b"",
        lambda packed: b"\0" * len(packed),
    ],
    ids=["a byte more", "twice", "a byte less", "half", "nothing", "zeros"],
)
def test_what_is_not_exactly_one_whole_stream_is_refused(codec, spoil):
    with pytest.raises(ProtocolError):
        codec.unpack(spoil(codec.pack(TEXT)), len(TEXT))


def bombs():
    """Small payloads that would unpack to far more than the megabyte that they announce."""
    huge = bytes(64 * MIB)
    untold = zstandard.ZstdCompressor(level=1).compressobj()
    return {
        **{name: [codecs.new(name, codecs.LEVELS[name][1]).pack(huge)] for name in codecs.available()},
        "zstd": [
            zstandard.ZstdCompressor(level=1).compress(huge),
            untold.compress(huge) + untold.flush(),
            # A header that claims 2^60 bytes: magic number, one segment, a length of 8 bytes.
            bytes.fromhex("28b52ffd") + b"\xe0" + (1 << 60).to_bytes(8, "little") + b"\1\0\0",
            # A header that claims a megabyte and a window of 2 GiB to remember.
            bytes.fromhex("28b52ffd") + b"\x80" + bytes([21 << 3]) + MIB.to_bytes(4, "little") + b"\1\0\0",
        ],
    }


@pytest.mark.parametrize(("name", "bomb"), [(name, bomb) for name, each in bombs().items() for bomb in each])
def test_a_bomb_takes_no_more_room_than_it_announces(name, bomb):
    codec = codecs.new(name)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            codec.unpack(bomb, MIB)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


@relaxed
@given(st.sampled_from(codecs.available()), st.data())
def test_damaged_payloads_are_refused_or_give_just_the_announced_length(name, data):
    codec = codecs.new(name)
    packed = data.draw(damaged(st.just(codec.pack(TEXT))))
    with suppress(ProtocolError):
        assert len(codec.unpack(packed, len(TEXT))) == len(TEXT)


if sys.version_info >= (3, 14):  # which has a zstd of its own

    def test_both_ways_to_zstd_understand_each_other():
        ours, theirs = codecs.PythonZstd(3), codecs.Zstandard(3)
        assert ours.unpack(theirs.pack(TEXT), len(TEXT)) == theirs.unpack(ours.pack(TEXT), len(TEXT)) == TEXT
