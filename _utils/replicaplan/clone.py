"""The plan of a clone: which server, from where to where, whom the new replicas follow, and all that is against it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import logs
from .donor import against_donor, against_primary
from .pairing import same_ids, taken_ids, too_old
from .places import INCOMING
from .target import against_receiving


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
    against += against_donor(donor, source)
    against += against_primary(head, primary, donor, source)
    for host, fitness in fit.items():
        against += [*fitness["reasons"], *against_receiving(host, fitness, donor)]
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
    against = [*same_ids(everyone), *taken_ids(told[primary], primary, targets)]
    return against + [reason for host, each in everyone.items() for reason in too_old(each, host)]


def _against_places(source: str, primary: str, fit: Mapping[str, Any]) -> list[str]:
    if not fit:
        return ["No replica is named."]
    return [f"{host} cannot be cloned onto itself." for host in fit if host in (source, primary)]


def reached(head: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """The primary's address in a network of the target's, else its first; empty if it has none. An address that both
    have, as bridges for containers do, is the target itself.
    """
    own = [ipaddress.ip_interface(each) for each in target["networks"]]
    addresses = [ipaddress.ip_interface(each).ip for each in head["networks"]]
    others = [each for each in addresses if each not in [interface.ip for interface in own]]
    near = [str(each) for each in others if any(each in interface.network for interface in own)]
    return next(iter([*near, *map(str, others)]), "")
