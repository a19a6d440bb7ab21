"""Ids of transfers: drawn at random, or made of a key by which somebody asks for the same one again."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from typing import Any

from .errors import BadOption, Refused
from .version import PROJECT

LONGEST_KEY = 200
_ID = re.compile(r"[0-9a-f]{32}")


def fresh() -> str:
    """A random id of 32 hex digits; one without any letter would be a number to Salt's command line."""
    return next(each for each in iter(lambda: secrets.token_hex(16), "") if not each.isdigit())


def of_key(key: Any, owner: str = "") -> str:
    """The id that belongs to a key: an id is its own key, any other text of this owner always gives the same one."""
    text = str(key)
    if isinstance(key, (dict, list, bool)) or not 0 < len(text) <= LONGEST_KEY:
        raise Refused([BadOption.reason(f"key must be a text of at most {LONGEST_KEY} characters, not {key!r:.80}")])
    if not owner and is_id(key):
        return text
    return next(each for each in _digests(f"{PROJECT}\0{owner}\0{text}") if not each.isdigit())


def is_id(key: Any) -> bool:
    return bool(_ID.fullmatch(str(key)))


def _digests(text: str) -> Iterator[str]:
    while True:
        text = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        yield text[:32]
