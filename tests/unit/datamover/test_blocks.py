"""Blocks and digests: the same whatever the cuts, the standard digest for the whole, nothing digested twice."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import blocks, digests
from datamover.blocks import Content, ContentBuilder
from datamover.errors import LocalError, ManifestInvalid

from .strategies import relaxed

SIZE = 64


def content_of(data, size=SIZE):
    builder = ContentBuilder(hashlib.sha256, size)
    builder.update(data)
    return builder.finish()


def plainly(data, size=SIZE):
    """The same, computed in the simplest way."""
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    return Content(len(data), tuple(hashlib.sha256(block).digest() for block in cut), hashlib.sha256(data).digest())


class Counting:
    """A hasher that counts the bytes it digests."""

    taken = 0

    def __init__(self):
        self._hasher = hashlib.sha256()

    def update(self, data):
        Counting.taken += len(data)
        self._hasher.update(data)

    def digest(self):
        return self._hasher.digest()


@pytest.fixture
def counting(monkeypatch):
    monkeypatch.setattr(Counting, "taken", 0)
    return Counting


@pytest.mark.parametrize("length", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE, 3 * SIZE + 5])
def test_every_length_has_its_blocks_and_its_standard_digest(length):
    data = bytes(range(256)) * 2
    assert content_of(data[:length]) == plainly(data[:length])


@pytest.mark.parametrize("length", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE])
def test_what_is_here_as_a_whole_has_the_content_that_a_builder_finds(length):
    data = bytes(range(256)) * (length // 256 + 1)
    assert blocks.content_of(memoryview(data)[:length], hashlib.sha256, SIZE) == content_of(data[:length])


def test_an_empty_file_has_no_block_and_the_digest_of_nothing():
    assert content_of(b"") == Content(0, (), hashlib.sha256(b"").digest())


@relaxed
@given(st.lists(st.binary(max_size=200)))
def test_cuts_do_not_matter(cuts):
    builder = ContentBuilder(hashlib.sha256, SIZE)
    for cut in cuts:
        builder.update(cut)
    assert builder.finish() == plainly(b"".join(cuts))


@relaxed
@given(st.lists(st.one_of(st.binary(min_size=1, max_size=200), st.integers(1, 300))))
def test_a_hole_is_so_many_zeros(ranges):
    builder = ContentBuilder(hashlib.sha256, SIZE)
    for each in ranges:
        builder.hole(each) if isinstance(each, int) else builder.update(each)
    assert builder.finish() == plainly(b"".join(bytes(each) if isinstance(each, int) else each for each in ranges))


def test_a_file_of_one_block_is_digested_once(counting):
    builder = ContentBuilder(counting, SIZE)
    builder.update(bytes(SIZE))
    content = builder.finish()
    assert counting.taken == SIZE
    assert content.blocks == (content.whole,)


def test_the_first_block_of_a_longer_file_is_digested_once(counting):
    ContentBuilder(counting, SIZE).update(bytes(3 * SIZE))
    assert counting.taken == SIZE + 2 * 2 * SIZE


def test_a_long_hole_costs_its_blocks_only_once(counting):
    builder = ContentBuilder(counting, SIZE)
    builder.hole(10 * SIZE)
    assert counting.taken == 10 * SIZE + SIZE
    assert builder.finish() == plainly(bytes(10 * SIZE))


def test_finish_may_be_asked_in_the_middle():
    builder = ContentBuilder(hashlib.sha256, SIZE)
    builder.update(b"a" * 100)
    assert builder.finish() == plainly(b"a" * 100)
    builder.update(b"b" * 100)
    assert builder.finish() == plainly(b"a" * 100 + b"b" * 100)


@relaxed
@given(st.integers(0, 10_000), st.integers(1, 300))
def test_blocks_cover_a_file_once_and_in_order(length, size):
    ranges = [blocks.block_range(index, length, size) for index in range(blocks.block_count(length, size))]
    assert [offset for offset, _ in ranges] == [size * index for index in range(len(ranges))]
    assert sum(part for _, part in ranges) == length


@pytest.mark.parametrize("index", [-1, 2])
def test_a_block_that_a_file_does_not_have_is_our_bug(index):
    with pytest.raises(LocalError, match=f"no block {index}"):
        blocks.block_range(index, 2 * SIZE, SIZE)


def test_a_file_of_too_many_blocks_is_refused_with_numbers():
    blocks.check_blocks(16 * 2**40, blocks.BLOCK)
    with pytest.raises(ManifestInvalid, match="has 4194305 blocks of 4194304 bytes; at most 4194304 blocks"):
        blocks.check_blocks(16 * 2**40 + 1, blocks.BLOCK)


@pytest.mark.parametrize("algorithm", digests.available())
def test_the_content_root_depends_on_everything(algorithm):
    content = content_of(b"x" * 200)
    root = blocks.content_root(content, SIZE, algorithm)
    assert len(root) == blocks.DIGEST
    others = [
        blocks.content_root(content_of(b"y" * 200), SIZE, algorithm),
        blocks.content_root(Content(201, content.blocks, content.whole), SIZE, algorithm),
        blocks.content_root(content, SIZE + 1, algorithm),
    ]
    assert root not in others


def test_the_content_root_depends_on_the_algorithm_s_name():
    content = content_of(b"x")
    assert len({blocks.content_root(content, SIZE, name) for name in digests.available()}) == len(digests.available())
