"""What the ends of a transfer recorded about it, and what follows from that: another attempt, or watching this one.

The record of an end is the spec it was given last, and how far it came with it. Two ends are a pair when each names the
other, so that a third one that claims to take part is never taken for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import settings, shapes
from .errors import AlreadyRunning, BadOption, NotResumable, Reason, Refused
from .request import DESTINATION, SOURCE, Endpoint, Member, Request
from .settings import COMMAND, TABLE, Layer
from .status import CANCELLED, PUBLISHED, Status


@dataclass(frozen=True)
class Peer:
    host: str
    role: str


@dataclass(frozen=True)
class Spec:
    """What matters here of a spec (plan.specs)."""

    transfer: str
    attempt: int
    role: str
    host: str
    path: bytes
    peers: tuple[Peer, ...]
    settings: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    asked_by: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """`given_up`: somebody cancelled it after it had failed."""

    spec: Spec
    status: Status
    given_up: bool = False

    @classmethod
    def from_payload(cls, payload: Any, host: str) -> Record:
        """The record in a minion's answer; BadAnswer if it is not of this form."""
        return shapes.read(cls, payload, f"The record of {host}")

    @property
    def member(self) -> Member:
        return Member(self.spec.host, self.spec.role)

    @property
    def place(self) -> Endpoint:
        return Endpoint(self.spec.host, self.spec.path)

    @property
    def result(self) -> str:
        """How it ended here; empty as long as it has not."""
        return self.status.verdict.result if self.status.verdict else ""

    @property
    def runs(self) -> bool:
        return self.status.alive and not self.result

    def names(self, other: Record) -> bool:
        return Peer(other.spec.host, other.spec.role) in self.spec.peers


@dataclass(frozen=True)
class Pair:
    """Both ends of a transfer, as they recorded it."""

    source: Record
    destination: Record

    @property
    def records(self) -> tuple[Record, Record]:
        return self.source, self.destination

    @property
    def transfer(self) -> str:
        return self.destination.spec.transfer

    @property
    def attempt(self) -> int:
        return max(record.spec.attempt for record in self.records)

    @property
    def runs(self) -> bool:
        return any(record.runs for record in self.records)


def pair(transfer: str, records: Iterable[Record]) -> Pair:
    """The two ends that belong together; Refused says who is missing."""
    known = [record for record in records if record.spec.transfer == transfer]
    pairs = [
        Pair(source, destination)
        for source in known
        for destination in known
        if (source.spec.role, destination.spec.role) == (SOURCE, DESTINATION)
        and source.names(destination)
        and destination.names(source)
    ]
    if len(pairs) == 1:
        return pairs[0]
    if pairs:
        raise Refused([NotResumable.reason(_several(transfer, pairs))])
    raise Refused(NotResumable.reason(sentence) for sentence in _missing(transfer, known))


def _several(transfer: str, pairs: Iterable[Pair]) -> str:
    told = "; ".join(f"{each.source.place} to {each.destination.place}" for each in pairs)
    return f"several hosts claim to be the ends of transfer {transfer} ({told}): name the two with minions="


def _missing(transfer: str, known: Iterable[Record]) -> Iterator[str]:
    """Which end nobody has told of, as the other names it."""
    for record in known:
        others = ", ".join(f"the {peer.role} {peer.host}" for peer in record.spec.peers)
        yield (
            f"of transfer {transfer} only the {record.spec.role} {record.spec.host} has a record; it names {others}, "
            "where nobody answers or the record is gone: bring that minion back, or copy anew"
        )


def refuse_unresumable(found: Pair) -> None:
    """Refused, in words, if there is nothing to go on with."""
    if found.runs:
        raise Refused([_it_runs(found)])
    reasons = [reason for record in found.records if (reason := _final(found.transfer, record))]
    if reasons:
        raise Refused(reasons)


