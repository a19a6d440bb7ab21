"""The words of a command line as they were typed. Salt reads each as YAML, which loses white space at the ends of a
path, and takes a word with a line break in it for no keyword at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

PLACES = ("src", "dst")
PATTERNS = ("include", "exclude")
_KEYWORD = re.compile(r"([^\d\W][\w.-]*)=(?!=)(.*)", re.DOTALL)


def as_typed(args: Sequence[Any], given: Mapping[str, Any], typed: Any) -> tuple[list[Any], dict[str, Any]]:
    """Arguments as the user meant them; `typed` are the words of the command line, if there is one."""
    words = [word for word in typed if isinstance(word, str)] if isinstance(typed, (list, tuple)) else []
    plain = [word for word in words if not _KEYWORD.fullmatch(word)]
    named = {match[1]: match[2] for match in map(_KEYWORD.fullmatch, words) if match}
    broken = [_KEYWORD.fullmatch(arg) if isinstance(arg, str) and "\n" in arg else None for arg in args]
    positional = [arg for arg, match in zip(args, broken, strict=True) if not match]
    keywords = {**given, **{match[1]: match[2] for match in broken if match}}
    restored = {name: _restored(keywords[name], named.get(name)) for name in PLACES if name in keywords}
    restored |= {name: _as_text(keywords[name], named.get(name)) for name in PATTERNS if name in keywords}
    if len(plain) == len(positional):
        positional = [_restored(read, word) for read, word in zip(positional, plain, strict=True)]
    return positional, {**keywords, **restored}


def _restored(read: Any, word: str | None) -> Any:
    """The word itself where reading it has changed nothing but the white space at its ends."""
    return word if isinstance(read, str) and word is not None and read.strip() == word.strip() else read


def _as_text(read: Any, word: str | None) -> Any:
    """The word itself unless it was read as a list: a number or a date is a name like any other."""
    return read if word is None or isinstance(read, (list, tuple)) else word
