"""A copy from request to result: in one course for all destinations, or one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import saltface
from transferplan import course, errors, naming, report, targets
from transferplan.options import SERIAL
from transferplan.request import DESTINATION, Member, Request

from . import asking, joining
from .drive import Drive, begun, to_the_end
from .waiting import Place


def copied(opts: Mapping, request: Request, dry: bool, place: Place | None = None) -> dict[str, Any]:
    """The result of a request, however many destinations it has."""
    if len(request.destinations) > 1 and request.settings.fanout == SERIAL:
        return _one_after_the_other(opts, request, dry)
    return _at_once(opts, request, dry, place)[0]


def needs_company(request: Request) -> Iterator[errors.Reason]:
    """Why a request cannot be followed in the background, where whoever follows may change."""
    if len(request.destinations) > 1 and request.settings.fanout == SERIAL:
        yield errors.BadOption.reason(
            "fanout=serial goes on only as long as its runner does: use transfer.copy without a key, or fanout=chain"
        )


def _at_once(
    opts: Mapping, request: Request, dry: bool, place: Place | None = None, part: bool = False
) -> tuple[dict[str, Any], bool]:
    """The result, and whether somebody wanted the runner to end."""
    screen = saltface.screen(opts, request.settings.quiet)
    own = Drive(opts, begun(request, place), screen, dry=dry, heeds=_heeds(request), place=place, part=part)
    result = to_the_end(opts, own)
    if own.met:
        return joining.instead(opts, own, dry), False
    return result, own.state.outcome in (course.CANCELLED, course.LEFT)


def _heeds(request: Request) -> bool:
    """Whether what runs or rests at its place concerns it: an earlier attempt of its own does not."""
    return not request.reasons and request.attempt == 1


def _one_after_the_other(opts: Mapping, request: Request, dry: bool) -> dict[str, Any]:
    """Each destination is a transfer of its own; none begins if anything speaks against one of them."""
    screen = saltface.screen(opts, request.settings.quiet)
    whole = Drive(opts, begun(request), screen, dry=True)
    checked = to_the_end(opts, whole)
    if dry or not _can_begin(whole, checked):
        return checked
    places, results = request.ends(), []
    for member in _in_order(whole):
        one = replace(request, transfer=naming.fresh(), destinations=(places[member],))
        result, interrupted = _at_once(opts, one, dry=False, part=whole.plan is not None)
        results.append(result)
        if interrupted:
            break
    return report.together(results, request)


def _can_begin(whole: Drive, checked: Mapping[str, Any]) -> bool:
    """Whether nothing is in the way but a crowd that may be waited for: each transfer does so by itself."""
    crowded = {reason["name"] for reason in checked["reasons"]} == {errors.TooManyTransfers.name}
    return whole.plan is not None or (crowded and whole.state.request.settings.wait > 0)


def _in_order(whole: Drive) -> list[Member]:
    """The destinations as the plan orders them; as they are named, where there is none."""
    if whole.plan:
        return [hop.member for hop in whole.plan.hops]
    return [member for member in whole.state.members if member.role == DESTINATION]


def targeted(opts: Mapping, dst: Any, source_host: str, expression: Any, kind: Any) -> tuple[list[str], list[str]]:
    """The destinations that a target expression names, and notes for the plan; Refused if it cannot be meant."""
    targets.check(dst, expression, kind)
    kind, asked, hosts = saltface.meant(opts, expression.strip(), kind)
    notes: list[str] = []
    if kind not in targets.BY_NAME:
        hosts, notes = _matching(opts, asked, kind, hosts)
    return targets.placed(dst, source_host, expression, hosts), notes


def _matching(opts: Mapping, expression: Any, kind: str, likely: list[str]) -> tuple[list[str], list[str]]:
    """Who says that it is meant; what the master remembers of grains and pillars may be old, or nothing at all."""
    told = asking.every_host(opts, "matches", None, {"expression": expression, "kind": kind}, asking.LOOK_TIMEOUT)
    reasons = [*map(_undecided, sorted({*told.silent} & {*likely})), *told.reasons]
    if reasons:
        raise errors.Refused(reasons)
    strangers = [host for host in told.silent if host not in likely]
    notes = [f"left out, since they did not say whether targets mean them: {', '.join(strangers)}"] if strangers else []
    return [host for host, payload in told.by_host.items() if payload.get("matches") is True], notes


def _undecided(host: str) -> errors.Reason:
    text = f"{host} is probably meant by targets and did not answer: bring it back, or name the destinations one by one"
    return errors.MinionSilent.reason(text)
