"""How much preparing may take: what is asked for is read before anything is copied."""

import pytest

from replicaplan import memory
from replicaplan.errors import ReplicaRefused
from transferplan import units

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("asked", "size"), [(0, 0), ("0", 0), ("64MiB", 64 * MIB), (32 * MIB, 32 * MIB), ("2G", 2 * GIB)]
)
def test_a_number_or_a_size_is_bytes_and_nothing_leaves_it_to_the_host(asked, size):
    assert memory.chosen(asked, units.parse_size) == size


@pytest.mark.parametrize(
    ("asked", "words"), [("rubbish", "is no size"), ("-1", "is no size"), ("1MiB", "too little"), (1, "too little")]
)
def test_what_is_no_size_or_too_little_is_refused_in_words(asked, words):
    with pytest.raises(ReplicaRefused, match=words):
        memory.chosen(asked, units.parse_size)


def test_a_quarter_of_what_is_there_is_taken_within_bounds():
    assert memory.usual(8 * GIB, []) == 2 * GIB
    assert memory.usual(8 * GIB, [GIB, 4 * GIB]) == GIB // 4
    assert (memory.usual(MIB, []), memory.usual(999 * GIB, [])) == (memory.SMALLEST, memory.MOST)
