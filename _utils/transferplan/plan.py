"""From a request and the facts of both ends to a plan, or a refusal with every reason.

The plan gives each minion its spec, and from the answers to those the roster that tells each end who takes part.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import (
    address,
    blocks,
    checks,
    compression,
    firewall,
    flows,
    forecast,
    order,
    paths,
    shapes,
    space,
    streamed,
    streams,
    units,
    updating,
)
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
from .options import CHAIN, SERIAL, Settings
from .request import SOURCE, Endpoint, Member, Request, encode_path, refuse_overlap
from .settings import as_told
from .version import PROJECT, VERSION

FORMAT = 1
GENERATION = EPOCH = 1
LEAF = 0
STRONGEST_FIRST = ("blake3", "sha256")
FRESH = 10.0
SPARSE = 0.9
PROBE = "probe"
"""The type of the stream that a probe is to its ends."""
ROOMY = 1.5


@dataclass(frozen=True)
class End:
    """One end of the transfer as it is planned: its real place, and the settings in force on its host."""

    member: Member
    place: Endpoint
    settings: Settings


@dataclass(frozen=True)
class Hop(End):
    """A destination: what stands there, and over which addresses each member before it comes, the source first."""

    found: Destination
    ways: Mapping[Member, Pair]
    opening: Opening
    kept: space.Room
    held: int

    @property
    def way(self) -> Pair:
        """The way from the member just before it."""
        return list(self.ways.values())[-1]

    @property
    def addresses(self) -> list[str]:
        """Where it listens."""
        return list(dict.fromkeys(pair.destination for pair in self.ways.values()))

    def listen(self) -> dict[str, Any]:
        return {"addresses": self.addresses, "port": self.settings.port, "ports": list(self.settings.ports)}


@dataclass(frozen=True)
class Plan:
    """`hops` are the destinations in the order in which data comes to them."""

    request: Request
    source: End
    hops: tuple[Hop, ...]
    found: Source
    stream: Mapping[str, Any]
    digest: str
    streams: int
    compression: compression.Compression
    warnings: tuple[str, ...]
    facts: Mapping[Member, Facts]
    probes: tuple[forecast.Probed, ...] = ()

    @property
    def transfer(self) -> str:
        return self.request.transfer

    @property
    def limit(self) -> int:
        """Bytes a second: the lowest of what the hosts allow, 0 if none has a limit."""
        return min((end.settings.limit for end in self.ends if end.settings.limit), default=0)

    @property
    def ends(self) -> tuple[End, ...]:
        return self.source, *self.hops

    @property
    def fanout(self) -> str:
        """How it goes to several; empty for a single destination."""
        return self.request.settings.fanout if len(self.hops) > 1 else ""

    @property
    def is_probe(self) -> bool:
        """Whether this is no plan of a transfer, but of a probe of its way (see probing)."""
        stream = self.stream.get("stream") or {}
        return stream.get("type") == PROBE

    @property
    def is_chain(self) -> bool:
        return self.fanout == CHAIN

    def specs(self) -> dict[Member, dict[str, Any]]:
        """What each end's minion is asked to prepare."""
        return {
            self.source.member: self._source_spec(),
            **{hop.member: self._hop_spec(leaf, hop) for leaf, hop in enumerate(self.hops)},
        }

    def _source_spec(self) -> dict[str, Any]:
        peers = [self._peer(hop.member, hop.ways[self.source.member].destination) for hop in self.hops]
        nothing = space.Room(0, 0)
        return {
            **self._spec(self.source, LEAF, peers, firewall.CLOSED, nothing),
            "listen": None,
            "expect": self._most_expected(),
            "settings": self._settings(self.source, nothing, self._in_place()),
        }

    def _hop_spec(self, leaf: int, hop: Hop) -> dict[str, Any]:
        peers = [self._peer(member, way.source) for member, way in hop.ways.items()]
        return {
            **self._spec(hop, leaf, peers, hop.opening, hop.kept),
            "listen": hop.listen(),
            "expect": self._expected(hop),
            "settings": self._settings(hop, hop.kept, updating.told(self.request.settings, hop.found)),
            **self._onward(leaf, hop),
        }

    def _onward(self, leaf: int, hop: Hop) -> dict[str, Any]:
        """Whom a destination in a chain passes it on to, the next one first."""
        if not self.is_chain:
            return {}
        later = self.hops[leaf + 1 :]
        return {"successors": [self._peer(each.member, each.ways[hop.member].destination) for each in later]}

    def _peer(self, member: Member, address: str) -> dict[str, Any]:
        """How a spec names another end; a destination in a chain with its number there."""
        named = {"host": member.host, "role": member.role, "addresses": [address]}
        leaves = [leaf for leaf, hop in enumerate(self.hops) if hop.member == member] if self.is_chain else []
        return {**named, "leaf": leaves[0]} if leaves else named

    def _spec(
        self, end: End, leaf: int, peers: list[dict[str, Any]], opening: Opening, kept: space.Room
    ) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "project": PROJECT,
            "version": VERSION,
            "transfer": self.transfer,
            "attempt": self.request.attempt,
            "dataset": self.transfer,
            "generation": GENERATION,
            "epoch": EPOCH,
            "leaf": leaf,
            "role": end.member.role,
            "host": end.member.host,
            "path": encode_path(end.place.path),
            "source_kind": self.found.kind,
            "peers": peers,
            "firewall": opening.as_dict(),
            "asked_by": dict(self.request.asked_by),
            "given": self.request.given(),
            **({"fanout": self.fanout} if self.is_chain else {}),
            **self.stream,
        }

    def _expected(self, hop: Hop) -> dict[str, Any]:
        asked = self.request.settings
        needed = updating.room(asked, self.found, hop.found)
        return {
            "bytes": needed.bytes,
            "entries": needed.inodes,
            "estimated": updating.is_estimate(asked, self.found, hop.found),
            "held": min(hop.held, needed.bytes),
        }

    def _most_expected(self) -> dict[str, Any]:
        """What the destination that lacks most expects: so much passes the source."""
        return max(map(self._expected, self.hops), key=lambda each: each["bytes"] - each["held"])

    def _in_place(self) -> dict[str, Any]:
        """The source takes part in an update where any destination has something to update."""
        asked = self.request.settings
        return max((updating.told(asked, hop.found) for hop in self.hops), key=lambda each: each["in_place"])

    def _settings(self, end: End, kept: space.Room, update: Mapping[str, Any]) -> dict[str, Any]:
        asked = self.request.settings
        return {
            "digest": self.digest,
            "verify": asked.verify,
            "encrypt": asked.encrypt,
            "streams": self.streams,
            "compress": asked.compress,
            "limit": self.limit,
            "nice": end.settings.nice,
            "block_size": self._block_size(),
            "overwrite": asked.overwrite,
            **update,
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

    def _block_size(self) -> int:
        chosen = blocks.USUAL if self.stream else blocks.size(self.found)
        return self.request.block_size or chosen

    def summary(self) -> dict[str, Any]:
        """The plan for people and programs: what `transfer.plan` returns."""
        asked = self.request.settings
        return {
            "transfer": self.transfer,
            "attempt": self.request.attempt,
            "type": asked.type,
            "source": str(self.source.place),
            "destinations": [str(hop.place) for hop in self.hops],
            "fanout": self.fanout,
            "hops": [self._hop_summary(leaf, hop) for leaf, hop in enumerate(self.hops)],
            "kind": self.found.kind,
            "stream": self.stream.get("stream"),
            "bytes": self.found.bytes,
            "disk_bytes": self.found.disk_bytes,
            "files": self.found.files,
            "entries": self.found.entries,
            "estimated": self.found.estimated,
            "include": list(asked.include),
            "exclude": list(asked.exclude),
            "excluded": self.found.excluded,
            "digest": self.digest,
            "digest_why": why_digest(asked.digest, self.digest, self.facts.values()),
            "verify": asked.verify,
            "encrypt": asked.encrypt,
            "streams": self.streams,
            "compress": self.compression.as_dict(),
            "limit": self.limit,
            "forecast": self.foreseen().as_dict(),
            "probes": [probed.as_dict() for probed in self.probes],
            "overwrite": asked.overwrite,
            "options": {name: asked.values()[name] for name in sorted(asked.origins)},
            "warnings": [*self.warnings, *(_failed(probed) for probed in self.probes if probed.reason)],
        }

    def foreseen(self) -> forecast.Forecast:
        """How long it will take."""
        at_least = any(self._expected(hop)["estimated"] for hop in self.hops)
        return forecast.foresee([self._leg(hop) for hop in self.hops], self.limit, self.fanout != SERIAL, at_least)

    def _leg(self, hop: Hop) -> forecast.Leg:
        before, way = list(hop.ways.items())[-1]
        expected = self._expected(hop)
        rest = expected["bytes"] - expected["held"]
        probed = next((each for each in self.probes if each.after == hop.member.host), None)
        return forecast.Leg(self.facts[before], self.facts[hop.member], (way.source, way.destination), rest, probed)

    def _hop_summary(self, leaf: int, hop: Hop) -> dict[str, Any]:
        own, expected = hop.settings, self._expected(hop)
        needed = expected["bytes"] - expected["held"]
        return {
            "place": str(hop.place),
            "host": hop.member.host,
            "leaf": leaf,
            "after": list(hop.ways)[-1].host,
            "addresses": {"source": hop.way.source, "destination": hop.way.destination},
            "ports": [own.port, own.port] if own.port else list(own.ports),
            "firewall": hop.opening.backend,
            "chains": hop.opening.named(),
            "bytes_free": hop.found.bytes_free,
            "bytes_needed": needed,
            "bytes_free_after": max(0, hop.found.bytes_free - needed),
            "reserve_bytes": hop.kept.bytes,
            "reserve_inodes": hop.kept.inodes,
            "held_bytes": hop.held,
            "update": updating.summary(self.request.settings, self.found, hop.found),
        }


def _failed(probed: forecast.Probed) -> str:
    reason = probed.reason
    assert reason, "only of a probe that failed"
    told = f"[{reason.code} {reason.name}] {reason.text}"
    return paths.printable(f"the probe from {probed.before} to {probed.after} failed: {told}")


Answer = Mapping[str, Any] | PlanError | None


def make(request: Request, answers: Mapping[Member, Answer]) -> Plan:
    """The plan for this request, or Refused with every reason at once.

    `answers` holds what each end's `transfer.facts` answered: the payload, a PlanError where it cannot be believed,
    None where nothing came.
    """
    ledger = Ledger()
    ledger.add(request.reasons)
    first, *others = (ledger.attempt(_read_side, request, each, answers.get(each)) for each in request.ends())
    sides = [side for side in others if side]
    if first:
        ledger.add(_source_reasons(first, request.transfer))
    for side in sides:
        ledger.add(_destination_reasons(side, first, request))
    openings = {side.member: ledger.attempt(firewall.decide, side.facts, side.settings) for side in sides}
    if first and sides:
        return _join(request, first, sides, openings, ledger)
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
    own = as_told(request.settings, facts.settings)
    return _Side(member, Endpoint(member.host, real), flows.grown(facts, own), own)


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
    yield from flows.source(side.place, side.facts, side.settings)


def _destination_reasons(side: _Side, source: _Side | None, request: Request) -> Iterator[Reason]:
    yield from checks.host(side.facts, request.transfer)
    yield from flows.destination(side.place, side.facts, source.facts if source else None, side.settings, request)
    yield from checks.ports(side.facts, side.settings)
    if lacking := _lacks_network(side):
        yield NoAddress.reason(lacking)
    barred_pseudo = side.facts.policy.reasons and not side.found.bytes_total
    if source and source.found.exists and not barred_pseudo:
        yield from checks.room(side.place, side.found, source.found, side.settings, _held(request, side))
        yield from updating.reasons(side.place, side.found, source.found, side.settings)


def _join(
    request: Request, source: _Side, sides: list[_Side], openings: Mapping[Member, Opening | None], ledger: Ledger
) -> Plan:
    everyone = [source, *sides]
    for side in sides:
        ledger.attempt(refuse_overlap, source.place, side.place)
        ledger.attempt(_refuse_detour, source, side)
        ledger.add(flows.overlap(source.facts, source.place, side.place))
    digest = ledger.attempt(choose_digest, request.settings.digest, [each.facts for each in everyone])
    codec = ledger.attempt(compression.choose, request.settings.compress, [each.facts for each in everyone])
    chain = _in_order(request, source, sides)
    within = len(chain) if request.settings.fanout == CHAIN else 1
    hops = [_hop(request, side, chain[: min(at, within)], openings, ledger) for at, side in enumerate(chain) if at]
    ledger.settle()
    assert digest and codec, "what is missing is in the ledger"
    planned = tuple(hop for hop in hops if hop)
    return Plan(
        request=request,
        source=End(source.member, source.place, source.settings),
        hops=planned,
        found=source.found,
        stream=flows.told(request.settings, source.facts),
        digest=digest,
        streams=streams.choose(
            request.settings.streams,
            request.settings.verify,
            source.found,
            [each.facts for each in everyone],
            routed=not all(hop.way.shared for hop in planned),
        ),
        compression=codec,
        warnings=tuple(map(paths.printable, _warnings(request, source, chain[1:], planned))),
        facts={each.member: each.facts for each in everyone},
    )


def _in_order(request: Request, source: _Side, sides: list[_Side]) -> list[_Side]:
    """Everyone in the order in which data shall pass, the source first."""

    def rank(before: _Side, side: _Side) -> tuple[bool, float, bool, int]:
        way = _pair(before, side)
        tight = side.found.bytes_free < ROOMY * source.found.disk_bytes
        return (not (way and way.shared), -_carries(before, side, way), tight, -streams.idle_cores(side.facts))

    return order.chain(source, sides, request.settings.order, rank)


def _carries(before: _Side, side: _Side, way: Pair | None) -> float:
    """What the slower of two links carries, as far as they tell."""
    ends = ((before, way.source), (side, way.destination)) if way else ()
    return min((speed for each, at in ends if (speed := each.facts.speed_at(at))), default=math.inf)


def _hop(
    request: Request, side: _Side, before: list[_Side], openings: Mapping[Member, Opening | None], ledger: Ledger
) -> Hop | None:
    """One destination, to which each of those before it must find a way; None if the ledger tells why not."""
    ways = {each.member: ledger.attempt(_choose_pair, each, side) for each in before}
    opening = openings[side.member]
    if not opening or not all(ways.values()):
        return None
    found = {member: way for member, way in ways.items() if way}
    kept = space.reserve(side.settings.reserve, side.found)
    return Hop(side.member, side.place, side.settings, side.found, found, opening, kept, _held(request, side))


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


def why_digest(asked: str, chosen: str, everyone: Iterable[Facts]) -> str:
    """Who lacks the strongest digest, where that is why another was chosen."""
    strongest = STRONGEST_FIRST[0]
    lacking = [each.host for each in everyone if strongest not in each.digests]
    return f"{units.some(lacking)} without {strongest}" if asked == "auto" and chosen != strongest else ""


def _pair(source: _Side, destination: _Side) -> Pair | None:
    ours, theirs = source.facts.interfaces, destination.facts.interfaces
    network = destination.settings.network
    if source.member.host == destination.member.host:
        return address.choose_on_one_host(theirs, network)
    return address.choose(ours, theirs, network, source.settings.network)


def _choose_pair(source: _Side, destination: _Side) -> Pair:
    pair = _pair(source, destination)
    if pair is None:
        raise NoAddress(_no_pair(source, destination, destination.settings.network))
    return pair


def _no_pair(source: _Side, destination: _Side, network: str) -> str:
    if lacking := _lacks_network(destination):
        return lacking
    within = f" with network={network}" if network else ""
    remedy = "" if source.member.role == SOURCE else "; fanout=serial needs no way between destinations"
    return (
        f"{source.member} and {destination.member} have no addresses over which they could talk{within}: "
        f"{_has(source)}; {_has(destination)}{remedy}"
    )


def _lacks_network(side: _Side) -> str:
    """That nothing on this host is the network it shall use; empty if something is, or if it has nothing at all."""
    own, network = side.facts.interfaces, side.settings.network
    if not own or any(address.fits(each, network) for each in own):
        return ""
    return f"{side.member} has no interface and no address that is network={network}: {_has(side)}"


def _has(side: _Side) -> str:
    return f"{side.member} has {address.named(side.facts.interfaces)}"


def _warnings(request: Request, source: _Side, sides: list[_Side], hops: tuple[Hop, ...]) -> Iterator[str]:
    """What does not stand in the way but should be known."""
    for side in (source, *sides):
        asked = request.ends()[side.member]
        if asked != side.place:
            yield f"{asked} is really {side.place}"
    if not streamed.is_stream(request.settings):
        yield from _source_warnings(source.place, source.found)
    for side in sides:
        yield from flows.warnings(request.settings, source.place, source.facts, side.facts)
    for hop in hops:
        yield from updating.warnings(request.settings, hop.place, hop.found)
        if hop.found.exists and request.settings.overwrite and not request.settings.update:
            yield f"{hop.place} exists and will be replaced"
        yield from _way_warnings(request, hop)
    senders = [source, *sides[:-1]]
    yield from filter(None, (firewall.way_out(side.facts) for side in senders))
    yield from filter(None, (hop.opening.warning for hop in hops))
    yield from request.notes


def _way_warnings(request: Request, hop: Hop) -> Iterator[str]:
    if not request.settings.encrypt:
        yield f"the data travels unencrypted from {hop.way.source} to {hop.way.destination}"
    if not hop.way.shared:
        yield f"{hop.way.source} and {hop.way.destination} share no subnet: the data is routed"


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
    told = {
        end.member: shapes.read(Prepared, answers[end.member], f"The answer of {end.member} to prepare")
        for end in plan.ends
    }
    hops = [_hop_entry(plan, leaf, hop, told[hop.member]) for leaf, hop in enumerate(plan.hops)]
    members = [_source_entry(plan, told[plan.source.member]), *hops]
    return {"transfer": plan.transfer, "attempt": plan.request.attempt, "epoch": EPOCH, "members": members}


def _source_entry(plan: Plan, prepared: Prepared) -> dict[str, Any]:
    origins = _origins(plan, plan.source.member, prepared)
    entry = {**_entry(plan.source, prepared), "addresses": [origins[plan.hops[0].member.host]]}
    return {**entry, **_chained(plan, origins=origins)}


def _hop_entry(plan: Plan, leaf: int, hop: Hop, prepared: Prepared) -> dict[str, Any]:
    if not prepared.port:
        raise BadAnswer(f"{hop.member} is prepared but told no port")
    entry = {**_entry(hop, prepared), "addresses": hop.addresses, "port": prepared.port}
    return {**entry, **_chained(plan, leaf=leaf, origins=_origins(plan, hop.member, prepared))}


def _entry(end: End, prepared: Prepared) -> dict[str, Any]:
    return {
        "host": end.member.host,
        "role": end.member.role,
        "addresses": [],
        "port": None,
        "certificate": prepared.certificate,
    }


def _chained(plan: Plan, **details: Any) -> dict[str, Any]:
    """What only the roster of a chain tells."""
    return details if plan.is_chain else {}


def _origins(plan: Plan, member: Member, prepared: Prepared) -> dict[str, str]:
    """Where this member's routes to each destination after it begin."""
    ways = {hop.member.host: hop.ways[member] for hop in plan.hops if member in hop.ways}
    return {host: prepared.addresses.get(way.destination, way.source) for host, way in ways.items()}
