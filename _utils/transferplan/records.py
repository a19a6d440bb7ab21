"""What the ends of a transfer recorded about it, and what follows from that: another attempt, or watching this one.

The record of an end is the spec it was given last, and how far it came with it. A source and a destination belong
together when each names the other, so that a host that only claims to take part is never taken for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import settings, shapes
from .errors import AlreadyRunning, BadOption, NotResumable, Reason, Refused
from .options import COMMAND, TABLE, Layer
from .request import DESTINATION, SOURCE, Endpoint, Member, Request
from .status import CANCELLED, FAILED, PUBLISHED, UNSTARTED, Status
from .streamed import OF_STREAMS


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
    stream: Mapping[str, Any] = field(default_factory=dict)
    source_kind: str = ""


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
    def peer(self) -> Peer:
        """How others name it."""
        return Peer(self.spec.host, self.spec.role)

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
        return other.peer in self.spec.peers


@dataclass(frozen=True)
class Ends:
    """The ends of a transfer, as they recorded it, and those that the source names and of which nobody has told.

    `tried` is an attempt that an end is beyond although its record here is of another role.
    """

    source: Record
    destinations: tuple[Record, ...]
    missing: tuple[Peer, ...] = ()
    tried: int = 0

    @property
    def records(self) -> tuple[Record, ...]:
        return self.source, *self.destinations

    @property
    def transfer(self) -> str:
        return self.destinations[0].spec.transfer

    @property
    def attempt(self) -> int:
        return max(self.tried, *(record.spec.attempt for record in self.records))

    @property
    def runs(self) -> bool:
        return any(record.runs for record in self.records)

    @property
    def left(self) -> tuple[Record, ...]:
        """The destinations that do not have their copy."""
        return tuple(each for each in self.destinations if each.result != PUBLISHED)

    @property
    def places(self) -> str:
        return ", ".join(str(each.place) for each in self.destinations)


def gather(transfer: str, records: Iterable[Record]) -> Ends:
    """The ends that belong together, of the latest attempt; Refused says who is missing."""
    known = [record for record in records if record.spec.transfer == transfer]
    groups = [ends for source in known if source.spec.role == SOURCE and (ends := _around(source, known)).destinations]
    latest = [each for each in groups if each.source.spec.attempt == max(group.source.spec.attempt for group in groups)]
    if len(latest) == 1:
        return latest[0]
    if latest:
        raise Refused([NotResumable.reason(_several(transfer, latest))])
    raise Refused(NotResumable.reason(sentence) for sentence in _missing(transfer, known))


def _around(source: Record, known: Iterable[Record]) -> Ends:
    """This source with those of its destinations that name it too, in its order."""
    theirs = {each.peer: each for each in known if each.spec.role == DESTINATION and each.names(source)}
    told = tuple(theirs[peer] for peer in source.spec.peers if peer in theirs)
    return Ends(source, told, tuple(peer for peer in source.spec.peers if peer not in theirs))


def with_source(transfer: str, records: Iterable[Record], host: str) -> Ends:
    """The same with another source that has all of it, be it the first one or a destination with its copy."""
    known = [record for record in records if record.spec.transfer == transfer]
    able = [record for record in known if record.spec.role == SOURCE or record.result == PUBLISHED]
    chosen = next((record for record in able if record.spec.host == host), None)
    if chosen is None:
        others = ", ".join(dict.fromkeys(record.spec.host for record in able)) or "nobody who told"
        raise Refused([NotResumable.reason(f"{host} has no copy of transfer {transfer} to take it from; {others} has")])
    rest = (record for record in known if record.spec.role == DESTINATION and record.spec.host != host)
    destinations = tuple(record for record in rest if _belong_together(chosen, record))
    if not destinations:
        raise Refused([NotResumable.reason(f"of transfer {transfer} no destination beside {host} has told")])
    tried = max(record.spec.attempt for record in known if record.spec.host == host)
    return Ends(chosen, destinations, tried=tried)


def _belong_together(one: Record, other: Record) -> bool:
    """Whether one of them names the other, or both the same source."""
    sources = [{peer for peer in record.spec.peers if peer.role == SOURCE} for record in (one, other)]
    return one.names(other) or other.names(one) or bool(sources[0] & sources[1])


def _several(transfer: str, groups: Iterable[Ends]) -> str:
    told = "; ".join(f"{each.source.place} to {each.places}" for each in groups)
    return f"several hosts claim to be the ends of transfer {transfer} ({told}): name the right ones with minions="


def _missing(transfer: str, known: Iterable[Record]) -> Iterator[str]:
    """Which end nobody has told of, as the others name it."""
    for record in known:
        others = ", ".join(f"the {peer.role} {peer.host}" for peer in record.spec.peers)
        yield (
            f"of transfer {transfer} only the {record.spec.role} {record.spec.host} has a record; it names {others}, "
            f"where nobody answers or the record is gone: bring that minion back, {_otherwise(record)}"
        )


def _otherwise(record: Record) -> str:
    """What else can be done where somebody has a whole copy."""
    if record.spec.role == DESTINATION and record.result == PUBLISHED and not _keeps_more(record.spec):
        return f"or take it from here with source={record.spec.host}, or copy anew"
    return "or copy anew"


def refuse_unresumable(found: Ends) -> None:
    """Refused, in words, if there is nothing to go on with."""
    if found.runs:
        raise Refused([_it_runs(found)])
    if not found.left and found.missing:
        raise Refused(_lacking(found))
    if not found.left:
        raise Refused([_is_complete(found)])
    if reasons := [_given_up(found.transfer, each) for each in (found.source, *found.left) if _is_given_up(each)]:
        raise Refused(reasons)


def _is_complete(found: Ends) -> Reason:
    were = "was" if len(found.destinations) == 1 else "were"
    return NotResumable.reason(f"transfer {found.transfer} is complete: {found.places} {were} published")


def _lacking(found: Ends) -> Iterator[Reason]:
    for peer in found.missing:
        yield NotResumable.reason(
            f"transfer {found.transfer} is complete at {found.places}; of the {peer.role} {peer.host} nobody has told: "
            "bring that minion back, or copy anew"
        )


def _it_runs(found: Ends) -> Reason:
    return AlreadyRunning.reason(
        f"transfer {found.transfer} runs, from {found.source.place} to {found.places}: "
        f"salt-run transfer.attach {found.transfer} follows it, salt-run transfer.cancel {found.transfer} ends it"
    )


def is_unbegun(record: Record) -> bool:
    """Whether nothing has moved here, and nobody has cancelled it."""
    if record.given_up:
        return False
    if record.runs:
        return record.status.phase in UNSTARTED
    return record.result == FAILED and "moving" not in record.status.phases


def _is_given_up(record: Record) -> bool:
    return record.result == CANCELLED or record.given_up


def _given_up(transfer: str, record: Record) -> Reason:
    return NotResumable.reason(f"transfer {transfer} was cancelled, {record.place.host} kept nothing: copy anew")


def next_attempt(
    found: Ends, options: Mapping[str, Any], layers: Iterable[Layer], asked_by: Mapping[str, str]
) -> Request:
    """The request for another attempt at what is left, with what `options` change; what is wrong is in its reasons."""
    request = present(found, layers, options)
    return replace(
        request,
        destinations=tuple(each.place for each in found.left),
        reasons=(*request.reasons, *_changed(found, request), *_made_once(found), *_more_than_sealed(found)),
        attempt=found.attempt + 1,
        asked_by=asked_by,
        block_size=found.source.spec.settings.get("block_size", 0),
        notes=tuple(_of_the_others(found)),
    )


def _made_once(found: Ends) -> Iterator[Reason]:
    spec = found.source.spec
    if spec.stream and spec.role == SOURCE:
        yield NotResumable.reason(
            f"a stream cannot be gone on with (type={spec.stream['type']}): name a destination that has it as source=, "
            "or copy anew"
        )


def _more_than_sealed(found: Ends) -> Iterator[Reason]:
    """An update leaves what else stands there; a source sends all that it finds."""
    if _keeps_more(found.source.spec):
        first = next((peer.host for peer in found.source.spec.peers if peer.role == SOURCE), "the first source")
        yield NotResumable.reason(
            f"{found.source.place} was updated and keeps what else stood there, which would travel too: leave source= "
            f"out to take it from {first}, or name a destination where nothing stood before; or copy anew"
        )


def _keeps_more(spec: Spec) -> bool:
    """Whether this destination may have what the source does not have, and nobody deleted."""
    updated = spec.role == DESTINATION and spec.source_kind == "directory" and spec.settings.get("in_place")
    return bool(updated) and not spec.settings.get("delete")


def _of_the_others(found: Ends) -> Iterator[str]:
    if having := [str(each.place) for each in found.destinations if each not in found.left]:
        yield f"not sent again: {', '.join(having)} {'has' if len(having) == 1 else 'have'} it already"
    if found.missing:
        hosts = ", ".join(peer.host for peer in found.missing)
        yield f"{hosts} did not tell and is left out: resume this transfer again when it is back"


def present(found: Ends, layers: Iterable[Layer], options: Mapping[str, Any]) -> Request:
    """The request that the present attempt answers, with what else is asked of the runner."""
    values, troubles = settings.sound([*layers, (COMMAND, inherited(found)), (COMMAND, options)])
    return Request(
        found.transfer,
        found.source.place,
        tuple(each.place for each in found.destinations),
        values,
        tuple(map(BadOption.reason, troubles)),
        found.attempt,
        {str(name): str(value) for name, value in found.destinations[0].spec.asked_by.items()},
    )


def inherited(found: Ends) -> dict[str, Any]:
    """What is recorded and goes on. What a stream became at a destination is from there on a tree as any other."""
    was_stream = found.source.spec.stream and found.source.spec.role == DESTINATION
    left_out = OF_STREAMS if was_stream else ()
    return {name: value for name, value in recorded(found).items() if name not in left_out}


def recorded(found: Ends) -> dict[str, Any]:
    """The options that were in force, as far as the ends recorded them."""
    spec = found.destinations[0].spec
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


def _changed(found: Ends, request: Request) -> Iterator[Reason]:
    for name in differing(found, request):
        before, now = _shown(name, recorded(found)[name]), _shown(name, getattr(request.settings, name))
        yield BadOption.reason(
            f"{name} is {before} in transfer {found.transfer} and cannot become {now}: "
            "what has arrived was made with it; leave it out, or copy anew"
        )


def differing(found: Ends, request: Request) -> list[str]:
    """The options that must be as they were for a transfer to go on, and are not."""
    before = inherited(found)
    lasting = (name for name in before if not TABLE[name].changeable)
    return [name for name in lasting if not _is_same(name, before[name], getattr(request.settings, name))]


def _is_same(name: str, before: Any, now: Any) -> bool:
    """`auto` lets the plan choose, and it has chosen."""
    return now == "auto" or TABLE[name].kind.read(before) == now


def _shown(name: str, value: Any) -> str:
    kind = TABLE[name].kind
    return kind.show(kind.read(value))


def contradictions(found: Ends, asked: Request, places: Mapping[Member, Endpoint]) -> list[str]:
    """What keeps a transfer from being the one that is asked for, whose places are really these; empty if it is."""
    own = {record.member: record.place for record in found.records}
    before, now = _unlike(own, places), _unlike(places, own)
    names = differing(found, asked)
    other = f"it has {before or 'nothing else'} where {now or 'nothing else'} is asked for"
    return [
        *([other] if before or now else []),
        *(f"its {name} is {_shown(name, recorded(found)[name])}" for name in names),
    ]


def _unlike(some: Mapping[Member, Endpoint], others: Mapping[Member, Endpoint]) -> str:
    return ", ".join(str(place) for member, place in some.items() if others.get(member) != place)
