"""Looking at transfers from any process of the master: what their ends tell, put side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import saltface
from datamover.errors import OutOfTurn, UnknownTransfer
from transferplan import errors, findings, inforce, inventory, settings, units
from transferplan.listing import Listing
from transferplan.options import COMMAND
from transferplan.request import DESTINATION, SOURCE, Member

from . import asking


def about(
    opts: Mapping,
    function: str,
    transfer: str,
    minions: Any,
    timeout: float = asking.LOOK_TIMEOUT,
    likely: list[str] | None = None,
    **arguments: Any,
) -> dict[str, Any]:
    """What the ends of one transfer answer to `function`; they are among those that are `likely`, if that is known."""
    told = asking.ends(opts, function, transfer, minions, timeout, likely, **arguments)
    ends = _ends(told)
    if told.silent and not told.reasons and _may_be_ends(told):
        return half_seen(transfer, told)
    body = {"transfer": transfer, "ends": ends, "silent": list(told.silent)}
    if not ends and not told.reasons:
        return asking.concluded(body, [nobody_knows(transfer, asking.hosts(opts, minions))])
    return asking.concluded(body, told.reasons)


def _may_be_ends(told: asking.Told) -> bool:
    """Whether those who are silent may be ends: as long as a role is missing anyone, else whom the others name."""
    roles = {member.role for member in told.payloads}
    return roles != {SOURCE, DESTINATION} or bool(named_but_silent(told))


def named_but_silent(told: asking.Told, roles: Sequence[str] = (SOURCE, DESTINATION)) -> list[str]:
    """Those whom the others name as ends in these roles, and who have told nothing."""
    peers = [peer for payload in told.payloads.values() for peer in payload.get("peers", ())]
    return sorted({peer["host"] for peer in peers if peer["role"] in roles} & set(told.silent))


def limited(opts: Mapping, transfer: str, minions: Any, rate: int) -> dict[str, Any]:
    """What the source of a transfer makes of another limit, and in a chain all who pass on what comes."""
    asking.refuse_no_transfer(transfer)
    hosts = asking.hosts(opts, minions)
    sources, patience = [Member(host, SOURCE) for host in hosts], asking.LOOK_TIMEOUT
    told = asking.members_of(opts, "limit", transfer, sources, patience, everyone=minions is None, rate=rate)
    if told.silent and not told.reasons and not told.payloads:
        return half_seen(transfer, told)
    if not told.payloads:
        reasons = told.reasons or [nobody_knows(transfer, hosts)]
        return asking.concluded({"transfer": transfer, "ends": [], "silent": list(told.silent)}, reasons)
    behind = _chain_behind(told)
    passing_on = asking.members_of(opts, "limit", transfer, behind, patience, rate=rate)
    ends = [{name: end[name] for name in end if name != "chain"} for end in _ends(told)]
    silent = sorted({*told.silent, *passing_on.silent})
    reasons = [*told.reasons, *(each for each in passing_on.reasons if each.code != OutOfTurn.code)]
    return asking.concluded({"transfer": transfer, "ends": [*ends, *_ends(passing_on)], "silent": silent}, reasons)


def _chain_behind(told: asking.Told) -> list[Member]:
    """The destinations that the source of a chain names."""
    named = {each["host"] for payload in told.payloads.values() for each in payload.get("chain", ())}
    return [Member(host, DESTINATION) for host in sorted(named)]


def half_seen(transfer: str, told: asking.Told) -> dict[str, Any]:
    """The result of a look at a transfer while somebody is silent who may be an end of it."""
    body = {"transfer": transfer, "ends": _ends(told), "silent": list(told.silent)}
    return {**body, **asking.ending("unknown", [half_told(transfer, told)])}


def _ends(told: asking.Told) -> list[dict[str, Any]]:
    return [{"host": member.host, "role": member.role, **payload} for member, payload in told.payloads.items()]


def half_told(transfer: str, told: asking.Told) -> errors.Reason:
    """Who is silent may be the end that has not told."""
    ends = " and ".join(f"the {member.role} {member.host}" for member in told.payloads) or "nobody"
    return errors.OutOfSight.reason(
        f"of transfer {transfer} {ends} has told, and {', '.join(told.silent)} did not answer: "
        "the rest may be there; ask again when it is up"
    )


def nobody_knows(transfer: str, hosts: Sequence[str]) -> errors.Reason:
    asked = f"{len(hosts)} minions were" if len(hosts) != 1 else f"{hosts[0]} was"
    text = f"nobody who answered knows of transfer {transfer} ({asked} asked)"
    return errors.Reason(UnknownTransfer.code, UnknownTransfer.name, text)


def listed(opts: Mapping, minions: Any, states: Sequence[str] = (), older: bool = False) -> dict[str, Any]:
    """The transfers that minions know and that are in one of these states; without any, all. Of those that are over
    only the newest of each minion, unless `older` asks for the rest.
    """
    known = know(opts, minions, (lambda _: True) if older else inventory.is_unfinished)
    transfers = inventory.transfers(known.listing.known, states)
    body = {"transfers": transfers, "more": known.listing.more, "silent": list(known.silent)}
    return asking.concluded(body, known.reasons)


@dataclass(frozen=True)
class Known:
    """What minions told of their transfers, who told nothing, and what went wrong."""

    listing: Listing
    silent: tuple[str, ...]
    reasons: tuple[errors.Reason, ...]

    def told(self, listing: Listing, more: asking.Told) -> Known:
        return Known(listing, tuple(sorted({*self.silent, *more.silent})), (*self.reasons, *more.reasons))


def know(opts: Mapping, minions: Any, wanted: Callable[[inventory.Run], bool]) -> Known:
    """The runs of minions: at least all that are wanted, and the other ends of those that are not over."""
    told = asking.every_host(opts, "list", minions, {}, asking.LOOK_TIMEOUT)
    known = Known(Listing(wanted).plus(told.by_host), told.silent, told.reasons)
    while known.listing.asks:
        told = _told_further(opts, known.listing.asks)
        known = known.told(known.listing.plus(told.by_host), told)
    if absent := known.listing.absent():
        told = _told_further(opts, {host: {"transfers": transfers} for host, transfers in absent.items()})
        known = known.told(known.listing.with_absent(told.by_host), told)
    return known


def _told_further(opts: Mapping, arguments: Mapping[str, Mapping[str, Any]]) -> asking.Told:
    return asking.ask(opts, asking.of_each(opts, "list", arguments, asking.LOOK_TIMEOUT), everyone=True)


def examined(opts: Mapping, minions: Any, places: Sequence[str]) -> dict[str, Any]:
    """What is left over or odd on every host."""
    told = asking.every_host(opts, "doctor", minions, {"places": list(places)}, asking.END_TIMEOUT)
    found = findings.gathered(told.by_host, time.time())
    body = {"findings": found, "hosts": sorted(told.by_host), "silent": list(told.silent)}
    if not told.payloads and not told.reasons:
        return {**body, **asking.ending("unknown", [_nobody_examined(told.silent)])}
    return asking.concluded(body, told.reasons)


def _nobody_examined(silent: Sequence[str]) -> errors.Reason:
    who = f"{units.some(silent)} did not answer" if silent else "no minion was asked"
    return errors.MinionSilent.reason(f"{who}, so what is left over is not known: look again when one answers")


def audited(opts: Mapping, minions: Any, **page: Any) -> dict[str, Any]:
    """A page of every minion's audit trail."""
    told = asking.every_host(opts, "audit", minions, page, asking.LOOK_TIMEOUT)
    return asking.concluded({"hosts": told.by_host, "silent": list(told.silent)}, told.reasons)


def in_force(opts: Mapping, minions: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Which options are in force, and who says so: for every transfer, and on each minion that is named."""
    layers = saltface.master_layers(opts)
    general = inforce.of_master(layers, options)
    asked, _ = settings.sound([*layers, (COMMAND, options)])
    question = {"asked": asked.values("transfer", "host"), "given": asked.given()}
    told = asking.every_host(opts, "settings", minions, question, asking.LOOK_TIMEOUT) if minions else asking.Told()
    hosts = {host: inforce.of_host(each, general) for host, each in told.by_host.items()}
    wrong = [errors.BadOption.reason(f"{host}: {each}") for host in hosts for each in hosts[host]["trouble"]]
    body = {"settings": general, "hosts": hosts, "silent": list(told.silent)}
    return asking.concluded(body, [*inforce.troubles(layers, options), *wrong, *told.reasons])


def swept(opts: Mapping, minions: Any, **arguments: Any) -> dict[str, Any]:
    """What every minion's sweep found and removed."""
    told = asking.every_host(opts, "sweep", minions, arguments, asking.END_TIMEOUT)
    return asking.concluded({"hosts": told.by_host, "silent": list(told.silent)}, told.reasons)
