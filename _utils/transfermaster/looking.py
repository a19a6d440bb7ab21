"""Looking at transfers from any process of the master: what their ends tell, put side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datamover.errors import UnknownTransfer
from transferplan import errors
from transferplan.request import DESTINATION, SOURCE

from . import asking


def about(
    opts: Mapping, function: str, transfer: str, minions: Any, timeout: float = asking.LOOK_TIMEOUT, **arguments: Any
) -> dict[str, Any]:
    """What the ends of one transfer answer to `function`."""
    told = asking.ends(opts, function, transfer, minions, timeout, **arguments)
    ends = [{"host": member.host, "role": member.role, **payload} for member, payload in told.payloads.items()]
    body = {"transfer": transfer, "ends": ends, "silent": list(told.silent)}
    if told.silent and not told.reasons and {end["role"] for end in ends} != {SOURCE, DESTINATION}:
        return {**body, **asking.ending("unknown", [_half_told(transfer, ends, told.silent)])}
    if not ends and not told.reasons:
        return asking.concluded(body, [nobody_knows(transfer, asking.hosts(opts, minions))])
    return asking.concluded(body, told.reasons)


def _half_told(transfer: str, ends: Iterable[Mapping[str, Any]], silent: Iterable[str]) -> errors.Reason:
    """Who is silent may be the end that has not told."""
    told = " and ".join(f"the {end['role']} {end['host']}" for end in ends) or "nobody"
    return errors.OutOfSight.reason(
        f"of transfer {transfer} {told} has told, and {', '.join(silent)} did not answer: "
        "the rest may be there; ask again when it is up"
    )


def nobody_knows(transfer: str, hosts: Sequence[str]) -> errors.Reason:
    asked = f"{len(hosts)} minions were" if len(hosts) != 1 else f"{hosts[0]} was"
    text = f"nobody who answered knows of transfer {transfer} ({asked} asked)"
    return errors.Reason(UnknownTransfer.code, UnknownTransfer.name, text)


def listed(opts: Mapping, minions: Any) -> dict[str, Any]:
    """The transfers that minions know."""
    told = asking.every_host(opts, "list", minions, {}, asking.LOOK_TIMEOUT)
    runs = [{"host": host, **run} for host, payload in told.by_host.items() for run in payload["runs"]]
    more = sum(payload["more"] for payload in told.by_host.values())
    return asking.concluded({"transfers": by_transfer(runs), "more": more, "silent": list(told.silent)}, told.reasons)


def by_transfer(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Short statuses of single ends, the newest first, joined to transfers."""
    joined: dict[str, list[Mapping[str, Any]]] = {}
    for run in sorted(runs, key=lambda run: str(run.get("wall")), reverse=True):
        joined.setdefault(run["transfer"], []).append(run)
    return [{"transfer": transfer, "ends": ends} for transfer, ends in joined.items()]


def swept(opts: Mapping, minions: Any, **arguments: Any) -> dict[str, Any]:
    """What every minion's sweep found and removed."""
    told = asking.every_host(opts, "sweep", minions, arguments, asking.END_TIMEOUT)
    return asking.concluded({"hosts": told.by_host, "silent": list(told.silent)}, told.reasons)
