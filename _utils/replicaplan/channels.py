"""How a server replicates: whether it does, and what it does otherwise than others on purpose."""

from __future__ import annotations

from collections.abc import Sequence

from .facts import Facts


def against_replicating(channels: Sequence[Facts]) -> list[str]:
    """Why a server cannot be said to follow anybody: no channel, or a thread that does not run."""
    if not channels:
        return ["It follows nobody: no primary is set."]
    against = []
    for each in channels:
        if each["io"] != "Yes":
            against.append(f"The receiving thread does not run ({each['io']}): {each['io_error'] or 'no error'}.")
        if each["sql"] != "Yes":
            against.append(f"The applying thread does not run ({each['sql']}): {each['sql_error'] or 'no error'}.")
    return against


def against_filters(told: Facts, host: str) -> list[str]:
    """Why a server does not become a copy: its configuration has it apply only a part of what it receives."""
    known = told["variables"]
    found = [f"{name}={known[name]}" for name in sorted(known) if name.startswith("replicate_") and known[name]]
    return [f"{host} is set to replicate only a part ({', '.join(found)}): it would not stay equal."] if found else []


def lost_by_cloning(told: Facts, host: str) -> list[str]:
    """What a replica does otherwise than others on purpose, and would not do any more as a clone."""
    against = []
    for channel in told["channels"]:
        if channel["delay"]:
            against.append(
                f"{host} is {channel['delay']} s behind its primary on purpose (MASTER_DELAY), and a clone is not: "
                "set MASTER_DELAY=0 there and come back."
            )
        if channel["filters"]:
            names = ", ".join(sorted(channel["filters"]))
            against.append(f"{host} applies only a part of what its primary logs ({names}), and a clone holds it all.")
    return against
