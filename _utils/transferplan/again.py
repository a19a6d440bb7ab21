"""Whether a copy that is asked for runs or rests already: then that transfer is joined, and nothing is sent twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import units
from .errors import AlreadyRunning, PlanError, Reason, Refused
from .facts import Facts
from .plan import Answer, read_answer
from .records import Ends, contradictions, refuse_unresumable
from .request import DESTINATION, Endpoint, Member, Request

RESUMED, ATTACHED = "resumed", "attached"
MOST = 5


def met(request: Request, answers: Mapping[Member, Answer]) -> tuple[str, ...]:
    """The transfers that the destinations know at the places that are asked for, running or resting."""
    facts = [_facts(member, answers.get(member)) for member in request.ends() if member.role == DESTINATION]
    found = [transfer for each in facts if each for transfer in _known(each)]
    return tuple(dict.fromkeys(found))[:MOST]


def _known(facts: Facts) -> list[str]:
    held = facts.destination.locked_by if facts.destination else None
    rests = [each.transfer for each in facts.resumable if each.role == DESTINATION]
    return [held, *rests] if held else rests


def _facts(member: Member, answer: Answer) -> Facts | None:
    """What is wrong with the answer is the plan's to tell."""
    try:
        return read_answer(member, answer)
    except PlanError:
        return None


def joins(request: Request, answers: Mapping[Member, Answer], found: Ends) -> str:
    """How to join this transfer, RESUMED or ATTACHED; empty if it is another one or cannot be gone on with."""
    if differences(request, answers, found):
        return ""
    if found.runs:
        return ATTACHED
    if found.source.spec.stream:
        return ""
    try:
        refuse_unresumable(found)
    except Refused:
        return ""
    return RESUMED


def differences(request: Request, answers: Mapping[Member, Answer], found: Ends) -> list[str]:
    """What tells this transfer from the one that is asked for."""
    places = {member: _real(member, place, answers.get(member)) for member, place in request.ends().items()}
    return contradictions(found, request, places)


def _real(member: Member, asked: Endpoint, answer: Answer) -> Endpoint:
    facts = _facts(member, answer)
    found = facts and (facts.destination if member.role == DESTINATION else facts.source)
    return Endpoint(member.host, found.real if found and found.real else asked.path)


def beside(request: Request, answers: Mapping[Member, Answer], others: tuple[Ends, ...]) -> Request:
    """The request for a transfer of its own, which says what it met: what runs is in the way, what rests is noted."""
    reasons = tuple(_in_the_way(request, answers, each) for each in others if each.runs)
    notes = tuple(_note(each) for each in others if not each.runs)
    return replace(request, reasons=(*request.reasons, *reasons), notes=(*request.notes, *notes))


def _in_the_way(request: Request, answers: Mapping[Member, Answer], found: Ends) -> Reason:
    unlike = "; ".join(differences(request, answers, found))
    kind = f"is another one ({unlike})" if unlike else "is this very copy: without test=True this attaches to it"
    return AlreadyRunning.reason(f"transfer {found.transfer} runs at {found.places} and {kind}")


def _note(found: Ends) -> str:
    arrived = units.size(max((each.status.progress.bytes_done for each in found.left), default=0))
    return (
        f"transfer {found.transfer} rests at {found.places} with {arrived} and is not gone on with: "
        f"salt-run transfer.cancel {found.transfer} gives that up"
    )
