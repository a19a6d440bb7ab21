"""The messages of a control connection: frozen dataclasses that turn into frames and back.

A field is declared with its form and its bounds (fields.py); fields travel in the order in which they are declared,
those of a base class first. What may be said when is decided in protocol.py.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from .. import version
from ..blocks import DIGEST, LARGEST_BLOCK, SMALLEST_BLOCK
from ..errors import LocalError, MoverError, PeerFailed, ProtocolError, VersionMismatch
from ..manifest import Entry
from .batches import SPAN, Entries, OneEntry, Part, Parts, Ranges, Span, Spans, batched, entry_size, part_size
from .fields import (
    COUNT,
    U16,
    U32,
    U64,
    Blob,
    Cursor,
    Field,
    Fixed,
    Flag,
    Identifier,
    Many,
    Maybe,
    Number,
    Text,
    Word,
)
from .frames import CRITICAL, MAX_BODY, MAX_HELLO, MAX_STREAMS, VERSION_MAX, VERSION_MIN, Frame, Type

MAGIC = b"SALTXFER"
ROLES = ("control", "bulk")
LEVELS = ("readback", "flight")
PHASES = (
    "prepared",
    "armed",
    "connecting",
    "proved",
    "moving",
    "verifying",
    "sealed",
    "publishing",
    "published",
    "failed",
    "cancelled",
)
NOT_REACHED, ELSEWHERE = "lost", "elsewhere"
ENDS = ("published", "failed", "cancelled", NOT_REACHED, ELSEWHERE)
OVER, LOST, FOUND = ABOVE = ("over", "lost", "found")
BEHIND_TEXT, FAILED_TEXT = 1024, 4096
"""Bytes of the words of an error that may travel."""
NO_TOKEN = NO_SECRET = bytes(32)
NO_ROOT = bytes(DIGEST)


def fitting(text: str, size: int) -> str:
    """A text as it can travel in so many bytes: what cannot be printed is replaced, what is too long is cut."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in text)
    return printable.encode()[:size].decode(errors="ignore")


