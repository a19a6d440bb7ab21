"""Whether a server may be cloned, and whether another is the primary that its clones can follow."""

from __future__ import annotations

from .facts import Facts
from .places import against_elsewhere


def against_donor(told: Facts, host: str) -> list[str]:
    """Why nothing should be cloned from this server."""
    if not told["running"]:
        return [f"{host} does not run."]
    against = []
    if not told["schemas"]:
        against.append(f"{host} holds no schema but the server's own.")
    if str(told["variables"].get("log_bin")) != "ON" and not told["channels"]:
        against.append(f"{host} has no binary log (log_bin): nobody can follow it.")
    against += against_elsewhere(told["datadir"], told["files"]["elsewhere"], host)
    if told.get("installation"):
        against.append(f"{host} has an installation under way, which is not settled yet: its data may not stay.")
    for channel in told["channels"]:
        against += _against_channel(channel, host)
    if len(told["channels"]) > 1:
        against.append(f"{host} follows several primaries; such a server is not cloned by this version.")
    if told.get("galera"):
        against.append(f"{host} is a node of a Galera cluster; its state is not cloned into an asynchronous replica.")
    return against


def _against_channel(channel: Facts, host: str) -> list[str]:
    against = []
    if channel["sql_errno"] or channel["io_errno"]:
        against.append(f"{host} replicates with an error: {channel['sql_error'] or channel['io_error']}")
    if channel["filters"]:
        against.append(f"{host} replicates only a part ({', '.join(sorted(channel['filters']))}).")
    if channel["delay"]:
        against.append(f"{host} is {channel['delay']} s behind its primary on purpose.")
    return against


def against_primary(head: Facts, primary: str, donor: Facts, source: str) -> list[str]:
    """The primary has to be one; a donor that is none has to follow it."""
    if not head["running"]:
        return [f"The primary {primary} does not run."]
    against = []
    if head["channels"]:
        against.append(f"{primary} follows somebody itself; primary has to name whom the replicas shall follow.")
    if str(head["variables"].get("log_bin")) != "ON":
        against.append(f"The primary {primary} has no binary log (log_bin): nobody can follow it.")
    if filters := head.get("binlog_filters"):
        named = ", ".join(f"{name}={each}" for name, each in filters.items())
        against.append(f"The primary {primary} logs only a part ({named}): nobody who follows it stays equal.")
    wanted = head["variables"].get("server_id")
    if source != primary and wanted not in [channel["primary_id"] for channel in donor["channels"]]:
        against.append(f"{source} does not follow {primary} (server_id {wanted}).")
    return against
