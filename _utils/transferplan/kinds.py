"""The kinds of values that options take: what each accepts from a command line or YAML, and in which words.

`read` returns the value in its one form, which JSON can carry, or raises ValueError. `takes` completes the sentence
"this option must be ...". A boolean is never taken for a number, nor a number for a boolean.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from . import units

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_SHARE = re.compile(r"([0-9]{1,2}(?:\.[0-9]+)?)\s*%")
_PORTION = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%")
_NUMBER = re.compile(r"[0-9]{1,12}")
_PORTS = re.compile(r"([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?")
_COMMA = re.compile(r"(?<!\\),")
_PATTERN_TOKEN = re.compile(r"\\x([0-9a-fA-F]{2})|\\(.)|(.)", re.DOTALL)
HIGHEST_PORT = 65535
MOST_PATTERNS = 500
PATTERNS_TOGETHER = 16 * 1024


class WrongWords(ValueError):
    """A list in which only these are wrong."""

    def __init__(self, words: list[Any]):
        super().__init__(words)
        self.words = words


def wrong(error: ValueError, value: Any) -> str:
    """What of a value was not taken, in short, for the end of the sentence "this option must be ..., not"."""
    words = error.words if isinstance(error, WrongWords) else [value]
    text = " and ".join(map(ascii, words))
    return text if len(text) <= 80 else text[:77] + "..."


class Kind(Protocol):
    @property
    def word(self) -> str: ...

    @property
    def takes(self) -> str: ...

    def read(self, value: Any) -> Any: ...

    def show(self, value: Any) -> str: ...


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _within(value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(value)


@dataclass(frozen=True)
class Truth:
    word = "boolean"
    takes = "True or False"

    def read(self, value: Any) -> bool:
        if isinstance(value, str):
            value = _WORDS.get(value.strip().lower())
        if not isinstance(value, bool):
            raise ValueError(value)
        return value

    def show(self, value: bool) -> str:
        return str(value)


@dataclass(frozen=True)
class Whole:
    low: int
    high: int
    word = "number"

    @property
    def takes(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def read(self, value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip(), re.ASCII):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(value)
        _within(value, self.low, self.high)
        return value

    def show(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True)
class AutoOr:
    """The word auto, or a value of another kind."""

    kind: Kind

    @property
    def word(self) -> str:
        return self.kind.word

    @property
    def takes(self) -> str:
        return f"auto, or {self.kind.takes}"

    def read(self, value: Any) -> Any:
        automatic = isinstance(value, str) and value.strip().lower() == "auto"
        return "auto" if automatic else self.kind.read(value)

    def show(self, value: Any) -> str:
        return "auto" if value == "auto" else self.kind.show(value)


@dataclass(frozen=True)
class Span:
    """A span of time; read as whole seconds."""

    low: int
    high: int
    word = "time"

    @property
    def takes(self) -> str:
        return f"a time from {self.show(self.low)} to {self.show(self.high)}, such as 30, 30s, 5m, 2h or 1d"

    def read(self, value: Any) -> int:
        seconds = float(value) if _is_number(value) else units.parse_span(_text(value))
        _within(seconds, self.low, self.high)
        if not seconds.is_integer():
            raise ValueError(value)
        return int(seconds)

    def show(self, value: int) -> str:
        for unit, factor in (("d", 86400), ("h", 3600), ("m", 60)):
            if value and value % factor == 0:
                return f"{value // factor}{unit}"
        return f"{value}s"


@dataclass(frozen=True)
class Choice:
    choices: tuple[str, ...]
    word = "word"

    @property
    def takes(self) -> str:
        return _one_of(self.choices)

    def read(self, value: Any) -> str:
        word = _text(value).strip().lower()
        if word not in self.choices:
            raise ValueError(value)
        return word

    def show(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Choices:
    """Any number of words; read as a tuple in the order of the table."""

    choices: tuple[str, ...]
    word = "words"

    @property
    def takes(self) -> str:
        return f"a list or comma-separated words of {', '.join(self.choices)}"

    def read(self, value: Any) -> tuple[str, ...]:
        words = value if isinstance(value, (list, tuple)) else _text(value).split(",")
        chosen = [word.strip().lower() if isinstance(word, str) else None for word in words]
        if strange := [word for word, one in zip(words, chosen, strict=True) if one not in ("", *self.choices)]:
            raise WrongWords(strange)
        return tuple(choice for choice in self.choices if choice in chosen)

    def show(self, value: tuple[str, ...]) -> str:
        return ",".join(value) or "none of them"


@dataclass(frozen=True)
class Ports:
    """A range of ports; read as (lowest, highest)."""

    word = "ports"
    takes = f"a range of ports within 1 to {HIGHEST_PORT}, such as 4400-4499"

    def read(self, value: Any) -> tuple[int, int]:
        if isinstance(value, (list, tuple)):
            value = "-".join(str(Whole(1, HIGHEST_PORT).read(part)) for part in value)
        match = _PORTS.fullmatch(_text(value, also=int).strip())
        if not match:
            raise ValueError(value)
        low, high = int(match[1]), int(match[2] or match[1])
        _within(low, 1, high)
        _within(high, low, HIGHEST_PORT)
        return low, high

    def show(self, value: tuple[int, int]) -> str:
        return "-".join(map(str, value))


@dataclass(frozen=True)
class Name:
    """A name that somebody gave; empty for none."""

    word = "text"
    takes = "a name of at most 64 letters, digits, dots, dashes and underscores"

    def read(self, value: Any) -> str:
        text = str(value) if _is_number(value) else _text(value).strip()
        if text and not _NAME.fullmatch(text):
            raise ValueError(value)
        return text

    def show(self, value: str) -> str:
        return value or "none"


@dataclass(frozen=True)
class NetworkName:
    """Which of a host's addresses to use; read as text, empty for any."""

    word = "network"
    takes = "a network such as 10.20.0.0/16, an address, or the name of an interface"

    def read(self, value: Any) -> str:
        text = _text(value).strip()
        if text and not (_is_network(text) or _INTERFACE.fullmatch(text)):
            raise ValueError(value)
        return text

    def show(self, value: str) -> str:
        return value or "any"


