"""Which codec a transfer may use, and in which words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from . import units
from .errors import NoCodec
from .facts import Facts

BEST_FIRST = ("zstd", "zlib")
"""What auto takes."""
NONE = "none"


@dataclass(frozen=True)
class Compression:
    """`asked` is the option; `codec` is what will be used, or may be with auto; `why` are words for people."""

    asked: str
    codec: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def choose(asked: str, everyone: Iterable[Facts]) -> Compression:
    """The codec that every host has: the one asked for, or with auto the best."""
    if asked == NONE:
        return Compression(asked, NONE, "not asked for")
    known = tuple(everyone)
    return _best(known) if asked == "auto" else _asked(asked, known)


def _best(everyone: Iterable[Facts]) -> Compression:
    """The first that nobody lacks, and who lacks those before it."""
    lacking = {name: _lacking(name, everyone) for name in BEST_FIRST}
    codec = next((name for name, hosts in lacking.items() if not hosts), NONE)
    better = takewhile(lambda name: name != codec, BEST_FIRST)
    without = "; ".join(f"{units.some(lacking[name])} without {name}" for name in better)
    return Compression("auto", codec, f"where it helps{f' ({without})' if without else ''}")


def _asked(asked: str, everyone: Iterable[Facts]) -> Compression:
    codec = asked.partition(":")[0]
    if lacking := _lacking(codec, everyone):
        raise NoCodec(
            f"{' and '.join(lacking)} cannot compress with {codec}: leave out compress, "
            "or install what is missing there"
        )
    return Compression(asked, codec, "asked for")


def _lacking(codec: str, everyone: Iterable[Facts]) -> list[str]:
    return [each.host for each in everyone if codec not in each.codecs]
