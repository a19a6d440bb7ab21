"""Which codec a transfer may use, and in which words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from . import units
from .errors import NoCodec
from .facts import Facts

BEST_FIRST = ("zstd", "zlib")
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
    lacking = {name: [each.host for each in everyone if name not in each.codecs] for name in BEST_FIRST}
    if asked == NONE:
        return Compression(asked, NONE, "not asked for")
    if asked != "auto":
        return _asked(asked, lacking[asked.partition(":")[0]])
    codec = next((name for name in BEST_FIRST if not lacking[name]), NONE)
    without = "; ".join(f"{units.some(lacking[name])} without {name}" for name in BEST_FIRST if lacking[name])
    return Compression(asked, codec, f"where it helps{f' ({without})' if without else ''}")


def _asked(asked: str, lacking: list[str]) -> Compression:
    codec = asked.partition(":")[0]
    if lacking:
        raise NoCodec(
            f"{' and '.join(lacking)} cannot compress with {codec}: leave out compress, "
            "or install what is missing there"
        )
    return Compression(asked, codec, "asked for")
