"""Joining a transfer that there is already: another attempt at it, or watching it as if one had begun it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import saltface
from transferplan import again, course, errors, events, probing, records, report
from transferplan.request import Member, Request

from . import asking, looking
from .drive import Drive, begun, to_the_end


def resume(
    opts: Mapping,
    transfer: str,
    minions: Any,
    source: str | None,
    options: Mapping[str, Any],
    asker: Mapping[str, str],
    dry: bool,
) -> dict[str, Any]:
    """Another attempt at a transfer, made of what its ends have recorded; from `source`, if that is named."""
    told = asking.ends(opts, "record", transfer, minions, asking.LOOK_TIMEOUT)
    found = _believed(opts, transfer, minions, told, source)
    records.refuse_unresumable(found)
    request = records.next_attempt(found, options, saltface.master_layers(opts), asker)
    unfit = probing.unfit(options, dry)
    return _resumed(opts, replace(request, reasons=(*request.reasons, *unfit)), dry)


def _resumed(opts: Mapping, request: Request, dry: bool) -> dict[str, Any]:
    screen = saltface.screen(opts, request.settings.quiet)
    screen.say([f"goes on with transfer {request.transfer}, attempt {request.attempt}"])
    return to_the_end(opts, Drive(opts, begun(request), screen, dry=dry))


def attach(
    opts: Mapping, transfer: str, minions: Any, options: Mapping[str, Any], likely: list[str] | None = None
) -> dict[str, Any]:
    """Follow a transfer to its end, as if this runner had begun it; its ends are among those that are `likely`, if that
    is known.
    """
    told = asking.ends(opts, "record", transfer, minions, asking.LOOK_TIMEOUT, likely)
    try:
        found = _believed(opts, transfer, minions, told)
    except errors.Refused:
        if not told.silent:
            raise
        return looking.half_seen(transfer, told)
    return _attached(opts, found, options)


def _attached(opts: Mapping, found: records.Ends, options: Mapping[str, Any]) -> dict[str, Any]:
    request = records.present(found, saltface.master_layers(opts), options)
    if request.reasons:
        raise errors.Refused(request.reasons)
    screen = saltface.screen(opts, request.settings.quiet)
    screen.say([f"follows transfer {request.transfer}, attempt {request.attempt}"])
    result = to_the_end(opts, Drive(opts, course.attach(request, time.monotonic()), screen))
    return report.beside(result, [peer.host for peer in found.missing])


def instead(opts: Mapping, drive: Drive, dry: bool) -> dict[str, Any]:
    """What comes of a copy that has met others at its place: the same one is joined, else it goes its own way."""
    request = drive.state.request
    others = [found for transfer in drive.met if (found := _ends_of(opts, transfer, request))]
    for found in others:
        how = again.joins(request, drive.facts, found)
        if how == again.RESUMED or (how and not dry):
            _stop_waiting(opts, drive)
            return _joined(opts, found, how, request, dry)
    screen = saltface.screen(opts, request.settings.quiet)
    own = again.beside(request, drive.facts, tuple(others))
    return to_the_end(opts, Drive(opts, begun(own, drive.place), screen, dry=dry, place=drive.place))


def _stop_waiting(opts: Mapping, drive: Drive) -> None:
    """What joins another one needs the places no more in which it has waited."""
    if drive.state.waits:
        leaving = course.leave(drive.state, time.monotonic())
        to_the_end(opts, Drive(opts, leaving, saltface.Silence(), mute=True, place=drive.place))


def _joined(opts: Mapping, found: records.Ends, how: str, request: Request, dry: bool) -> dict[str, Any]:
    if not dry:
        _tell_joined(opts, found, how, request)
    layers = saltface.master_layers(opts)
    options = request.settings.commanded()
    if how == again.ATTACHED:
        return _that_joined(_attached(opts, found, options), how)
    following = records.next_attempt(found, options, layers, request.asked_by)
    following = replace(following, asked_at=request.asked_at)
    return _that_joined(_resumed(opts, following, dry), how)


def _that_joined(result: dict[str, Any], how: str) -> dict[str, Any]:
    return type(result)({**result, "joined": how})


def _tell_joined(opts: Mapping, found: records.Ends, how: str, request: Request) -> None:
    event = events.make(request.transfer, 2, "joined", {"other": found.transfer, "how": how})
    with saltface.Fleet(opts) as fleet:
        fleet.tell(event.tag, event.data)


def _ends_of(opts: Mapping, transfer: str, request: Request) -> records.Ends | None:
    """The ends of a transfer that was met; None if these hosts do not have it between them."""
    hosts = sorted({member.host for member in request.ends()})
    try:
        told = asking.ends(opts, "record", transfer, hosts, asking.LOOK_TIMEOUT)
        return _believed(opts, transfer, hosts, told)
    except errors.PlanError:
        return None


def _believed(
    opts: Mapping, transfer: str, minions: Any, told: asking.Told, source: str | None = None
) -> records.Ends:
    """The ends in what was told; Refused with all that keeps them from being found."""
    known = read(told.payloads)
    try:
        return records.with_source(transfer, known, source) if source else records.gather(transfer, known)
    except errors.Refused as refused:
        found = [*told.reasons, *refused.reasons]
        if told.silent:
            found.append(looking.half_told(transfer, told))
        raise errors.Refused(found or [looking.nobody_knows(transfer, asking.hosts(opts, minions))]) from None


def read(payloads: Mapping[Member, Any]) -> Sequence[records.Record]:
    """The records in these answers that are told by the very end that they are of."""
    found = []
    for member, payload in payloads.items():
        record = records.Record.from_payload(payload, member.host)
        if record.member == member:
            found.append(record)
    return found

