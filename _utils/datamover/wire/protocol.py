"""Who may say what when, without I/O: the opening of a connection, the conversation on control, the count on bulk.

Each end follows both parties, so it knows whose fault a wrong message is: LocalError is ours, ProtocolError is
theirs. The tables below are the whole grammar; docs/wire-protocol.md says the same in prose.
"""

import hashlib
import json
from typing import NamedTuple

from .. import wire
from ..errors import (
    LocalError,
    NotAPeer,
    ProtocolError,
    RosterMismatch,
    VersionMismatch,
    WrongTransfer,
)
from ..wire import (
    Admit,
    Adrift,
    Announce,
    Behind,
    Bye,
    Credit,
    Digests,
    Edition,
    Failed,
    Have,
    Hello,
    Kept,
    Landed,
    Limit,
    Lost,
    Message,
    Pause,
    Ping,
    Published,
    Restart,
    Seal,
    Sealed,
    Standing,
    Taken,
    Welcome,
)

# The opening.

_SAME = ("transfer", "attempt", "dataset", "generation", "epoch", "leaf")


def roster_digest(roster: dict) -> bytes:
    """What both ends show in their Introduction: SHA-256 over the roster as canonical JSON."""
    return hashlib.sha256(json.dumps(roster, sort_keys=True, separators=(",", ":")).encode("ascii")).digest()


def answer(ours: Hello, theirs: Hello, host: str) -> Welcome:
    """The Welcome for a Hello, or the error to tell.

    `ours` is the Hello that this end would have said, `host` the member whose credentials were shown.
    """
    _check_introduction(ours, theirs, host)
    chosen = min(ours.version_max, theirs.version_max)
    offered = {*ours.required, *ours.optional} & {*theirs.required, *theirs.optional}
    _check_features({*ours.required, *theirs.required}, offered, theirs.host)
    return Welcome(
        version_min=chosen,
        version_max=chosen,
        roster=ours.roster,
        host=ours.host,
        role=theirs.role,
        stream=theirs.stream,
        features=tuple(sorted(offered)),
        **{name: getattr(ours, name) for name in _SAME},
    )


def check_welcome(ours: Hello, theirs: Welcome, host: str) -> None:
    """Refuse a Welcome that does not answer our Hello."""
    _check_introduction(ours, theirs, host)
    if theirs.version_min != theirs.version_max or not ours.version_min <= theirs.version_max <= ours.version_max:
        raise ProtocolError(f"{host} chose wire {theirs.version_max}, which was not offered")
    if (theirs.role, theirs.stream) != (ours.role, ours.stream):
        raise ProtocolError(f"{host} answered {theirs.role} {theirs.stream} to {ours.role} {ours.stream}")
    _check_features(ours.required, {*theirs.features} & {*ours.required, *ours.optional}, host)
    if not {*theirs.features} <= {*ours.required, *ours.optional}:
        raise ProtocolError(f"{host} agreed to features that were not offered: {', '.join(theirs.features)}")


def _check_introduction(ours, theirs, host):
    if theirs.host != host:
        raise NotAPeer(f"who has the credentials of {host} calls itself {theirs.host}", host=host, claimed=theirs.host)
    if theirs.project != ours.project:
        raise VersionMismatch(
            f"{host} runs salt-transfer {theirs.project}, {ours.host} {ours.project}; install the same version on both",
            theirs=theirs.project,
            ours=ours.project,
        )
    differing = [name for name in _SAME if getattr(theirs, name) != getattr(ours, name)]
    if differing:
        said = ", ".join(f"{name} {getattr(theirs, name)} (here {getattr(ours, name)})" for name in differing)
        raise WrongTransfer(f"{host} is here for another transfer: {said}", host=host)
    if theirs.roster != ours.roster:
        raise RosterMismatch(f"{host} and {ours.host} were armed with different rosters", host=host)
    if (theirs.role == "control") != (theirs.stream == 0):
        raise ProtocolError(f"{host} calls stream {theirs.stream} a {theirs.role} connection")


def _check_features(required, agreed, host):
    if missing := {*required} - agreed:
        raise VersionMismatch(f"with {host} these features would be needed on both ends: {', '.join(sorted(missing))}")


# The conversation on control. A party is in one state, and what it says moves it. A row: what may be said in a state.


class Move(NamedTuple):
    """Where saying something leads (None: nowhere), and in which states the other must be for it to be an answer."""

    to: str | None = None
    after: tuple[str, ...] = ()


Table = dict[str, dict[type[Message] | str, Move]]
STAY = Move()
START = "the first state of the role"

