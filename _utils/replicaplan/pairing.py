"""Whether servers and backups fit together: their versions, their settings, their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .facts import Facts

# What must be the same at both ends, or the data files cannot be read.
SAME = ("innodb_page_size", "lower_case_table_names")
# The oldest series that can be counted, and so proved.
OLDEST = (10, 8)


def series(version: str) -> tuple[int, ...]:
    """(10, 11) of 10.11.19-MariaDB."""
    return tuple(int(word) for word in version.split("-")[0].split(".")[:2] if word.isdigit())


def against_pair(donor: Facts, target: Facts, host: str) -> list[str]:
    """Why the target cannot run on the donor's files."""
    against = [
        f"{host} has {name}={target['variables'].get(name)}, the donor {donor['variables'].get(name)}."
        for name in SAME
        if donor["variables"].get(name) != target["variables"].get(name)
    ]
    if target["vendor"] != donor["vendor"]:
        against.append(f"{host} runs {target['vendor']}, the donor {donor['vendor']}.")
    if series(target["version"]) < series(donor["version"]):
        against.append(f"{host} runs {target['version']}, which is older than the donor's {donor['version']}.")
    if not target["tools"]:
        against.append(f"{host} has no backup tool: mariadb-backup has to be installed there.")
    missing = sorted(set(donor.get("plugins", ())) - set(target.get("plugins", donor.get("plugins", ()))))
    if missing and target["running"]:
        against.append(f"{host} lacks plugins that the donor has: {', '.join(missing)}.")
    return against


def against_backup(backup: Facts, told: Facts) -> list[str]:
    """Why this backup must not be installed here."""
    against = []
    if not backup["prepared"]:
        against.append(f"{backup['path']} is not prepared: xtrabackup.prepare does that.")
    if not backup["schemas"]:
        against.append(f"{backup['path']} holds no schema but the server's own: is it a backup of the right server?")
    if series(backup["server_version"]) > series(told["version"]):
        against.append(
            f"{backup['path']} is of a server {backup['server_version']}, and the one here is older: {told['version']}."
        )
    return against


def too_old(told: Facts, host: str) -> list[str]:
    """Why a copy of this server, or on this server, could not be proved."""
    if told["vendor"] != "mariadb" or series(told["version"]) >= OLDEST:
        return []
    return [f"{host} runs MariaDB {told['version']}: replicas are proved from {'.'.join(map(str, OLDEST))} on."]


def same_ids(told: Mapping[str, Facts]) -> list[str]:
    """Servers of which several have one server_id."""
    seen: dict[Any, list[str]] = {}
    for host, facts in told.items():
        seen.setdefault(facts["variables"].get("server_id"), []).append(host)
    return [
        f"{' and '.join(sorted(hosts))} have the same server_id {number}."
        for number, hosts in seen.items()
        if len(hosts) > 1
    ]


def taken_ids(head: Facts, primary: str, targets: Mapping[str, Facts]) -> list[str]:
    """Targets whose number another replica of the primary has. One that follows it, or is down, may be listed itself.
    """
    listed = {each["server_id"] for each in head["replicas"]} - {0}
    return [
        f"{primary} has a replica with server_id {number} already, and {host}, which has that number too, does not "
        "follow it: of two with one number neither can stay. If it did until just now, come back in a minute."
        for host, told in targets.items()
        if told["running"] and (number := told["variables"].get("server_id")) in listed and not _follows(told, head)
    ]


def _follows(told: Facts, head: Facts) -> bool:
    """Whether one may follow the other: which server it reaches is 0 until it has reached it."""
    return any(each["primary_id"] in (0, head["variables"].get("server_id")) for each in told["channels"])
