"""Whether the logs of a server, of its own writes and of its primary's, change places with its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .places import is_below

# As a running server tells it, and as its configuration does while it is down; a running one says log_bin=ON.
KINDS = {"log_bin_basename": "binary log", "log_bin": "binary log", "relay_log": "relay log"}
NO_PATHS = ("", "ON", "OFF", "0", "1")


def against_logs(told: Mapping[str, Any], host: str) -> list[str]:
    """Why the old data of this server would come back beside a log that the new one has written."""
    return [
        f"{host} keeps its {kind} outside of its data directory {told['datadir']} ({name}={value}): it would not "
        "change places with the data, and the old data would come back to a log that is not its own. "
        f"Let {_option(name)} be a name without a path, and start the server anew."
        for name, kind, value in _outside(told)
    ]


def _outside(told: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, kind in KINDS.items():
        value = str(told["variables"].get(name) or "")
        if value not in NO_PATHS and not is_below(told["datadir"], value):
            yield name, kind, value


def _option(name: str) -> str:
    return name.removesuffix("_basename")
