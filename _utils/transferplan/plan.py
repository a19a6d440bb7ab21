"""From a request and the facts of both ends to a plan, or a refusal with every reason.

The plan gives each minion its spec, and from the answers to those the roster that tells each end who takes part.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import address, checks, compression, firewall, paths, shapes, space, streams, units, updating
from .address import Pair
from .errors import (
    BadAnswer,
    Ledger,
    MinionSilent,
    NoAddress,
    NoDigest,
    PlacesOverlap,
    PlanError,
    Reason,
    Refused,
    Told,
)
from .facts import Destination, Facts, Source
from .firewall import Opening
from .request import DESTINATION, SOURCE, Endpoint, Member, Request, encode_path, refuse_overlap
from .settings import Settings, as_told
from .version import PROJECT, VERSION

FORMAT = 1
GENERATION = EPOCH = 1
LEAF = 0
BLOCK_SIZE = 4 * 1024 * 1024
STRONGEST_FIRST = ("blake3", "sha256")
FRESH = 10.0
SPARSE = 0.9


@dataclass(frozen=True)
class End:
    """One end of the transfer as it is planned: its real place and the address it uses."""

    member: Member
    place: Endpoint
    address: str
    settings: Settings


@dataclass(frozen=True)
class Plan:
    request: Request
    source: End
    destination: End
    found: Source
    target: Destination
    digest: str
    streams: int
    compression: compression.Compression
    opening: Opening
    kept: space.Room
    held: int
    warnings: tuple[str, ...]

    @property
    def transfer(self) -> str:
        return self.request.transfer

    @property
    def limit(self) -> int:
        """Bytes a second: the lowest of what the hosts allow, 0 if none has a limit."""
        return min((end.settings.limit for end in self.ends if end.settings.limit), default=0)

    @property
    def ends(self) -> tuple[End, End]:
        return self.source, self.destination

    def specs(self) -> dict[Member, dict[str, Any]]:
        """What each end's minion is asked to prepare."""
        return {
            self.source.member: self._spec(self.source, self.destination, None, firewall.CLOSED, space.Room(0, 0)),
            self.destination.member: self._spec(self.destination, self.source, self._listen(), self.opening, self.kept),
        }

    def _listen(self) -> dict[str, Any]:
        own = self.destination.settings
        return {"addresses": [self.destination.address], "port": own.port, "ports": list(own.ports)}

    def _spec(self, end: End, peer: End, listen: Any, opening: Opening, kept: space.Room) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "project": PROJECT,
            "version": VERSION,
            "transfer": self.transfer,
            "attempt": self.request.attempt,
            "dataset": self.transfer,
            "generation": GENERATION,
            "epoch": EPOCH,
            "leaf": LEAF,
            "role": end.member.role,
            "host": end.member.host,
            "path": encode_path(end.place.path),
            "source_kind": self.found.kind,
            "expect": self._expected(),
            "listen": listen,
            "peers": [{"host": peer.member.host, "role": peer.member.role, "addresses": [peer.address]}],
            "firewall": opening.as_dict(),
            "asked_by": dict(self.request.asked_by),
            "given": self.request.given(),
            "settings": self._settings(end, kept),
        }

    def _expected(self) -> dict[str, Any]:
        asked = self.request.settings
        needed = updating.room(asked, self.found, self.target)
        return {
            "bytes": needed.bytes,
            "entries": needed.inodes,
            "estimated": updating.is_estimate(asked, self.found, self.target),
            "held": min(self.held, needed.bytes),
        }

    def _settings(self, end: End, kept: space.Room) -> dict[str, Any]:
        asked = self.request.settings
        return {
            "digest": self.digest,
            "verify": asked.verify,
            "encrypt": asked.encrypt,
            "streams": self.streams,
            "compress": asked.compress,
            "limit": self.limit,
            "nice": end.settings.nice,
            "block_size": BLOCK_SIZE,
            "overwrite": asked.overwrite,
            **updating.told(asked, self.target),
            "owners": asked.owners,
            "special": list(asked.special),
            "include": list(asked.include),
            "exclude": list(asked.exclude),
            "lease": asked.lease,
            "stall_timeout": asked.stall_timeout,
            "keep_partial": asked.keep_partial,
            "reserve_bytes": kept.bytes,
            "reserve_inodes": kept.inodes,
        }

    def summary(self) -> dict[str, Any]:
        """The plan for people and programs: what `transfer.plan` returns."""
        asked, own = self.request.settings, self.destination.settings
        return {
            "transfer": self.transfer,
            "attempt": self.request.attempt,
            "type": asked.type,
            "source": str(self.source.place),
            "destinations": [str(self.destination.place)],
            "kind": self.found.kind,
            "bytes": self.found.bytes,
            "disk_bytes": self.found.disk_bytes,
            "files": self.found.files,
            "entries": self.found.entries,
            "estimated": self.found.estimated,
            "include": list(asked.include),
            "exclude": list(asked.exclude),
            "excluded": self.found.excluded,
            "held_bytes": self.held,
            "bytes_free": self.target.bytes_free,
            "reserve_bytes": self.kept.bytes,
            "reserve_inodes": self.kept.inodes,
            "addresses": {"source": self.source.address, "destination": self.destination.address},
            "ports": [own.port, own.port] if own.port else list(own.ports),
            "firewall": self.opening.backend,
            "digest": self.digest,
            "verify": asked.verify,
            "encrypt": asked.encrypt,
            "streams": self.streams,
            "compress": self.compression.as_dict(),
            "limit": self.limit,
            "overwrite": asked.overwrite,
            "update": updating.summary(asked, self.found, self.target),
            "options": {name: asked.values()[name] for name in sorted(asked.origins)},
            "warnings": list(self.warnings),
        }


