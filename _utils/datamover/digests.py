"""Digest algorithms by name.

Blake3 is several times faster and used where both ends have it; sha256 is always there.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress

_ALGORITHMS: dict[str, Callable] = {"sha256": hashlib.sha256}
with suppress(ImportError):
    from blake3 import blake3

    _ALGORITHMS = {"blake3": blake3, **_ALGORITHMS}


def available():
    """Names of the algorithms of this host, the preferred one first."""
    return tuple(_ALGORITHMS)


def constructor(name):
    """What makes a hasher of this name.

    An object with update(bytes-like) and digest(). Both release the GIL on large input.
    """
    try:
        return _ALGORITHMS[name]
    except KeyError:
        raise ValueError(f"digest {name!r} is not available here; available: {', '.join(available())}") from None


def new(name):
    return constructor(name)()
