"""How a server follows its primary: what of that a clone would not keep, and whether the place it tells is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import standing

Facts = Mapping[str, Any]
BY_FILE = "No"


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


def against_untold(told: Facts, host: str) -> list[str]:
    """Why the GTID position of a donor cannot be believed, whatever a backup of it says."""
    logs = str(told["variables"].get("log_slave_updates")) == "ON"
    if logs or not _by_file(told["channels"]) or not told["variables"].get("gtid_slave_pos"):
        return []
    return [
        f"{host} replicates by file and position (Using_Gtid: No) and has a gtid_slave_pos all the same, which nothing "
        f"confirms, because it does not log what it applies (log_slave_updates). {_HELP}"
    ]


def against_position(channels: Sequence[Facts], backup: Facts, host: str) -> list[str]:
    """Why the GTID position in a backup of a replica may be of another time: nothing has to keep it up to date."""
    position = backup["upstream"]["gtid"]
    if not _by_file(channels) or not position:
        return []
    logged = standing.gtids(backup["coordinates"]["gtid"])
    strange = [
        f"{domain}-{server}-{number}"
        for domain, (server, number) in standing.gtids(position).items()
        if logged.get(domain, ("", None))[1] != number
    ]
    if not strange:
        return []
    own = backup["coordinates"]["gtid"] or "nothing"
    return [
        f"{host} replicates by file and position (Using_Gtid: No). Its backup tells {', '.join(strange)} as its place, "
        f"and has logged {own}: which of them is right cannot be told. {_HELP}"
    ]


_HELP = "Let it replicate by GTID (CHANGE MASTER TO MASTER_USE_GTID=slave_pos), or take the primary as the source."


def _by_file(channels: Sequence[Facts]) -> bool:
    return any(each["using_gtid"] == BY_FILE for each in channels)
