"""Whether a server that answers is the one that its unit runs, and whether one that does not answer is down."""

from __future__ import annotations

from collections.abc import Sequence

from .facts import Facts

CHANGING = ("activating", "deactivating", "reloading", "active")
"""Of a unit that runs, or is about to."""


def is_changing(told: Facts) -> bool:
    """Whether its unit runs, or is about to, though nobody answers: what it is cannot be asked now."""
    return not told["running"] and told["unit"]["active"] in CHANGING


def against_unit(told: Facts, host: str) -> list[str]:
    """Why stopping the unit would not end the server, or why it is not ours to start again."""
    unit, against = told["unit"], []
    if unit["masked"]:
        against.append(f"{unit['name']} of {host} is masked: somebody works there. systemctl unmask permits it.")
    return against + (_of_running(told, host) if told["running"] else _of_silent(told, host))


def _of_running(told: Facts, host: str) -> list[str]:
    """Who answers has to be whom the unit runs: stopping it would stop another one, or nobody."""
    unit, servers = told["unit"], told["processes"]
    unknown = unit["active"] in CHANGING and not (servers and unit["pid"])
    if unknown or unit["pid"] in servers:
        return []
    who = f"process {_named(servers)}" if servers else "of another unit"
    return [
        f"The database that answers at {told['socket']} of {host} is {who}, and {unit['name']} is {unit['active']} "
        f"with process {unit['pid']}, so stopping that would not end it: let replica:unit and replica:socket name one "
        "and the same server."
    ]


def _of_silent(told: Facts, host: str) -> list[str]:
    """Why it is not sure that it is down, or where its data is."""
    unit, servers = told["unit"], told["processes"]
    against = []
    if is_changing(told):
        against.append(
            f"{unit['name']} of {host} is {unit['active']}, but nobody answers at {told['socket']}: what it is cannot "
            "be asked. Stop it, or let replica:socket name where it listens."
        )
    elif servers:
        against.append(
            f"A server (process {_named(servers)}) works in {told['datadir']} of {host}, but nobody answers at "
            f"{told['socket']}: let replica:unit and replica:socket name it, or stop it."
        )
    if not told["options_known"] and not unit["masked"]:
        against.append(
            f"{unit['name']} of {host} is started in a way that is not understood here, so which data directory it has "
            "cannot be told while it is down: start it, and come back."
        )
    return against


def _named(servers: Sequence[int]) -> str:
    return " and ".join(map(str, servers))