Answer = Mapping[str, Any] | PlanError | None


def make(request: Request, answers: Mapping[Member, Answer]) -> Plan:
    """The plan for this request, or Refused with every reason at once.

    `answers` holds what each end's `transfer.facts` answered: the payload, a PlanError where it cannot be believed,
    None where nothing came.
    """
    ledger = Ledger()
    ledger.add(request.reasons)
    source, destination = (ledger.attempt(_read_side, request, each, answers.get(each)) for each in request.ends())
    if source:
        ledger.add(_source_reasons(source, request.transfer))
    if destination:
        ledger.add(_destination_reasons(destination, source, request))
    opening = ledger.attempt(firewall.decide, destination.facts, destination.settings) if destination else None
    if source and destination:
        return _join(request, source, destination, opening, ledger)
    raise Refused(ledger.reasons)


@dataclass(frozen=True)
class _Side:
    """One end as it answered: the place with all links followed, the facts, the settings in force on its host."""

    member: Member
    place: Endpoint
    facts: Facts
    settings: Settings

    @property
    def found(self) -> Any:
        return self.facts.source if self.member.role == SOURCE else self.facts.destination


def _read_side(request: Request, member: Member, answer: Answer) -> _Side:
    facts = read_answer(member, answer)
    asked = request.ends()[member]
    found = facts.source if member.role == SOURCE else facts.destination
    if found is None:
        raise BadAnswer(f"{member} answered without a word about {asked}")
    real = asked.path if found.kind == "symlink" else found.real or asked.path
    return _Side(member, Endpoint(member.host, real), facts, as_told(request.settings, facts.settings))


def read_answer(member: Member, answer: Answer) -> Facts:
    """The facts in an answer, or in words why there are none."""
    if isinstance(answer, PlanError):
        raise answer
    if answer is None:
        raise MinionSilent(
            f"{member} did not answer: is it a minion of this master, and is it up? Try: salt {member} test.ping"
        )
    if reason := error_in(member, answer):
        raise Refused([reason])
    if answer.get("version") != VERSION:
        raise Refused([checks.version_mismatch(member.host, paths.printable(str(answer.get("version"))))])
    facts = Facts.from_payload(answer, member.host)
    if facts.host != member.host:
        raise BadAnswer(f"{member} answered in the name of {facts.host!r}")
    return facts