def carried(field: Field, *, secret: bool = False, **default):
    """Declares a field of a message and its form on the wire; a secret never shows in a log."""
    return dataclasses.field(metadata={"field": field}, repr=not secret, **default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A control message. Its fields travel in the order in which they are declared, base class first."""

    TYPE: ClassVar[int] = 0
    CRITICAL: ClassVar[bool] = True
    PREFIX: ClassVar[bytes] = b""

    @classmethod
    @cache
    def layout(cls) -> tuple[tuple[str, Field], ...]:
        return tuple((field.name, field.metadata["field"]) for field in dataclasses.fields(cls))

    @classmethod
    @cache
    def bounds(cls) -> tuple[int, int]:
        """Least and most bytes of a body."""
        fields = [field for _, field in cls.layout()]
        least, most = sum(field.least for field in fields), sum(field.most for field in fields)
        return len(cls.PREFIX) + least, min(len(cls.PREFIX) + most, MAX_BODY)

    def body(self) -> bytes:
        parts = [self.PREFIX]
        for name, field in self.layout():
            try:
                parts.append(field.pack(getattr(self, name)))
            except LocalError as error:
                raise LocalError(f"{type(self).__name__}.{name} {error.text}") from None
        return b"".join(parts)

    def encode(self) -> bytes:
        """The whole frame."""
        body = self.body()
        if len(body) > self.bounds()[1]:
            raise LocalError(f"{self} takes {len(body)} bytes; at most {self.bounds()[1]} fit")
        return Frame(self.TYPE, CRITICAL if self.CRITICAL else 0, 0, len(body)).encode() + body

    @classmethod
    def decode(cls, body: bytes) -> "Message":
        """The message whose whole body this is."""
        cursor = cls._begin(body)
        values = cls._take(cursor, cls.layout())
        cls._end(cursor)
        return cls(**values)

    @classmethod
    def _begin(cls, body):
        if not body.startswith(cls.PREFIX):
            raise ProtocolError(f"{cls.__name__} does not begin with {cls.PREFIX.decode()}")
        cursor = Cursor(body)
        cursor.take(len(cls.PREFIX))
        return cursor

    @classmethod
    def _take(cls, cursor, layout):
        values = {}
        for name, field in layout:
            try:
                values[name] = field.take(cursor)
            except ProtocolError as error:
                raise ProtocolError(f"{cls.__name__}.{name} {error.text}") from None
        return values

    @classmethod
    def _end(cls, cursor):
        try:
            cursor.finish()
        except ProtocolError as error:
            raise ProtocolError(f"{cls.__name__} {error.text}") from None

    def __str__(self):
        shown = (field.name for field in dataclasses.fields(self) if field.repr)
        return " ".join((type(self).__name__, *(f"{name}={_brief(getattr(self, name))}" for name in shown)))


def _brief(value):
    """A value as a log shows it."""
    if isinstance(value, bytes):
        return value[:8].hex() + (".." if len(value) > 8 else "")
    if isinstance(value, tuple) and value and not isinstance(value[0], str):
        return f"{len(value)}[{value[0]} .. {value[-1]}]"
    return ",".join(value) if isinstance(value, tuple) else str(value)


# Opening a connection.


_LASTING = 3
"""So many fields of an introduction have the same form in every version of the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction(Message):
    """What Hello and Welcome have in common. Up to `project` this form holds in every version."""

    PREFIX = MAGIC

    version_min: int = carried(Number(2, 1), default=VERSION_MIN)
    version_max: int = carried(Number(2, 1), default=VERSION_MAX)
    project: str = carried(Text(64), default=version.VERSION)
    transfer: str = carried(Identifier())
    attempt: int = carried(U32)
    dataset: str = carried(Identifier())
    generation: int = carried(U64, default=1)
    epoch: int = carried(U32, default=1)
    leaf: int = carried(U32, default=0)
    roster: bytes = carried(Fixed(32))
    host: str = carried(Text(255))
    role: str = carried(Word(ROLES))
    stream: int = carried(Number(2, 0, MAX_STREAMS), default=0)

    @classmethod
    @cache
    def bounds(cls):
        """Those of every version: even who speaks no version of ours must be understood so far as to be told so."""
        return len(cls.PREFIX) + sum(field.least for _, field in cls.layout()[:_LASTING]), MAX_HELLO

    @classmethod
    def decode(cls, body):
        cursor = cls._begin(body)
        values = cls._take(cursor, cls.layout()[:_LASTING])
        cls._check_version(**values)
        values |= cls._take(cursor, cls.layout()[_LASTING:])
        if values["version_max"] <= VERSION_MAX:
            cls._end(cursor)
        return cls(**values)

    @classmethod
    def _check_version(cls, version_min, version_max, project):
        if version_min > VERSION_MAX or version_max < VERSION_MIN or version_min > version_max:
            raise VersionMismatch(
                f"the other end runs salt-transfer {project} (wire {version_min} to {version_max}), this end "
                f"{version.VERSION} (wire {VERSION_MIN} to {VERSION_MAX}); install the same version on both",
                theirs=project,
                ours=version.VERSION,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Introduction):
    """The first words of whoever connects: what it speaks, which transfer it is here for, as whom."""

    TYPE = Type.HELLO

    required: tuple[str, ...] = carried(Many(Text(64), 32), default=())
    optional: tuple[str, ...] = carried(Many(Text(64), 32), default=())
    token: bytes = carried(Fixed(32), secret=True, default=NO_TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome(Introduction):
    """The answer of whoever was connected to, from its side. Both version fields hold the version that was chosen."""

    TYPE = Type.WELCOME

    features: tuple[str, ...] = carried(Many(Text(64), 64), default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit(Message):
    """One bulk connection may be opened as `stream`, once, by whoever shows this token in its Hello.

    It is this stream's connection of this number; pieces and payload bytes are what was taken of the stream before.
    """

    TYPE = Type.ADMIT

    stream: int = carried(Number(2, 1, MAX_STREAMS))
    connection: int = carried(Number(4, 1), default=1)
    pieces: int = carried(COUNT, default=0)
    bytes: int = carried(COUNT, default=0)
    token: bytes = carried(Fixed(32), secret=True)
    secret: bytes = carried(Fixed(32), secret=True, default=NO_SECRET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock(Message):
    """First on a sealed bulk connection, before its Hello: all that follows is sealed by the secret of this token."""

    TYPE = Type.KNOCK

    token: bytes = carried(Fixed(32), secret=True)


# What the source tells.


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition(Message):
    """Which edition of which dataset a message speaks of, on top of which base (0: none), for which leaf."""

    dataset: str = carried(Identifier())
    generation: int = carried(U64, default=1)
    base: int = carried(U64, default=0)
    leaf: int = carried(U32, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce(Edition):
    """The next batch of entries, without their bytes. `more` is false in the last one."""

    TYPE = Type.ANNOUNCE

    sequence: int = carried(U32)
    more: bool = carried(Flag())
    entries: tuple[Entry, ...] = carried(Entries())


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart(Edition):
    """An entry changed while it was read: what came of its earlier tries is void, and this is what it is now."""

    TYPE = Type.RESTART

    try_: int = carried(U16)
    entry: Entry = carried(OneEntry())


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests(Edition):
    """What the source found while it read: digests of files, some of them in several parts."""

    TYPE = Type.DIGESTS

    parts: tuple[Part, ...] = carried(Parts())


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal(Edition):
    """The source has told everything: root and counts, signed with the key of its attempt (see seal_statement)."""

    TYPE = Type.SEAL

    root: bytes = carried(Fixed(DIGEST))
    algorithm: str = carried(Text(32))
    block_size: int = carried(Number(4, SMALLEST_BLOCK, LARGEST_BLOCK))
    signature: bytes = carried(Blob(1024))
    entries: int = carried(COUNT)
    files: int = carried(COUNT)
    bytes: int = carried(COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Message):
    """This connection of a stream broke or could not be made: the source asks to be admitted again."""

    TYPE = Type.LOST

    stream: int = carried(Number(2, 1, MAX_STREAMS))
    connection: int = carried(Number(4, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adrift(Message):
    """The sender has lost who came before it in the chain, has found somebody again, or all is over: the source itself
    has given up.
    """

    TYPE = Type.ADRIFT

    above: str = carried(Word(ABOVE), default=LOST)


# What the destination tells.


@dataclass(frozen=True, slots=True, kw_only=True)
class Have(Edition):
    """What the destination found on its disk already: all of the generation with this root, or blocks of files.

    Of every entry below `considered` all has been told.
    """

    TYPE = Type.HAVE

    root: bytes = carried(Fixed(DIGEST), default=NO_ROOT)
    considered: int = carried(COUNT, default=0)
    parts: tuple[Part, ...] = carried(Parts(), default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Edition):
    """Files that stand at the destination and are left unread, because they are equal in size and time."""

    TYPE = Type.KEPT

    entries: tuple[tuple[int, int], ...] = carried(Ranges())


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed(Edition):
    """Every entry below the watermark is on the destination's disk, and on those of the hosts named; of a stream in a
    chain: was taken there and by all hosts behind it.
    """

    TYPE = Type.LANDED

    watermark: int = carried(COUNT)
    bytes: int = carried(COUNT)
    held_by: tuple[str, ...] = carried(Many(Text(255), 256), default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(Edition):
    """The destination verified everything on this level, and this is the root of what it has."""

    TYPE = Type.SEALED

    root: bytes = carried(Fixed(DIGEST))
    level: str = carried(Word(LEVELS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(Edition):
    """What was verified has its final name, and that is on the disk."""

    TYPE = Type.PUBLISHED

    root: bytes = carried(Fixed(DIGEST))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Message):
    """So many pieces and payload bytes of a stream were taken, over all its connections; the answer to Mark and End."""

    TYPE = Type.TAKEN

    stream: int = carried(Number(2, 1, MAX_STREAMS))
    pieces: int = carried(COUNT)
    bytes: int = carried(COUNT)
    ended: bool = carried(Flag(), default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Edition):
    """What this destination of a chain has of the attempt already; first on every link. `more` is false in the last.

    So many entries were announced to it. Files of these numbers have landed whole or were verified too; of others these
    spans have landed; tries that are not told are 1.
    """

    TYPE = Type.STANDING

    more: bool = carried(Flag())
    announced: int = carried(COUNT)
    landed: tuple[tuple[int, int], ...] = carried(Ranges(), default=())
    verified: tuple[tuple[int, int], ...] = carried(Ranges(), default=())
    spans: tuple[Span, ...] = carried(Spans(), default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind(Message):
    """How a host behind the sender in the chain ended, as far as the sender knows; or that it is served by another, or
    could not be reached by the sender.

    Only that host's own signed word counts.
    """

    TYPE = Type.BEHIND

    host: str = carried(Text(255))
    result: str = carried(Word(ENDS))
    text: str = carried(Text(BEHIND_TEXT, empty=True), default="")

    @classmethod
    def of(cls, host: str, result: str, text: str = "") -> "Behind":
        """With a text as it can travel."""
        return cls(host=host, result=result, text=fitting(text, BEHIND_TEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit(Message):
    """So many payload bytes may be sent on all bulk connections together, counted from the start of the attempt."""

    TYPE = Type.CREDIT

    limit: int = carried(COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Message):
    """Send no pieces from now on, or go on."""

    TYPE = Type.PAUSE

    paused: bool = carried(Flag())
    reason: str = carried(Text(255, empty=True), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Message):
    """Send at most so many payload bytes a second; 0 lifts the limit."""

    TYPE = Type.LIMIT
    CRITICAL = False

    rate: int = carried(COUNT)


# What either may tell.


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    """The sender lives, is in this phase and has got this far. Only changed counters are progress."""

    TYPE = Type.PING
    CRITICAL = False

    sequence: int = carried(U64)
    phase: str = carried(Word(PHASES))
    bytes_done: int = carried(COUNT, default=0)
    bytes_verified: int = carried(COUNT, default=0)
    files_done: int = carried(COUNT, default=0)
    steps: int = carried(COUNT, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Message):
    """The sender gives up, for this reason."""

    TYPE = Type.FAILED

    code: int = carried(Number(2, 1, 255))
    name: str = carried(Text(64))
    retryable: bool = carried(Flag())
    text: str = carried(Text(FAILED_TEXT))
    entry: int | None = carried(Maybe(COUNT), default=None)

    @classmethod
    def of(cls, error: MoverError, entry: int | None = None) -> "Failed":
        """The failure to tell for an error of ours."""
        text = fitting(error.text, FAILED_TEXT) or error.name
        return cls(code=error.code, name=error.name, retryable=error.retryable, text=text, entry=entry)

    def as_error(self, host: str) -> PeerFailed:
        """The same as an error of this end, in the words of `host`."""
        evidence = {"host": host, "code": self.code, "name": self.name, "entry": self.entry}
        return PeerFailed(f"{host}: {self.text}", self.retryable, **evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye(Message):
    """The sender has said everything; nothing follows."""

    TYPE = Type.BYE


_OPENING: list[type[Message]] = [Hello, Welcome, Admit, Knock]
_FROM_SOURCE: list[type[Message]] = [Announce, Digests, Restart, Seal, Lost, Adrift]
_FROM_DESTINATION: list[type[Message]] = [
    *(Have, Landed, Sealed, Published, Kept, Taken, Standing, Behind, Credit, Pause, Limit)
]
_FROM_EITHER: list[type[Message]] = [Ping, Failed, Bye]
MESSAGES: dict[int, type[Message]] = {
    kind.TYPE: kind for kind in (*_OPENING, *_FROM_SOURCE, *_FROM_DESTINATION, *_FROM_EITHER)
}
"""The messages of a control connection, by type."""


def announcements(entries: Iterable[Entry], size_of=entry_size, **edition) -> Iterator[Announce]:
    """All entries in numbered batches, the last one marked; `edition` are the fields of Edition.

    `size_of(entry)` is at least what the entry takes in a batch.
    """
    sequence = 0
    held: tuple[Entry, ...] = ()
    for batch in batched(entries, size_of):
        if held:
            yield Announce(sequence=sequence, more=True, entries=held, **edition)
            sequence += 1
        held = batch
    yield Announce(sequence=sequence, more=False, entries=held, **edition)


def have_messages(parts: Iterable[Part], considered: int, **edition) -> Iterator[Have]:
    """Parts in batches; the last one says up to which entry all has been told."""
    held: tuple[Part, ...] = ()
    for batch in batched(parts, part_size):
        if held:
            yield Have(parts=held, **edition)
        held = batch
    yield Have(considered=considered, parts=held, **edition)


def digest_messages(parts: Iterable[Part], **edition) -> Iterator[Digests]:
    """Parts in batches."""
    return (Digests(parts=batch, **edition) for batch in batched(parts, part_size))


_RANGE = 12


def standing_messages(announced, landed, verified, spans, **edition) -> Iterator[Standing]:
    """What has landed, as ranges and spans, in messages of bounded size."""
    parts = [*(("landed", each, _RANGE) for each in landed), *(("verified", each, _RANGE) for each in verified)]
    parts += [("spans", each, SPAN) for each in spans]
    batches = list(batched(parts, lambda part: part[2])) or [()]
    kinds = "landed", "verified", "spans"
    for number, batch in enumerate(batches, 1):
        told = {name: tuple(each for kind, each, _ in batch if kind == name) for name in kinds}
        yield Standing(more=number < len(batches), announced=announced, **told, **edition)


# What the source signs.

_SEAL_TAG = b"salt-transfer seal 1\0"


def seal_statement(seal: Seal, transfer: str, attempt: int, source: str) -> bytes:
    """The bytes under a seal's signature: what is sealed, by whom, in which attempt of which transfer."""
    place = Identifier().pack(transfer) + U32.pack(attempt) + Text(255).pack(source)
    return _SEAL_TAG + place + dataclasses.replace(seal, signature=b"").body()
