"""Where a server keeps what, by the paths that its variables tell, and where new data comes."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

INCOMING = ".incoming"
"""What the name of the data directory is continued with, where a backup of another server arrives."""


def is_below(datadir: str, place: str) -> bool:
    """Whether this lies in the data directory, or is it; relative ones count from there, where a server works."""
    own, there = posixpath.normpath(datadir), posixpath.normpath(posixpath.join(datadir, place))
    return f"{there}/".startswith(f"{own.rstrip('/')}/")


def against_elsewhere(directory: str, names: Sequence[str], host: str = "") -> list[str]:
    """Links and .isl files lead to files that a rename leaves where they are: two servers would write them."""
    if not names:
        return []
    more = ", ..." if len(names) > 1 else ""
    return [
        f"{directory}{f' of {host}' if host else ''} holds {names[0]}{more}, which leads to data outside of it (DATA "
        "DIRECTORY, or a link): such data cannot be exchanged by a rename."
    ]


def against_mount_point(datadir: str, host: str) -> list[str]:
    """Why no directory can take the place of a data directory that is one, by a rename."""
    return [
        f"The data directory {datadir} of {host} is a mount point and cannot be exchanged by a rename: let "
        f"datadir be a directory below it, such as {datadir}/data."
    ]