SOURCE: Table = {
    "listing": {
        **dict.fromkeys((Announce, Digests, Restart, Lost, Adrift, Ping), STAY),
        "last Announce": Move("listed"),
    },
    "listed": {**dict.fromkeys((Digests, Restart, Lost, Adrift, Ping), STAY), Seal: Move("sealed")},
    "sealed": {Lost: STAY, Adrift: STAY, Ping: STAY, Bye: Move("ended", after=("published", "ended"))},
}
DESTINATION: Table = {
    "taking": {
        **dict.fromkeys((Standing, Behind, Have, Kept, Landed, Taken, Credit, Pause, Limit, Ping), STAY),
        Sealed: Move("verified", after=("sealed",)),
    },
    "verified": {Behind: STAY, Landed: STAY, Ping: STAY, Published: Move("published")},
    "published": {Behind: STAY, Ping: STAY, Bye: Move("ended")},
}
CONNECTOR: Table = {"silent": {Hello: Move("greeted")}}
ACCEPTOR: Table = {
    "silent": {Welcome: Move(START, after=("greeted",))},
    **dict.fromkeys(("listing", "listed", "taking"), {Admit: STAY}),
}
EITHER: Table = {
    **dict.fromkeys(("silent", "greeted", *SOURCE, *DESTINATION), {Failed: Move("failed")}),
    "failed": {Bye: Move("ended")},
}


class Conversation:
    """Follows one control connection from this end. `role` is ours, `connects` says whether we send the Hello.

    Call `sent` before sending and `received` after decoding, one thread at a time.
    """

    def __init__(self, role: str, connects: bool):
        other = "destination" if role == "source" else "source"
        self._ours = _Party(role, connects)
        self._theirs = _Party(other, not connects)
        self._edition: tuple = ()
        self._broken: ProtocolError | None = None

    def __str__(self):
        return f"we are {self._ours}, they {self._theirs}"

    @property
    def open(self) -> bool:
        """Hello and Welcome were said."""
        return self._ours.open and self._theirs.open

    @property
    def finished(self) -> bool:
        """Both have said Bye."""
        return self._ours.state == self._theirs.state == "ended"

    def sent(self, message: Message) -> None:
        """LocalError if we may not say this now."""
        if trouble := self._say(self._ours, message, self._theirs):
            raise LocalError(f"we cannot say {trouble}: {self}")

    def received(self, message: Message) -> None:
        """ProtocolError if they may not say this now, and from then on for everything."""
        if not self._broken and (trouble := self._say(self._theirs, message, self._ours)):
            self._broken = ProtocolError(f"the other end cannot say {trouble}: {self}")
        if self._broken:
            raise self._broken

    def _say(self, party, message, other):
        """Let a party say it; what cannot be said, or None."""
        if isinstance(message, Edition) and _edition(message) != self._edition:
            return f"{message}, which is of another edition"
        trouble = party.say(message, other)
        if isinstance(message, Hello) and not trouble:
            self._edition = _edition(message)
        return trouble


def _edition(message):
    return message.dataset, message.generation, getattr(message, "base", 0), message.leaf


class _Party:
    """One party of a conversation, and what it may say next."""

    def __init__(self, role, connects):
        self._name = f"{role} and {'connector' if connects else 'acceptor'}"
        self._tables = (SOURCE if role == "source" else DESTINATION, CONNECTOR if connects else ACCEPTOR, EITHER)
        self._first = next(iter(self._tables[0]))
        self._batches = 0
        self.state = "silent"
        self.open = False

    def __str__(self):
        return f"{self._name} ({self.state})"

    def say(self, message, other):
        """Move on and return None, or what cannot be said."""
        move = self._move(message)
        if move is None or (move.after and other.state not in move.after):
            return str(message)
        if isinstance(message, Announce) and message.sequence != self._batches:
            return f"{message} where batch {self._batches} is next"
        self._batches += isinstance(message, Announce)
        self._go(move.to)
        if isinstance(message, Welcome):
            other._go(START)
        return None

    def _move(self, message):
        last = isinstance(message, Announce) and not message.more
        what = "last Announce" if last else type(message)
        return next((table[self.state][what] for table in self._tables if what in table.get(self.state, ())), None)

    def _go(self, state):
        self.open = self.open or state is START
        self.state = self._first if state is START else state or self.state


# The count on bulk.


class Tally:
    """Counts what was taken of one bulk stream over all its connections, so that its end can be told from a loss.

    `bytes` are those of the payloads as they travel, `raw` what they are when they are whole.
    """

    def __init__(self, stream: int):
        self.stream = stream
        self.pieces = 0
        self.bytes = 0
        self.raw = 0
        self.ended = False

    def piece(self, piece: wire.Piece) -> None:
        if self.ended or piece.stream != self.stream:
            raise ProtocolError(f"stream {self.stream} {'has ended' if self.ended else 'got'}: {piece}")
        self.pieces += 1
        self.bytes += piece.payload
        self.raw += piece.moved

    def check(self, said: wire.Mark | wire.End) -> None:
        """What the source counted must be what was counted here."""
        if self.ended or (said.pieces, said.bytes, said.stream) != (self.pieces, self.bytes, self.stream):
            raise ProtocolError(
                f"stream {self.stream} {'has ended' if self.ended else 'stands'} after {self.pieces} pieces with "
                f"{self.bytes} bytes; {said.pieces} pieces with {said.bytes} bytes were sent on stream {said.stream}"
            )
        self.ended = isinstance(said, wire.End)
