"""What people write out of habit who know other tools, and how it is said here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_PROOF = "what is proved says verify: readback, the default, or flight"
OPTIONS = {
    "checksum": _PROOF,
    "no_checksum": _PROOF,
    "parallel_checksum": _PROOF,
    "no_parallel_checksum": _PROOF,
    "no_compress": "that is compress=none",
    "no_encrypt": "that is encrypt=False",
    "stop_slave": "that is stop_replication=True",
    "dry_run": "that is test=True",
    "bwlimit": "that is limit, such as limit=50MB/s",
}
_LIST = "into a list: dst='[\"MINION:/path\", \"MINION:/path\"]'"


def of_option(name: Any) -> str:
    """How an option of another tool is said here; empty if it is none."""
    return OPTIONS.get(str(name).lower().replace("-", "_"), "")


def of_places(args: Sequence[Any]) -> str:
    """How several destinations are written that stand one after the other; empty if these are none."""
    places = args[1:]
    if len(places) < 2 or not all(isinstance(place, str) and ":/" in place for place in places):
        return ""
    plain = all(place.isprintable() and not {*place} & {*"',\\"} for place in places)
    written = f"dst='{','.join(places)}'" if plain else f"them {_LIST}"
    return f"takes one src and one dst: for several destinations write {written}"
