"""Whether a database may be cloned from, or trusted in its place: facts in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

# What must be the same at both ends, or the data files cannot be read.
SAME = ("innodb_page_size", "lower_case_table_names")
# The oldest series that can be counted, and so proved.
OLDEST = (10, 8)


def gtids(position: str) -> dict[str, tuple[int, int]]:
    """{domain: (server, number)} of a GTID position of MariaDB."""
    parts = [part.strip().split("-") for part in position.split(",") if part.strip()]
    return {domain: (int(server), int(number)) for domain, server, number in parts}


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


def series(version: str) -> tuple[int, ...]:
    """(10, 11) of 10.11.19-MariaDB."""
    return tuple(int(word) for word in version.split("-")[0].split(".")[:2] if word.isdigit())


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


def against_filters(told: Facts, host: str) -> list[str]:
    """Why a server does not become a copy: its configuration has it apply only a part of what it receives."""
    known = told["variables"]
    found = [f"{name}={known[name]}" for name in sorted(known) if name.startswith("replicate_") and known[name]]
    return [f"{host} is set to replicate only a part ({', '.join(found)}): it would not stay equal."] if found else []


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


def against_donor(told: Facts, host: str) -> list[str]:
    """Why nothing should be cloned from this server."""
    if not told["running"]:
        return [f"{host} does not run."]
    against = []
    if not told["schemas"]:
        against.append(f"{host} holds no schema but the server's own.")
    if str(told["variables"].get("log_bin")) != "ON" and not told["channels"]:
        against.append(f"{host} has no binary log (log_bin): nobody can follow it.")
    if told["files"]["elsewhere"]:
        against.append(against_elsewhere(told["datadir"], told["files"]["elsewhere"], host))
    if told.get("installation"):
        against.append(f"{host} has an installation under way, which is not settled yet: its data may not stay.")
    for channel in told["channels"]:
        against += _against_channel(channel, host)
    if len(told["channels"]) > 1:
        against.append(f"{host} follows several primaries; such a server is not cloned by this version.")
    if told.get("galera"):
        against.append(f"{host} is a node of a Galera cluster; its state is not cloned into an asynchronous replica.")
    return against


def against_elsewhere(directory: str, names: Sequence[str], host: str = "") -> str:
    """Links and .isl files lead to files that a rename leaves where they are: two servers would write them."""
    more = ", ..." if len(names) > 1 else ""
    return (
        f"{directory}{f' of {host}' if host else ''} holds {names[0]}{more}, which leads to data outside of it (DATA "
        "DIRECTORY, or a link): such data cannot be exchanged by a rename."
    )


def _against_channel(channel: Facts, host: str) -> list[str]:
    against = []
    if channel["sql_errno"] or channel["io_errno"]:
        against.append(f"{host} replicates with an error: {channel['sql_error'] or channel['io_error']}")
    if channel["filters"]:
        against.append(f"{host} replicates only a part ({', '.join(sorted(channel['filters']))}).")
    if channel["delay"]:
        against.append(f"{host} is {channel['delay']} s behind its primary on purpose.")
    return against


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
