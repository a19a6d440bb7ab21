"""Arguments of what a host is asked, as anybody may give them; ReplicaRefused says which cannot be meant, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .errors import ReplicaRefused

LONGEST = 7 * 86400
MOST = 2**63


def text(name: str, given: Any) -> str:
    """Words, also none."""
    return given if isinstance(given, str) else _refuse(name, "a text", given)


def path(name: str, given: Any) -> str:
    """An absolute path."""
    fits = isinstance(given, str) and given.startswith("/") and "\0" not in given
    return given if fits else _refuse(name, "an absolute path", given)


def truth(name: str, given: Any) -> bool:
    """Words such as no are not taken for True."""
    return given if isinstance(given, bool) else _refuse(name, "True or False", given)


def whole(name: str, given: Any, most: int = MOST) -> int:
    """A whole number that is not negative, also in words."""
    number = int(given) if isinstance(given, str) and given.isascii() and given.isdigit() else given
    fits = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most
    return number if fits else _refuse(name, f"a whole number from 0 to {most}", given)


def seconds(name: str, given: Any) -> float:
    """A time that somebody may wait."""
    try:
        number = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    return number if 0 <= number <= LONGEST else _refuse(name, f"seconds from 0 to {LONGEST}", given)


def names(name: str, given: Any) -> tuple[str, ...]:
    """A list of names."""
    fits = isinstance(given, (list, tuple)) and all(isinstance(each, str) for each in given)
    return tuple(given) if fits else _refuse(name, "a list of names", given)


def mapping(name: str, given: Any) -> dict[str, Any]:
    """Names and what they stand for."""
    return dict(given) if isinstance(given, Mapping) else _refuse(name, "a mapping", given)


def place_in_log(name: str, given: Any) -> dict[str, Any]:
    """A place in a primary's log: by GTID, or by file and position."""
    found = mapping(name, given)
    gtid, file = text(f"{name}:gtid", found.get("gtid", "")), text(f"{name}:file", found.get("file", ""))
    position = whole(f"{name}:position", found.get("position", 0))
    if not gtid and not (file and position):
        _refuse(name, "a mapping with gtid, or with file and position", given)
    return {"gtid": gtid, "file": file, "position": position}


def _refuse(name: str, takes: str, given: Any) -> Any:
    shown = ascii(given)
    raise ReplicaRefused([f"{name} has to be {takes}, not {shown if len(shown) <= 80 else shown[:77] + '...'}."])