def error_in(member: Member, payload: Mapping[str, Any]) -> Reason | None:
    """The error that a minion tells in place of an answer, if it does."""
    if not isinstance(payload, Mapping):
        raise BadAnswer(f"{member} answered with something else than a mapping")
    if not payload.get("error"):
        return None
    return shapes.read(Told, payload["error"], f"The error from {member}").reason(member.host)


def _source_reasons(side: _Side, transfer: str) -> Iterator[Reason]:
    yield from checks.host(side.facts, transfer)
    yield from checks.source(side.place, side.found, side.settings)


def _destination_reasons(side: _Side, source: _Side | None, request: Request) -> Iterator[Reason]:
    kind = source.found.kind if source else None
    yield from checks.host(side.facts, request.transfer)
    yield from checks.destination(side.place, side.found, kind, side.settings, request.transfer)
    yield from checks.ports(side.facts, side.settings)
    if lacking := _lacks_network(side):
        yield NoAddress.reason(lacking)
    barred_pseudo = side.facts.policy.reasons and not side.found.bytes_total
    if source and source.found.exists and not barred_pseudo:
        yield from checks.room(side.place, side.found, source.found, side.settings, _held(request, side))
        yield from updating.reasons(side.place, side.found, source.found, side.settings)


def _join(request: Request, source: _Side, destination: _Side, opening: Opening | None, ledger: Ledger) -> Plan:
    ledger.attempt(refuse_overlap, source.place, destination.place)
    ledger.attempt(_refuse_detour, source, destination)
    digest = ledger.attempt(choose_digest, request.settings.digest, (source.facts, destination.facts))
    codec = ledger.attempt(compression.choose, request.settings.compress, (source.facts, destination.facts))
    pair = ledger.attempt(_choose_pair, source, destination)
    ledger.settle()
    assert digest and codec and pair and opening, "what is missing is in the ledger"
    return Plan(
        request=request,
        source=End(source.member, source.place, pair.source, source.settings),
        destination=End(destination.member, destination.place, pair.destination, destination.settings),
        found=source.found,
        target=destination.found,
        digest=digest,
        streams=streams.choose(
            request.settings.streams,
            request.settings.verify,
            source.found,
            (source.facts, destination.facts),
            routed=not pair.shared,
        ),
        compression=codec,
        opening=opening,
        kept=space.reserve(destination.settings.reserve, destination.found),
        held=_held(request, destination),
        warnings=tuple(map(paths.printable, _warnings(request, source, destination, opening, pair))),
    )


def _held(request: Request, destination: _Side) -> int:
    """Bytes that an earlier attempt has left on the destination's disk."""
    return sum(each.bytes for each in destination.facts.resumable if each.transfer == request.transfer)


def _refuse_detour(source: _Side, destination: _Side) -> None:
    """A mount can make the inside of the source look like another place; its identity gives it away."""
    identity = source.found.identity
    inside = identity and identity in destination.found.above
    if source.member.host != destination.member.host or not inside:
        return
    if not paths.contains(source.place.path, destination.place.path):
        raise PlacesOverlap(
            f"{destination.place} lies inside the source {source.place}, by way of a mount: choose another"
        )


def choose_digest(asked: str, everyone: Iterable[Facts]) -> str:
    """The digest that every host has: the one asked for, or with auto the strongest."""
    lacking = {name: [each.host for each in everyone if name not in each.digests] for name in STRONGEST_FIRST}
    wanted = STRONGEST_FIRST if asked == "auto" else (asked,)
    for name in wanted:
        if not lacking[name]:
            return name
    raise NoDigest(
        f"{' and '.join(lacking[wanted[-1]])} cannot compute {wanted[-1]}: "
        "leave out digest, or install what is missing there"
    )


def _choose_pair(source: _Side, destination: _Side) -> Pair:
    ours, theirs = source.facts.interfaces, destination.facts.interfaces
    network = destination.settings.network
    if source.member.host == destination.member.host:
        pair = address.choose_on_one_host(theirs, network)
    else:
        pair = address.choose(ours, theirs, network, source.settings.network)
    if pair is None:
        raise NoAddress(_no_pair(source, destination, network))
    return pair


