"""Numbers as people write and read them: sizes, spans of time, rates, shares."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction

_DECIMAL = {name: 1000**power for power, name in enumerate(("B", "KB", "MB", "GB", "TB", "PB"))}
_BINARY = {name: 1024**power for power, name in enumerate(("KiB", "MiB", "GiB", "TiB", "PiB"), start=1)}
_SHORT = {name[0]: factor for name, factor in _BINARY.items()}
_SIZES = {name.lower(): factor for name, factor in {**_DECIMAL, **_BINARY, **_SHORT}.items()}
_BITS = {name: factor // 8 for name, factor in (("kbit", 10**3), ("mbit", 10**6), ("gbit", 10**9))}
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_SPAN = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[smhdw])+", re.IGNORECASE)
_SPAN_PART = re.compile(r"([0-9.]+)([smhdw])", re.IGNORECASE)
SHOWN = 3
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def parse_size(text: str) -> int:
    """Bytes from `200MB` (decimal), `4GiB` or `4G` (binary) or a plain number; ValueError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if not match or match[2].lower() not in {"", *_SIZES}:
        raise ValueError(text)
    return int(Fraction(match[1]) * _SIZES.get(match[2].lower(), 1))


def parse_rate(text: str) -> int:
    """Bytes a second from `200MB/s`, `200MB`, `1Gbit/s` or a plain number; ValueError for anything else."""
    amount = text.strip().removesuffix("/s").strip()
    match = _SIZE.fullmatch(amount)
    if match and match[2].lower() in _BITS:
        return int(Fraction(match[1]) * _BITS[match[2].lower()])
    return parse_size(amount)


def parse_span(text: str) -> float:
    """Seconds from `30s`, `5m`, `1h30m`, `1d` or a plain number; ValueError for anything else."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _SPAN.fullmatch(text):
        raise ValueError(text)
    return math.fsum(float(number) * _SPANS[unit.lower()] for number, unit in _SPAN_PART.findall(text))


def size(count: float) -> str:
    """`999 B`, `1.0 KiB`, `120.4 GiB`: binary units, one digit after the point."""
    if count < 1024:
        return f"{int(count)} B"
    name, factor = max((unit for unit in _BINARY.items() if unit[1] <= count), key=lambda unit: unit[1])
    return f"{count / factor:.1f} {name}"


def rate(bytes_per_second: float) -> str:
    return f"{size(bytes_per_second)}/s"


def span(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 file`, `2 files`, `12,034 entries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def some(names: Sequence[str], in_all: int = 0) -> str:
    """`db1`, `db1 and db2`, `db1, db2, db3 and 97 more`; `in_all` is how many there are, if these are not all."""
    rest = max(len(names), in_all) - len(names[:SHOWN])
    *first, last = (*names[:SHOWN], f"{rest:,} more") if rest > 0 else names
    return f"{', '.join(first)} and {last}" if first else last
