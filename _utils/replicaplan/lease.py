"""How long something is held while nobody goes on with it."""

from __future__ import annotations

from typing import Any

from .errors import ReplicaRefused

SHORTEST, LONGEST = 5, 7 * 86400


def checked(lease: Any) -> int:
    """A lease in whole seconds; ReplicaRefused if it cannot be one."""
    if not (str(lease).isascii() and str(lease).isdigit()) or not SHORTEST <= int(lease) <= LONGEST:
        raise ReplicaRefused([f"lease={lease!r} is no number of seconds from {SHORTEST} to {LONGEST}."])
    return int(lease)
