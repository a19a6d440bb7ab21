"""What the user asked for: a source, where it shall go, and the settings in force.

A place is written `MINION:/path` and split at the first `:/`. In one text a comma separates destinations only where
`NAME:/` follows, and names neither begin nor end with one; in a list every item is one destination, with any name. A
destination that ends in `/` is a directory to copy into, any other is the final name. A slash at the end of a source
means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import paths, settings, statement, streamed
from .errors import BadOption, BadPlace, Ledger, NameTooLong, PlacesOverlap, Reason, Refused
from .options import CHAIN, COMMAND, Layer, Settings
from .paths import decode_path, encode_path

__all__ = [
    "Endpoint",
    "Member",
    "Request",
    "decode_path",
    "encode_path",
    "parse",
    "parse_place",
    "read",
    "split_destinations",
]

SOURCE, DESTINATION = "source", "destination"
MOST_DESTINATIONS = 100
_COMMA = re.compile(r",(?=[^,/]+:/)")
_STRAY_COMMA = re.compile(r"(?:^|/)\s*,|,\s*(?:/|$)")
_MINION = re.compile(r"[^\s/\\,*?\[\]]+")
_TRANSFER = re.compile(r"[0-9a-f]{32}")


class Member(NamedTuple):
    """One end of a transfer. Both ends may be one host, so a host's name alone does not tell them apart."""

    host: str
    role: str

    def __str__(self) -> str:
        return self.host


@dataclass(frozen=True)
class Endpoint:
    """A place on a minion; of a destination it is the final name."""

    host: str
    path: bytes

    def __str__(self) -> str:
        return f"{self.host}:{paths.display(self.path)}"


@dataclass(frozen=True)
class Request:
    """What is asked for; with `reasons` against it, it can still be asked what else speaks against it.

    `asked_by` says who asked, as far as Salt tells: `user`, and `via` which way. `notes` are for the plan to tell.
    `asked_at` is when, by the master's clock: who waits is served in this order. `block_size` is that of what has
    arrived already; 0 where nothing has.
    """

    transfer: str
    source: Endpoint
    destinations: tuple[Endpoint, ...]
    settings: Settings
    reasons: tuple[Reason, ...] = ()
    attempt: int = 1
    asked_by: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    asked_at: float = 0.0
    block_size: int = 0

    def ends(self) -> dict[Member, Endpoint]:
        """Every end of the transfer with its place, the source first."""
        targets = {Member(place.host, DESTINATION): place for place in self.destinations}
        return {Member(self.source.host, SOURCE): self.source, **targets}

    def given(self) -> dict[str, Any]:
        """The options of hosts that the command line fixed: what a further attempt must be told again."""
        values = self.settings.values("host")
        return {name: values[name] for name in self.settings.given()}

    def alike(self) -> str:
        """The same for each request that asks for the same thing."""
        places = [str(place) for place in self.ends().values()]
        return statement.digest({"places": places, "options": self.settings.commanded()})

    def asks(self) -> dict[Member, dict[str, Any]]:
        """For each end, the question that its minion's `transfer.facts` takes."""
        return {member: self._ask(member, place) for member, place in self.ends().items()}

    def _peers(self, member: Member) -> list[Member]:
        """Whom this end may talk to: in a chain everyone, since the order is not known yet and may change."""
        all_others = self.settings.fanout == CHAIN
        return [other for other in self.ends() if other != member and (all_others or other.role != member.role)]

    def _ask(self, member: Member, place: Endpoint) -> dict[str, Any]:
        return {
            "transfer": self.transfer,
            "attempt": self.attempt,
            "role": member.role,
            "host": member.host,
            "path": encode_path(place.path),
            "peers": [{"host": other.host, "role": other.role} for other in self._peers(member)],
            "settings": self.settings.values("transfer", "host"),
            "given": self.settings.given(),
            "budget": self.settings.job_timeout / 3,
        }


def parse(src: Any, dst: Any, options: Mapping[str, Any], layers: Iterable[Layer], transfer: str) -> Request:
    """The same as `read`, but whatever is wrong is Refused."""
    found = read(src, dst, options, layers, transfer)
    if found.reasons:
        raise Refused(found.reasons)
    return found


def read(
    src: Any,
    dst: Any,
    options: Mapping[str, Any],
    layers: Iterable[Layer],
    transfer: str,
    reasons: Iterable[Reason] = (),
) -> Request:
    """The request for a new transfer with what is wrong with it, or Refused if it does not even name two places.

    `options` are those of the command line, `layers` the (layer name, options) pairs below them, `transfer` a fresh
    random id of 32 hex digits, `reasons` what is wrong beside all this.
    """
    if not _TRANSFER.fullmatch(transfer):
        raise ValueError("a transfer id has 32 hex digits")
    ledger = Ledger()
    ledger.add(reasons)
    values, troubles = settings.sound([*layers, (COMMAND, options)])
    ledger.add(map(BadOption.reason, [*troubles, *settings.contradictions(values)]))
    source = ledger.attempt(parse_source, src)
    destinations = _destinations(dst, source, ledger, values)
    if not source or not destinations:
        raise Refused(ledger.reasons)
    for place in destinations:
        ledger.attempt(refuse_overlap, source, place)
    ledger.add(_crowding(source, destinations))
    return Request(transfer, source, destinations, values, tuple(ledger.reasons))


def _destinations(dst: Any, source: Endpoint | None, ledger: Ledger, asked: Settings) -> tuple[Endpoint, ...]:
    """The destinations that can be read; with an unreadable source their final names are only as good as can be."""
    texts = ledger.attempt(split_destinations, dst) or []
    tried = [ledger.attempt(parse_destination, text, _name_for(text, source, asked, ledger)) for text in texts]
    return tuple(place for place in tried if place)