def _it_runs(found: Pair) -> Reason:
    return AlreadyRunning.reason(
        f"transfer {found.transfer} runs, from {found.source.place} to {found.destination.place}: "
        f"salt-run transfer.attach {found.transfer} follows it, salt-run transfer.cancel {found.transfer} ends it"
    )


def _final(transfer: str, record: Record) -> Reason | None:
    """Why a transfer that ended like this at one end is over for good."""
    if record.result == PUBLISHED and record.spec.role == DESTINATION:
        return NotResumable.reason(f"transfer {transfer} is complete: {record.place} was published")
    if record.result == CANCELLED or record.given_up:
        return NotResumable.reason(f"transfer {transfer} was cancelled, {record.place.host} kept nothing: copy anew")
    return None


def next_attempt(
    found: Pair, options: Mapping[str, Any], layers: Iterable[Layer], asked_by: Mapping[str, str]
) -> Request:
    """The request for another attempt, with what `options` change; what is wrong with those is in its reasons."""
    request = present(found, layers, options)
    reasons = [*request.reasons, *_changed(found, request)]
    return Request(
        request.transfer,
        request.source,
        request.destinations,
        request.settings,
        tuple(reasons),
        found.attempt + 1,
        asked_by,
    )


def present(found: Pair, layers: Iterable[Layer], options: Mapping[str, Any]) -> Request:
    """The request that the present attempt answers, with what else is asked of the runner."""
    values, troubles = settings.sound([*layers, (COMMAND, recorded(found)), (COMMAND, options)])
    return Request(
        found.transfer,
        found.source.place,
        (found.destination.place,),
        values,
        tuple(map(BadOption.reason, troubles)),
        found.attempt,
        {str(name): str(value) for name, value in found.destination.spec.asked_by.items()},
    )


def recorded(found: Pair) -> dict[str, Any]:
    """The options that were in force, as far as the ends recorded them."""
    spec = found.destination.spec
    inherited = {name: value for name, value in spec.settings.items() if _is_inherited(name)}
    given = {name: value for name, value in spec.given.items() if name in TABLE}
    return {**inherited, **given, **_changed_limit(found.source)}


def _changed_limit(source: Record) -> dict[str, Any]:
    """The limit that was set while it ran, if one was."""
    limit = source.status.limit
    return {} if limit in (None, source.spec.settings.get("limit")) else {"limit": limit}


def _is_inherited(name: str) -> bool:
    """An option of hosts is each host's own again, unless the command line fixed it."""
    return name in TABLE and TABLE[name].scope == "transfer"


def _changed(found: Pair, request: Request) -> Iterator[Reason]:
    for name in differing(found, request):
        before, now = _shown(name, recorded(found)[name]), _shown(name, getattr(request.settings, name))
        yield BadOption.reason(
            f"{name} is {before} in transfer {found.transfer} and cannot become {now}: "
            "what has arrived was made with it; leave it out, or copy anew"
        )


def differing(found: Pair, request: Request) -> list[str]:
    """The options that must be as they were for a transfer to go on, and are not."""
    before = recorded(found)
    lasting = (name for name in before if not TABLE[name].changeable)
    return [name for name in lasting if not _is_same(name, before[name], getattr(request.settings, name))]


def _is_same(name: str, before: Any, now: Any) -> bool:
    """`auto` lets the plan choose, and it has chosen."""
    return now == "auto" or TABLE[name].kind.read(before) == now


def _shown(name: str, value: Any) -> str:
    kind = TABLE[name].kind
    return kind.show(kind.read(value))


def contradictions(found: Pair, asked: Request, source: Endpoint, destination: Endpoint) -> list[str]:
    """What keeps a transfer from being the one that is asked for, whose places are really these; empty if it is."""
    places = ((found.source.place, source), (found.destination.place, destination))
    names = differing(found, asked)
    return [
        *(f"it has {before} where {now} is asked for" for before, now in places if before != now),
        *(f"its {name} is {_shown(name, recorded(found)[name])}" for name in names),
    ]
