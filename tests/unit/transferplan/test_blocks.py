"""The size of blocks: the usual one, and larger ones only where a file has too many of those."""

import pytest

from transferplan import blocks

from .samples import BETA, alpha, source
from .test_plan import made

MIB, TIB = 2**20, 2**40


@pytest.mark.parametrize(
    "largest, size",
    [(0, 4), (4 * TIB, 4), (4 * TIB + 1, 8), (20 * TIB, 32), (32 * TIB, 32), (64 * TIB, 64), (2**63 - 1, 64)],
)
def test_blocks_grow_with_the_largest_file_as_far_as_they_may(largest, size):
    found = source(largest=largest)
    told = {spec["settings"]["block_size"] for spec in made(alpha=alpha(found)).specs().values()}
    assert told == {size * MIB}


def test_a_source_that_does_not_tell_its_largest_file_has_usual_blocks():
    assert made(alpha=alpha()).specs()[BETA]["settings"]["block_size"] == blocks.USUAL
