"""Whether a server that answers is the one that its unit runs, and would stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RUNS = ("active", "activating", "reloading")


def against_unit(told: Mapping[str, Any], host: str) -> list[str]:
    """Why stopping the unit would not end the server, or why it is not ours to start again."""
    unit, against = told["unit"], []
    if told["running"] and unit["active"] not in RUNS:
        against.append(
            f"A database answers at {told['socket']} of {host}, but {unit['name']} is {unit['active']}, so stopping "
            "that would not end it: let replica:unit name the unit that runs it."
        )
    if unit["masked"]:
        against.append(f"{unit['name']} of {host} is masked: somebody works there. systemctl unmask permits it.")
    return against
