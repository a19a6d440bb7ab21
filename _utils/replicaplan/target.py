"""Whether the data of a server may be replaced, and by what this donor has: facts in, every reason against it out."""

from __future__ import annotations

import posixpath

from .channels import against_filters, lost_by_cloning
from .facts import Facts
from .logs import against_logs
from .pairing import against_pair
from .places import INCOMING, against_elsewhere, is_below
from .positions import first_made_here, gtids
from .subdirectories import against_subdirectories
from .unit import against_unit

INSIDE = (
    "innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory", "aria_log_dir_path",
    "master_info_file", "relay_log_info_file",
)
ON = ("ON", "TRUE", "1")
SPARE = 1.2


def against_replacing(
    told: Facts, host: str, confirm: str, in_service: bool = False, discard_own_writes: bool = False
) -> list[str]:
    """Why the data of this server must not be replaced."""
    reasons = []
    if confirm != host:
        reasons.append(f"confirm has to name the host whose data is replaced: {host}, not {confirm!r}.")
    if told["vendor"] != "mariadb":
        reasons.append(f"{host} runs {told['vendor']} {told['version']}; this version replaces only MariaDB's data.")
    reasons += [*against_unit(told, host), *_outside(told, host), *against_logs(told, host)]
    reasons += against_subdirectories(told, host)
    reasons += against_elsewhere(told["datadir"], told["files"]["elsewhere"], host)
    if told["running"]:
        reasons += _of_running(told, host, in_service)
        return reasons if discard_own_writes else reasons + own_writes(told, host)
    return reasons + _of_silent(told, host, discard_own_writes)


def _outside(told: Facts, host: str) -> list[str]:
    """Files of the server that a renamed directory would not take along."""
    variables, datadir = told["variables"], told["datadir"]
    found = [(name, str(variables.get(name) or "")) for name in INSIDE]
    found += [("innodb_data_file_path", place) for place in _data_files(variables)]
    return [
        f"{host} has {name}={place}, outside of its data directory {datadir}: such a server is not replaced."
        for name, place in found
        if not is_below(datadir, place)
    ]


def _data_files(variables: Facts) -> list[str]:
    """The files of InnoDB's system tablespace that say where they are: ibdata1:12M;/fast/ibdata2:50M:autoextend."""
    home = str(variables.get("innodb_data_home_dir") or "")
    names = [each.partition(":")[0] for each in str(variables.get("innodb_data_file_path") or "").split(";")]
    return [posixpath.join(home, name) for name in names if "/" in name]


def _of_running(told: Facts, host: str, in_service: bool) -> list[str]:
    reasons = []
    if told["replicas"]:
        names = ", ".join(sorted({each["host"] or f"server {each['server_id']}" for each in told["replicas"]}))
        reasons.append(f"{host} has replicas of its own ({names}): it is not replaced while anybody follows it.")
    if told.get("galera"):
        reasons.append(f"{host} is a node of a Galera cluster, which rebuilds its nodes itself.")
    if is_writable_primary(told):
        reasons.append(
            f"{host} holds {len(told['schemas'])} schemas, follows nobody and is writable: it may be a primary. "
            "If it is not, set read_only=1 there and come back."
        )
    reasons += _against_several(len(told["channels"]), host)
    reasons += lost_by_cloning(told, host) if told["channels"] else against_filters(told, host)
    if told["clients"] and not in_service:
        reasons.append(
            f"{host} has {told['clients']} clients connected; take it out of service, or say in_service=True."
        )
    return reasons


def _against_several(channels: int, host: str) -> list[str]:
    return [f"{host} follows {channels} primaries, which no one backup replaces."] if channels > 1 else []


def _of_silent(told: Facts, host: str, discard_own_writes: bool) -> list[str]:
    """Of a server that cannot be asked only its configuration and its files tell what it was."""
    files = told["files"]
    reasons = _against_several(files["channels"], host)
    if files["galera"] or str(told["variables"].get("wsrep_on")) in ON:
        reasons.append(f"{host} is down and was a node of a Galera cluster, which rebuilds its nodes itself.")
    if may_have_been_primary(told) and not discard_own_writes:
        reasons.append(
            f"{host} is down and holds {files['schemas']} schemas, and no file in {told['datadir']} says whom it "
            "followed: it may have been a primary. Start it and come back; or say discard_own_writes=True if all may "
            "go that nobody else has."
        )
    return reasons


def may_have_been_primary(told: Facts) -> bool:
    """Of one that is down: whether it holds data, and nothing says that it got that from somebody else."""
    return told["files"]["schemas"] > 0 and not told["files"]["channels"]


def is_writable_primary(told: Facts) -> bool:
    """Whether it looks as if somebody writes here at first hand. One that was promoted may still be set to follow, and
    whose data is gone cannot tell what it held.
    """
    writable = told["variables"].get("read_only") in ("OFF", "FALSE", "0")
    holds = bool(told["schemas"]) or not told["datadir_exists"]
    return holds and writable and all(each["io"] == each["sql"] == "No" for each in told["channels"])


def own_writes(told: Facts, host: str) -> list[str]:
    """Transactions that were first made on this replica: they are nowhere else and would be lost."""
    if not told["channels"]:
        return []
    received = gtids(str(told["variables"].get("gtid_slave_pos") or ""))
    found = [gtid for gtid in first_made_here(told["variables"]) if not _covers(received, gtid)]
    if not found:
        return []
    return [
        f"{host} has transactions of its own that nobody else has ({', '.join(found)}): look at them, and say "
        "discard_own_writes=True if they may go."
    ]


def _covers(position: dict[str, tuple[int, int]], gtid: str) -> bool:
    """Whether what was received reaches this one: then it came round through the primary."""
    domain, _, number = gtid.split("-")
    return domain in position and position[domain][1] >= int(number)


def against_receiving(host: str, fitness: Facts, donor: Facts) -> list[str]:
    """Why a server cannot take a backup of the donor and run on it."""
    against = against_pair(donor, fitness["info"], host)
    if not fitness["replication_user"]:
        against.append(f"{host} has no replica:replication:user in its pillar or configuration.")
    if fitness["incoming_exists"]:
        against.append(
            f"{host} has {fitness['info']['datadir']}{INCOMING} already. If it is a backup that something interrupted "
            f"has left, salt {host} replica.discard removes it; otherwise move it away."
        )
    wanted = int(donor.get("size", {}).get("bytes", 0) * SPARE)
    if fitness["free"] < wanted:
        against.append(
            f"{host} has {fitness['free']} bytes free beside {fitness['info']['datadir']}; about {wanted} are needed, "
            f"because the old data is kept until the new is proved.{_of_old_data(host, fitness)}"
        )
    return against


def _of_old_data(host: str, fitness: Facts) -> str:
    """What could make room."""
    there = " and ".join(fitness.get("old_data", ()))
    return f" salt {host} replica.drop_old removes old data of earlier installations: {there}." if there else ""