def _name_for(text: Any, source: Endpoint | None, asked: Settings, ledger: Ledger) -> bytes:
    """What is appended to the text of a destination that ends in a slash."""
    if source is None or not str(text).endswith("/"):
        return b"?"
    return ledger.attempt(streamed.final_name, asked, source.path) or b"?"


def split_destinations(dst: Any) -> list[Any]:
    """The texts of the destinations."""
    if isinstance(dst, str):
        return _split(dst)
    texts = list(dst) if isinstance(dst, (list, tuple)) else [dst]
    if not texts:
        raise BadPlace("dst names no destination: write dst=MINION:/path")
    return texts


def _split(dst: str) -> list[str]:
    texts = _COMMA.split(dst)
    if any(_STRAY_COMMA.search(text) or (not text and dst) for text in texts):
        raise BadPlace(
            f"dst={paths.quoted(dst)} has a comma without a destination on both sides of it: write "
            "dst=MINION:/path,MINION:/path, or put a name that begins or ends with a comma into a list, "
            "dst='[\"MINION:/path\"]'"
        )
    return texts


def _crowding(source: Endpoint, destinations: Sequence[Endpoint]) -> Iterator[Reason]:
    """What keeps these destinations from being served together."""
    hosts = [place.host for place in destinations]
    if len(hosts) > MOST_DESTINATIONS:
        yield BadPlace.reason(
            f"dst names {len(hosts)} destinations, at most {MOST_DESTINATIONS} go together: make several copies of it"
        )
    for host in dict.fromkeys(host for host in hosts if hosts.count(host) > 1):
        named = ", ".join(str(place) for place in destinations if place.host == host)
        yield BadPlace.reason(f"dst names {host} more than once ({named}): copy to one of them, and again from there")
    if len(hosts) > 1 and source.host in hosts:
        yield BadPlace.reason(
            f"{source.host} is the source and among {len(hosts)} destinations: leave it out, "
            "a copy on the source's own host is a transfer by itself"
        )


def parse_source(text: Any) -> Endpoint:
    host, path = parse_place(text, "src")
    if path == b"/":
        raise BadPlace(f"src={host}:/ is the whole root file system: name a file or a directory below it")
    return Endpoint(host, path)


def parse_destination(text: Any, name: bytes) -> Endpoint:
    """The destination with its final name; `name` is appended where the text ends in a slash."""
    host, path = parse_place(text, "dst")
    final = paths.join(path, name) if text.endswith("/") else path
    _check_length(host, final)
    return Endpoint(host, final)


def parse_place(text: Any, which: str) -> tuple[str, bytes]:
    """(minion id, normal path) from `MINION:/path`; `which` (src or dst) is for the sentence when it is none."""
    if not isinstance(text, str) or not text:
        shown = "nothing" if text in (None, "") else ascii(text)
        raise BadPlace(f"{which} must be MINION:/path, not {shown}")
    host, found, rest = text.partition(":/")
    if not found:
        raise BadPlace(_without_path(text, which))
    return _checked_host(host.strip(), text, which), _normal_path(rest, text, which)


def _without_path(text: str, which: str) -> str:
    shown = f"{which}={paths.quoted(text)}"
    host, colon, path = text.partition(":")
    if text.startswith("/"):
        return f"{shown} names no minion: write {which}=MINION:{paths.quoted(text)}"
    if colon and path:
        return f"{shown} has a relative path: write {which}={paths.printable(host)}:/ and the path from the root on"
    return f"{shown} has no path: write {which}={paths.printable(host)}:/path"


def _checked_host(host: str, text: str, which: str) -> str:
    shown = f"{which}={paths.quoted(text)}"
    if not host:
        raise BadPlace(f"{shown} names no minion: write {which}=MINION:/path")
    if not host.isprintable() or not _MINION.fullmatch(host):
        raise BadPlace(
            f"{shown} does not begin with a minion id: one minion is named by its whole id, patterns are not taken"
        )
    return host


def _normal_path(rest: str, text: str, which: str) -> bytes:
    shown = f"{which}={paths.quoted(text)}"
    try:
        raw = rest.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadPlace(f"{shown} holds a character that no file name can hold") from error
    parts = [part for part in raw.split(b"/") if part]
    if b"\0" in raw:
        raise BadPlace(f"{shown} holds a NUL character, which no file name can hold")
    if b"." in parts or b".." in parts:
        raise BadPlace(f"{shown} goes through . or ..: write the path without them")
    return b"/" + b"/".join(parts)


def _check_length(host: str, path: bytes) -> None:
    longest = max(len(part) for part in path.split(b"/"))
    if longest > paths.LONGEST_NAME:
        raise NameTooLong(
            f"{Endpoint(host, path)} has a name of {longest} bytes; file systems take at most {paths.LONGEST_NAME}"
        )
    if len(path) > paths.LONGEST_PATH:
        raise NameTooLong(
            f"{Endpoint(host, path)} is {len(path)} bytes long; the system takes at most {paths.LONGEST_PATH}"
        )


def refuse_overlap(source: Endpoint, destination: Endpoint) -> None:
    """Two places on one host must not be the same, and none inside the other."""
    if source.host != destination.host:
        return
    if source.path == destination.path:
        raise PlacesOverlap(f"{source} is both source and destination: choose another name")
    if paths.contains(source.path, destination.path):
        raise PlacesOverlap(f"{destination} lies inside the source {source}: choose a place outside of it")
    if paths.contains(destination.path, source.path):
        raise PlacesOverlap(f"{destination} holds the source {source}, which it would replace: choose another name")