@dataclass(frozen=True)
class Reserve:
    """What must stay free; read as `auto`, a share such as `5%`, or bytes."""

    word = "size"
    takes = "auto, a size such as 10GiB, or a share below 100 % such as 5%"

    def read(self, value: Any) -> str | int:
        text = _text(value, also=int).strip()
        if text.lower() == "auto":
            return "auto"
        if match := _SHARE.fullmatch(text):
            return f"{float(match[1]):g}%"
        return units.parse_size(text)

    def show(self, value: str | int) -> str:
        return value if isinstance(value, str) else units.size(value)


@dataclass(frozen=True)
class Size:
    """A size; read as bytes."""

    word = "size"
    takes = "a size such as 500MB or 10GiB, or 0"

    def read(self, value: Any) -> int:
        return units.parse_size(_text(value, also=int).strip())

    def show(self, value: int) -> str:
        return units.size(value) if value else "0"


@dataclass(frozen=True)
class Rate:
    """A speed; read as bytes a second, 0 for none."""

    low: int
    high: int
    word = "rate"

    @property
    def takes(self) -> str:
        return f"0 or none, or a rate from {units.rate(self.low)} such as 200MB/s or 1Gbit/s"

    def read(self, value: Any) -> int:
        text = _text(value, also=int).strip()
        rate = 0 if text.lower() == "none" else units.parse_rate(text)
        if rate:
            _within(rate, self.low, self.high)
        return rate

    def show(self, value: int) -> str:
        return units.rate(value) if value else "none"


@dataclass(frozen=True)
class Compression:
    """How data travels; read as a word, with `:LEVEL` behind a codec if a level was given."""

    levels: Mapping[str, tuple[int, int]]
    word = "codec"

    @property
    def takes(self) -> str:
        named = (f"{name}:{low} to {name}:{high}" for name, (low, high) in self.levels.items())
        return f"auto, none, {' or '.join(self.levels)}, or one of these with a level, {' or '.join(named)}"

    def read(self, value: Any) -> str:
        text = _text(value).strip().lower()
        name, colon, level = text.partition(":")
        if colon:
            low, high = self.levels.get(name, (1, 0))
            return f"{name}:{Whole(low, high).read(level)}"
        if name not in ("auto", "none", *self.levels):
            raise ValueError(value)
        return name

    def show(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Portion:
    """How many of something; read as a share such as `50%`, or a number."""

    word = "share"
    takes = "a share from 0% to 100%, or a number of entries"

    def read(self, value: Any) -> str | int:
        text = _text(value, also=int).strip()
        if _NUMBER.fullmatch(text):
            return int(text)
        if not (match := _PORTION.fullmatch(text)):
            raise ValueError(value)
        _within(float(match[1]), 0, 100)
        return f"{float(match[1]):g}%"

    def show(self, value: str | int) -> str:
        return str(value)


@dataclass(frozen=True)
class Directory:
    word = "path"
    takes = "an absolute path without . or .. in it"

    def read(self, value: Any) -> str:
        text = _text(value)
        parts = text.split("/")
        if not text.startswith("/") or not text.isprintable() or {".", ".."} & set(parts) or not any(parts):
            raise ValueError(value)
        return "/" + "/".join(part for part in parts if part)

    def show(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Patterns:
    """Patterns of names, as the source's walk reads them (datamover.selection); read as a tuple.

    What cannot be printed is written as the numbers of its bytes. `exceptions` lets a pattern begin with `!`.
    """

    exceptions: bool = False
    word = "words"
    takes = "a list of patterns, or patterns with commas between them"

    def read(self, value: Any) -> tuple[str, ...]:
        texts = value if isinstance(value, (list, tuple)) else _split(_text(value))
        patterns = tuple(self._read_one(_text(text)) for text in texts)
        if len(patterns) > MOST_PATTERNS or sum(map(len, patterns)) > PATTERNS_TOGETHER:
            raise ValueError(value)
        return patterns

    def _read_one(self, text: str) -> str:
        pattern = _PATTERN_TOKEN.sub(_plain_token, text)
        names = pattern.removeprefix("!")
        if names != pattern and not self.exceptions:
            raise ValueError(text)
        if "//" in names or {"", ".", ".."} & set(names.strip("/").split("/")):
            raise ValueError(text)
        return pattern

    def show(self, value: tuple[str, ...]) -> str:
        return ", ".join(value) or "none"


def _split(text: str) -> list[str]:
    """The items between commas that no backslash precedes."""
    return [item.strip() for item in _COMMA.split(text)] if text.strip() else []


def _plain_token(match: re.Match[str]) -> str:
    """One character of a pattern, with what precedes it, in a form that can be printed."""
    number, escaped, plain = match.groups()
    character = bytes.fromhex(number).decode("latin-1") if number else escaped or plain
    if character == "\0":
        raise ValueError(match[0])
    if character == "/":
        return "/"
    if number or character.isprintable():
        return match[0]
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _text(value: Any, also: type = str) -> str:
    """The value as text if it is text (or of the other type, never a boolean)."""
    if isinstance(value, bool) or not isinstance(value, (str, also)):
        raise ValueError(value)
    return str(value)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _one_of(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
