"""Where a server made of a backup goes on in its primary's log, and whether that is believed and still there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .facts import Facts

BY_FILE = "No"


def gtids(position: str) -> dict[str, tuple[int, int]]:
    """{domain: (server, number)} of a GTID position of MariaDB."""
    parts = [part.strip().split("-") for part in position.split(",") if part.strip()]
    return {domain: (int(server), int(number)) for domain, server, number in parts}


def first_made_here(variables: Facts) -> list[str]:
    """The GTIDs in the state of a server's binary log that are its own, and not its primary's."""
    state, own = str(variables.get("gtid_binlog_state") or ""), str(variables.get("server_id"))
    return [gtid for gtid in filter(None, state.split(",")) if gtid.split("-")[1] == own]


def coordinates(backup: Facts, donor_is_primary: bool) -> tuple[dict[str, Any], list[str]]:
    """Where a server made of this backup has to go on, and every reason why that cannot be known."""
    if donor_is_primary:
        found = dict(backup["coordinates"])
        known = found["gtid"] or found["file"]
        return found, [] if known else ["The backup does not tell the primary's binary log position."]
    found = dict(backup["upstream"])
    against = []
    if backup["channels"] > 1:
        against.append("The donor follows several primaries; which coordinates are right cannot be told.")
    if not found["gtid"] and not (found["file"] and found["position"]):
        against.append("The backup of a replica does not tell where that was in its primary's log (--slave-info).")
    against += _contradictions(found["gtid"], backup["coordinates"]["gtid"])
    return found, against


def _contradictions(upstream: str, own: str) -> list[str]:
    """A replica that logs what it receives cannot have received more than it logged."""
    if not upstream or not own:
        return []
    logged = gtids(own)
    beyond = [
        f"{domain}-{server}-{number}"
        for domain, (server, number) in gtids(upstream).items()
        if domain in logged and number > logged[domain][1]
    ]
    return [f"The backup contradicts itself: received {', '.join(beyond)}, logged {own}."] if beyond else []


def against_log(found: Facts, log: Facts, primary: str) -> list[str]:
    """Why a server that goes on from these coordinates would find its primary's log purged; `log` is what is left."""
    if not log["files"]:
        return [f"{primary} has no binary log any more: nobody can follow it."]
    keep = "Let it keep them (binlog_expire_logs_seconds) for longer than copying, preparing and catching up take."
    if not found["gtid"]:
        gone = found["file"] not in log["files"]
        return [f"{primary} has purged {found['file']}, where the backup ends. {keep}"] if gone else []
    reached = gtids(found["gtid"])
    purged = [
        f"{domain}-{server}-{number}"
        for domain, (server, number) in gtids(log["begins"]).items()
        if reached.get(domain, (0, 0))[1] < number
    ]
    if not purged:
        return []
    return [f"{primary} has purged its binary logs up to {', '.join(purged)}, and the backup ends earlier. {keep}"]


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
    logged = gtids(backup["coordinates"]["gtid"])
    strange = [
        f"{domain}-{server}-{number}"
        for domain, (server, number) in gtids(position).items()
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
