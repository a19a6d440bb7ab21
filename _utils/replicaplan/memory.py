"""How much memory preparing a backup may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .errors import ReplicaRefused

SMALLEST, MOST = 32 << 20, 8 << 30
SHARE = 4


def chosen(memory: Any, parse: Callable[[str], int]) -> int:
    """What somebody asked for, in bytes; 0 leaves it to the host. ReplicaRefused says what is wrong with it."""
    try:
        size = parse(str(memory))
    except ValueError:
        raise ReplicaRefused([f"memory={memory!r} is no size: a number of bytes, 512MiB, 2GiB are."]) from None
    if 0 < size < SMALLEST:
        raise ReplicaRefused([f"memory={memory} is too little to prepare with: 32MiB is the least."])
    return size


def usual(available: int, limits: Iterable[int]) -> int:
    """A share of what is available here: a server on the same host must not lose its own."""
    return max(SMALLEST, min(MOST, min([available, *limits]) // SHARE))
