"""Where a server keeps what, by the paths that its variables tell."""

from __future__ import annotations

import posixpath


def is_below(datadir: str, place: str) -> bool:
    """Whether this lies in the data directory, or is it; relative ones count from there, where a server works."""
    own, there = posixpath.normpath(datadir), posixpath.normpath(posixpath.join(datadir, place))
    return f"{there}/".startswith(f"{own.rstrip('/')}/")
