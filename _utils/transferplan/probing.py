"""Probing the ways of a plan: what each end is asked to do for it, and what came of it.

Every destination is probed from the source, by a course of its own that has the terms of the copy and no place. In a
chain a later host is served by the one before it, over a way that is not probed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import naming, report, shapes
from .course import NOTHING_THERE, State
from .errors import BadAnswer, BadOption, OutOfSight, Reason
from .forecast import Probed
from .options import TABLE
from .plan import PROBE, Hop, Plan
from .request import Member
from .space import Room
from .status import PUBLISHED, Verdict

OPTION = "probe"
SECONDS = 2
MOST = 2 * 1024**3
LEASE = 15
UNBELIEVABLE = 1e18
SYMPTOMS = (*report.VAIN, "connection-lost")
"""What only follows from why another end gave up."""


def unfit(options: Mapping[str, Any], dry: bool) -> Iterator[Reason]:
    """That a copy is asked for with a probe, which is for plans. A configuration may say it for all of those."""
    if not dry and _is_yes(options.get(OPTION)):
        yield BadOption.reason(
            "probe=True is for a plan: give test=True too, or use transfer.plan. A copy finds out by itself whether "
            "the way is open, before it moves a byte"
        )


def _is_yes(value: Any) -> bool:
    """Whether it switches the option on; a value that is none is told elsewhere."""
    try:
        return TABLE[OPTION].kind.read(value) is True
    except ValueError:
        return False


def plans(plan: Plan) -> Iterator[Plan]:
    """For each destination of a plan, that of the probe from the source to it."""
    for hop in plan.hops:
        yield _of_way(plan, hop)


def _of_way(plan: Plan, hop: Hop) -> Plan:
    source, asked = plan.source.member, plan.request.settings
    own = replace(
        asked,
        verify="flight",
        overwrite=False,
        update=False,
        delete=False,
        keep_partial=0,
        include=(),
        exclude=(),
        special=(),
        lease=min(asked.lease, LEASE),
    )
    transfer = naming.fresh()
    return replace(
        plan,
        request=replace(plan.request, transfer=transfer, attempt=1, destinations=(hop.place,), settings=own),
        hops=(replace(hop, ways={source: hop.ways[source]}, kept=Room(0, 0), held=0),),
        found=replace(plan.found, entries=0, files=0, directories=0, bytes=0, disk_bytes=0),
        stream={"stream": {"type": PROBE, "seconds": SECONDS, "bytes": MOST}},
        probes=(),
    )


@dataclass(frozen=True)
class _Sent:
    """What the source reports."""

    bytes: int
    round_trip: float

    def __post_init__(self) -> None:
        _refuse_impossible(self.bytes, self.round_trip)


@dataclass(frozen=True)
class _Came:
    """What the destination reports; no rate where too little came to tell one."""

    bytes: int
    seconds: float
    rate: float | None

    def __post_init__(self) -> None:
        _refuse_impossible(self.bytes, self.seconds, self.rate or 0)


def _refuse_impossible(*figures: float) -> None:
    if not all(0 <= figure < UNBELIEVABLE for figure in figures):
        raise ValueError("it holds a figure that cannot be")


def found(state: State) -> Probed:
    """What came of a probe whose course has ended."""
    assert state.plan, "a probe has a plan"
    before, after = (end.member for end in state.plan.ends)
    verdicts = {member: status.verdict for member, status in state.statuses.items() if status.verdict}
    if any(member not in verdicts or verdicts[member].result != PUBLISHED for member in (before, after)):
        return Probed(before.host, after.host, reason=_why_not(state, state.plan.hops[0]))
    try:
        return _measured(before, after, verdicts)
    except BadAnswer as wrong:
        return Probed(before.host, after.host, reason=wrong.as_reason())


def _measured(before: Member, after: Member, verdicts: Mapping[Member, Verdict]) -> Probed:
    sent = shapes.read(_Sent, verdicts[before].report, f"What {before} tells of its probe")
    came = shapes.read(_Came, verdicts[after].report, f"What {after} tells of its probe")
    if sent.bytes != came.bytes:
        raise BadAnswer(f"{before} tells that it sent {sent.bytes} bytes in a probe, {after} that {came.bytes} came")
    return Probed(before.host, after.host, came.rate, came.seconds, came.bytes, sent.round_trip)


def _why_not(state: State, hop: Hop) -> Reason:
    reasons = [*report.told_errors(state), *state.reasons]
    telling = [each for each in reasons if each.name not in SYMPTOMS]
    reason = next(iter(telling or reasons), OutOfSight.reason("it was ended before it told anything"))
    advise = _ADVICE.get(reason.name)
    return replace(reason, text=f"{reason.text}; {advise(hop)}") if advise else reason


def _let_pass(hop: Hop) -> str:
    low, high = (hop.settings.port, hop.settings.port) if hop.settings.port else hop.settings.ports
    ports = f"port {low}" if low == high else f"ports {low}-{high}"
    return (
        f"a copy would end so, too: let TCP from {hop.way.source} to {ports} of {hop.way.destination} pass on both "
        "hosts and on whatever lies between them"
    )


def _probe_again(_hop: Hop) -> str:
    return "a host tells once how a probe ended, and that answer was lost: probe again"


_ADVICE: Mapping[str, Callable[[Hop], str]] = {report.UNREACHABLE: _let_pass, NOTHING_THERE: _probe_again}


def probed(plan: Plan, told: Iterable[Probed]) -> Plan:
    """The plan with what its probes told."""
    return replace(plan, probes=tuple(told))
