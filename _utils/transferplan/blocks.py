"""How large the blocks are that a transfer compares, proves and asks for again."""

from .facts import Source

USUAL, LARGEST = 4 * 1024 * 1024, 64 * 1024 * 1024
MANY = 1024 * 1024
"""Blocks of one file: their digests are held in memory, about 73 bytes each."""


def size(found: Source) -> int:
    """The usual, or as much larger as the largest file that was found asks for."""
    chosen = USUAL
    while chosen < LARGEST and found.largest > MANY * chosen:
        chosen *= 2
    return chosen
