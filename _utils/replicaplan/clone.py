"""The plan of a clone: which server, from where to where, whom the new replicas follow, and all that is against it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import logs, standing

INCOMING = ".incoming"
SPARE = 1.2


@dataclass(frozen=True)
class Plan:
    """What is carried out."""

    source: str
    socket: str
    donor_is_primary: bool
    port: int
    addresses: Mapping[str, str]
    datadirs: Mapping[str, str]
    logs: Mapping[str, Sequence[str]]
    """What of each replica lies outside of its data directory and is moved aside, in words."""

    @property
    def source_place(self) -> str:
        """The source as a transfer names it: a socket stands for the server that listens there."""
        return f"{self.source}:{self.socket}"

    def incoming(self, host: str) -> str:
        """Where the backup arrives: beside the data directory, so that a rename can bring it there."""
        return self.datadirs[host] + INCOMING

    def target_place(self, host: str) -> str:
        return f"{host}:{self.incoming(host)}"


def plan(
    source: str, primary: str, told: Mapping[str, Any], fit: Mapping[str, Any], silent: Mapping[str, str],
    address: str = "", port: int = 0,
) -> tuple[Plan | None, list[str]]:
    """(the plan, every reason against it); without the facts of all there is no plan."""
    against = list(silent.values())
    if silent:
        return None, against
    donor, head = told[source], told[primary]
    against += _against_places(source, primary, fit)
    against += standing.against_donor(donor, source)
    against += _against_head(head, primary, donor, source)
    for host, fitness in fit.items():
        against += [*fitness["reasons"], *_against_target(host, fitness, donor)]
    against += _against_together(source, primary, told, {host: each["info"] for host, each in fit.items()})
    number = port or int(head["variables"].get("port") or 3306)
    addresses = {host: address or reached(head, each["info"]) for host, each in fit.items()}
    against += [f"{primary} has no address that {host} could reach: name it." for host in fit if not addresses[host]]
    datadirs = {host: each["info"]["datadir"] for host, each in fit.items()}
    moved = {host: logs.moved(each["info"].get("logs") or ()) for host, each in fit.items()}
    return Plan(source, donor["socket"], source == primary, number, addresses, datadirs, moved), against


def _against_together(
    source: str, primary: str, told: Mapping[str, Any], targets: Mapping[str, Any]
) -> list[str]:
    """What is wrong with these servers in one cluster."""
    everyone = {primary: told[primary], source: told[source], **targets}
    against = [*standing.same_ids(everyone), *_taken_ids(told[primary], primary, targets)]
    return against + [reason for host, each in everyone.items() for reason in standing.too_old(each, host)]


def _against_places(source: str, primary: str, fit: Mapping[str, Any]) -> list[str]:
    if not fit:
        return ["No replica is named."]
    return [f"{host} cannot be cloned onto itself." for host in fit if host in (source, primary)]


def _against_head(head: Mapping[str, Any], primary: str, donor: Mapping[str, Any], source: str) -> list[str]:
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


def _taken_ids(head: Mapping[str, Any], primary: str, targets: Mapping[str, Any]) -> list[str]:
    """Targets whose number another replica of the primary has. One that follows it, or is down, may be listed itself.
    """
    listed = {each["server_id"] for each in head["replicas"]} - {0}
    return [
        f"{primary} has a replica with server_id {number} already, and {host}, which has that number too, does not "
        "follow it: of two with one number neither can stay. If it did until just now, come back in a minute."
        for host, told in targets.items()
        if told["running"] and (number := told["variables"].get("server_id")) in listed and not _follows(told, head)
    ]


def _follows(told: Mapping[str, Any], head: Mapping[str, Any]) -> bool:
    """Whether one may follow the other: which server it reaches is 0 until it has reached it."""
    return any(each["primary_id"] in (0, head["variables"].get("server_id")) for each in told["channels"])


def _against_target(host: str, fitness: Mapping[str, Any], donor: Mapping[str, Any]) -> list[str]:
    against = standing.against_pair(donor, fitness["info"], host)
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


def _of_old_data(host: str, fitness: Mapping[str, Any]) -> str:
    """What could make room."""
    there = " and ".join(fitness.get("old_data", ()))
    return f" salt {host} replica.drop_old removes old data of earlier installations: {there}." if there else ""


def reached(head: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """The primary's address in a network of the target's, else its first; empty if it has none. An address that both
    have, as bridges for containers do, is the target itself.
    """
    own = [ipaddress.ip_interface(each) for each in target["networks"]]
    addresses = [ipaddress.ip_interface(each).ip for each in head["networks"]]
    others = [each for each in addresses if each not in [interface.ip for interface in own]]
    near = [str(each) for each in others if any(each in interface.network for interface in own)]
    return next(iter([*near, *map(str, others)]), "")