def _no_pair(source: _Side, destination: _Side, network: str) -> str:
    if lacking := _lacks_network(destination):
        return lacking
    within = f" with network={network}" if network else ""
    return (
        f"{source.member} and {destination.member} have no addresses over which they could talk{within}: "
        f"{_has(source)}; {_has(destination)}"
    )


def _lacks_network(side: _Side) -> str:
    """That nothing on this host is the network it shall use; empty if something is, or if it has nothing at all."""
    own, network = side.facts.interfaces, side.settings.network
    if not own or any(address.fits(each, network) for each in own):
        return ""
    return f"{side.member} has no interface and no address that is network={network}: {_has(side)}"


def _has(side: _Side) -> str:
    return f"{side.member} has {address.named(side.facts.interfaces)}"


def _warnings(request: Request, source: _Side, destination: _Side, opening: Opening, pair: Pair) -> Iterator[str]:
    """What does not stand in the way but should be known."""
    for side in (source, destination):
        asked = request.ends()[side.member]
        if asked != side.place:
            yield f"{asked} is really {side.place}"
    yield from _source_warnings(source.place, source.found)
    yield from updating.warnings(request.settings, destination.place, destination.found)
    if destination.found.exists and request.settings.overwrite and not request.settings.update:
        yield f"{destination.place} exists and will be replaced"
    if not request.settings.encrypt:
        yield f"the data travels unencrypted from {pair.source} to {pair.destination}"
    if not pair.shared:
        yield f"{pair.source} and {pair.destination} share no subnet: the data is routed"
    yield from filter(None, (firewall.way_out(source.facts), opening.warning))
    yield from request.notes


def _source_warnings(place: Endpoint, found: Source) -> Iterator[str]:
    if found.estimated:
        yield f"{place} is too large to be measured at once: its figures are estimated, it has at least as much"
    if found.disk_bytes < found.bytes * SPARSE:
        yield (
            f"{place} takes {units.size(found.disk_bytes)} for {units.size(found.bytes)}: holes stay holes, "
            "but what is compressed at the source may take more at the destination"
        )
    if sockets := checks.count_of(found, "sockets"):
        yield f"{place} holds {units.count(sockets, 'socket')}, which cannot be copied and will be left out"
    if found.mounts_below:
        yield (
            f"other file systems are mounted in {place} and will be left out, as empty directories: "
            f"{_listed(found.mounts_below)}"
        )
    if found.newest_mtime_age is not None and found.newest_mtime_age < FRESH:
        age = units.span(max(0.0, found.newest_mtime_age))
        yield f"{place} changed {age} ago: a file that changes while it is read fails the copy"


def _listed(some: Iterable[bytes]) -> str:
    return ", ".join(paths.display(path) for path in some)


@dataclass(frozen=True)
class Prepared:
    """What a minion's `transfer.prepare` answers, as far as the others must know it."""

    certificate: str
    port: int | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for own in self.addresses.values():
            ipaddress.ip_address(own)


def roster(plan: Plan, answers: Mapping[Member, Mapping[str, Any]]) -> dict[str, Any]:
    """Who takes part in the attempt, the source first: what `transfer.arm` gives to each end."""
    members = [
        _roster_entry(end, peer, shapes.read(Prepared, answers[end.member], f"The answer of {end.member} to prepare"))
        for end, peer in (plan.ends, plan.ends[::-1])
    ]
    return {"transfer": plan.transfer, "attempt": plan.request.attempt, "epoch": EPOCH, "members": members}


def _roster_entry(end: End, peer: End, prepared: Prepared) -> dict[str, Any]:
    """The destination is where it listens; the source comes from where its routes to the destination begin."""
    listens = end.member.role == DESTINATION
    if listens and not prepared.port:
        raise BadAnswer(f"{end.member} is prepared but told no port")
    own = end.address if listens else prepared.addresses.get(peer.address, end.address)
    return {
        "host": end.member.host,
        "role": end.member.role,
        "addresses": [own],
        "port": prepared.port if listens else None,
        "certificate": prepared.certificate,
    }
