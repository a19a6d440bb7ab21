"""The name that somebody may have meant who wrote one that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .paths import printable


def name(written: str, known: Iterable[str]) -> str:
    """The known name that is nearest, whatever the case of its letters; empty if none is near."""
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(written.casefold(), folded, n=1)
    return folded[near[0]] if near else ""


def advice(written: str, known: Iterable[str], otherwise: str) -> str:
    """A question that names it, or what to say if none is near."""
    near = name(written, known)
    return f"did you mean {printable(near)}?" if near else otherwise
