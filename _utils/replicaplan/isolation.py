"""Whether a server that was started on new data works for nobody yet."""

from __future__ import annotations

from .channels import against_filters
from .facts import Facts


def against_isolation(told: Facts, datadir: str, backup: Facts) -> list[str]:
    """Why a server that was started on new data is not what it should be."""
    against = []
    if told["datadir"] != datadir:
        against.append(f"The server runs on {told['datadir']}, not on {datadir}.")
    if told["variables"].get("read_only") != "ON":
        against.append("The server did not start read-only: does its unit take MYSQLD_OPTS?")
    against += against_filters(told, "The server")
    if told["variables"].get("event_scheduler") == "ON":
        against.append("The event scheduler runs on the new data: does the server's unit take MYSQLD_OPTS?")
    if any(each["io"] != "No" or each["sql"] != "No" for each in told["channels"]):
        against.append("Replication started by itself on the new data.")
    if len(told["schemas"]) < len(backup["schemas"]):
        against.append(
            f"The server shows {len(told['schemas'])} schemas where the backup has {len(backup['schemas'])}."
        )
    return against
