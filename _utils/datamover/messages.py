"""The messages of a control connection: frozen dataclasses that turn into frames and back.

A field is declared with its form and its bounds (fields.py); fields travel in the order in which they are declared,
those of a base class first. What may be said when is decided in protocol.py.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from . import version
from .batches import Entries, OneEntry, Part, Parts, batched, entry_size, part_size
from .blocks import DIGEST, LARGEST_BLOCK, SMALLEST_BLOCK
from .errors import LocalError, MoverError, PeerFailed, ProtocolError, VersionMismatch
from .fields import COUNT, U16, U32, U64, Blob, Cursor, Field, Fixed, Flag, Identifier, Many, Maybe, Number, Text, Word
from .frames import CRITICAL, MAX_BODY, MAX_HELLO, MAX_STREAMS, VERSION_MAX, VERSION_MIN, Frame
from .manifest import Entry

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
NO_TOKEN = bytes(32)
NO_ROOT = bytes(DIGEST)


message = dataclass(frozen=True, slots=True, kw_only=True)


def carried(field: Field, *, secret: bool = False, **default):
    """Declares a field of a message and its form on the wire; a secret never shows in a log."""
    return dataclasses.field(metadata={"field": field}, repr=not secret, **default)


class Message:
    """A control message. Its fields travel in the order in which they are declared, base class first."""

    __slots__ = ()
    TYPE = 0
    CRITICAL = True
    PREFIX = b""
    LIMIT = MAX_BODY

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
        return len(cls.PREFIX) + least, min(len(cls.PREFIX) + most, cls.LIMIT)

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


@message
class Introduction(Message):
    """What Hello and Welcome have in common. Up to `project` this form holds in every version."""

    PREFIX = MAGIC
    LIMIT = MAX_HELLO

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
    def decode(cls, body):
        cursor = cls._begin(body)
        values = cls._take(cursor, cls.layout()[:3])
        cls._check_version(**values)
        values |= cls._take(cursor, cls.layout()[3:])
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


@message
class Hello(Introduction):
    """The first words of whoever connects: what it speaks, which transfer it is here for, as whom."""

    TYPE = 0x01

    required: tuple[str, ...] = carried(Many(Text(64), 32), default=())
    optional: tuple[str, ...] = carried(Many(Text(64), 32), default=())
    token: bytes = carried(Fixed(32), secret=True, default=NO_TOKEN)


@message
class Welcome(Introduction):
    """The answer of whoever was connected to, from its side. Both version fields hold the version that was chosen."""

    TYPE = 0x02

    features: tuple[str, ...] = carried(Many(Text(64), 64), default=())


@message
class Admit(Message):
    """One bulk connection may be opened as `stream`, once, by whoever shows this token in its Hello."""

    TYPE = 0x03

    stream: int = carried(Number(2, 1, MAX_STREAMS))
    token: bytes = carried(Fixed(32), secret=True)


# What the source tells.


@message
class Edition(Message):
    """Which edition of which dataset a message speaks of, on top of which base (0: none), for which leaf."""

    dataset: str = carried(Identifier())
    generation: int = carried(U64, default=1)
    base: int = carried(U64, default=0)
    leaf: int = carried(U32, default=0)


@message
class Announce(Edition):
    """The next batch of entries, without their bytes. `more` is false in the last one."""

    TYPE = 0x10

    sequence: int = carried(U32)
    more: bool = carried(Flag())
    entries: tuple[Entry, ...] = carried(Entries())


@message
class Restart(Edition):
    """An entry changed while it was read: what came of its earlier tries is void, and this is what it is now."""

    TYPE = 0x12

    try_: int = carried(U16)
    entry: Entry = carried(OneEntry())


@message
class Digests(Edition):
    """What the source found while it read: digests of files, some of them in several parts."""

    TYPE = 0x11

    parts: tuple[Part, ...] = carried(Parts())


@message
class Seal(Edition):
    """The source has told everything: root and counts, signed with the key of its attempt (see seal_statement)."""

    TYPE = 0x13

    root: bytes = carried(Fixed(DIGEST))
    algorithm: str = carried(Text(32))
    block_size: int = carried(Number(4, SMALLEST_BLOCK, LARGEST_BLOCK))
    entries: int = carried(COUNT)
    files: int = carried(COUNT)
    bytes: int = carried(COUNT)
    signature: bytes = carried(Blob(1024))


# What the destination tells.


@message
class Have(Edition):
    """What the destination has already: all of the generation with this root, or parts of files, page by page."""

    TYPE = 0x20

    root: bytes = carried(Fixed(DIGEST), default=NO_ROOT)
    more: bool = carried(Flag(), default=False)
    parts: tuple[Part, ...] = carried(Parts(), default=())


@message
class Landed(Edition):
    """Every entry below the watermark is on the destination's disk, and on those of the hosts named."""

    TYPE = 0x21

    watermark: int = carried(COUNT)
    bytes: int = carried(COUNT)
    held_by: tuple[str, ...] = carried(Many(Text(255), 256), default=())


@message
class Sealed(Edition):
    """The destination verified everything on this level, and this is the root of what it has."""

    TYPE = 0x22

    root: bytes = carried(Fixed(DIGEST))
    level: str = carried(Word(LEVELS))


@message
class Published(Edition):
    """What was verified has its final name, and that is on the disk."""

    TYPE = 0x23

    root: bytes = carried(Fixed(DIGEST))


@message
class Credit(Message):
    """So many payload bytes may be sent on all bulk connections together, counted from the start of the attempt."""

    TYPE = 0x30

    limit: int = carried(COUNT)


@message
class Pause(Message):
    """Send no pieces from now on, or go on."""

    TYPE = 0x31

    paused: bool = carried(Flag())
    reason: str = carried(Text(255, empty=True), default="")


@message
class Limit(Message):
    """Send at most so many payload bytes a second; 0 lifts the limit."""

    TYPE = 0x32
    CRITICAL = False

    rate: int = carried(COUNT)


# What either may tell.


@message
class Ping(Message):
    """The sender lives, is in this phase and has got this far. Only changed counters are progress."""

    TYPE = 0x33
    CRITICAL = False

    sequence: int = carried(U64)
    phase: str = carried(Word(PHASES))
    bytes_done: int = carried(COUNT, default=0)
    bytes_verified: int = carried(COUNT, default=0)
    files_done: int = carried(COUNT, default=0)


@message
class Failed(Message):
    """The sender gives up, for this reason."""

    TYPE = 0x50

    code: int = carried(Number(2, 1, 255))
    name: str = carried(Text(64))
    retryable: bool = carried(Flag())
    text: str = carried(Text(4096))
    entry: int | None = carried(Maybe(COUNT), default=None)

    @classmethod
    def of(cls, error: MoverError, entry: int | None = None) -> "Failed":
        """The failure to tell for an error of ours: what cannot be printed is replaced, what is too long is cut."""
        text = "".join(letter if letter.isprintable() else "?" for letter in error.text) or error.name
        text = text.encode()[:4096].decode(errors="ignore")
        return cls(code=error.code, name=error.name, retryable=error.retryable, text=text, entry=entry)

    def as_error(self, host: str) -> PeerFailed:
        """The same as an error of this end, in the words of `host`."""
        evidence = {"host": host, "code": self.code, "name": self.name, "entry": self.entry}
        return PeerFailed(f"{host}: {self.text}", self.retryable, **evidence)


@message
class Bye(Message):
    """The sender has said everything; nothing follows."""

    TYPE = 0x51


_ALL = (Hello, Welcome, Admit, Announce, Digests, Restart, Seal, Have, Landed, Sealed, Published)
_ALL += (Credit, Pause, Limit, Ping, Failed, Bye)
MESSAGES = {kind.TYPE: kind for kind in _ALL}
"""The messages of a control connection, by type."""


def announcements(entries: Iterable[Entry], **edition) -> Iterator[Announce]:
    """All entries in numbered batches, the last one marked; `edition` are the fields of Edition."""
    sequence, held = 0, ()
    for batch in batched(entries, entry_size):
        if held:
            yield Announce(sequence=sequence, more=True, entries=held, **edition)
            sequence += 1
        held = batch
    yield Announce(sequence=sequence, more=False, entries=held, **edition)


def digest_messages(parts: Iterable[Part], **edition) -> Iterator[Digests]:
    """Parts in batches."""
    return (Digests(parts=batch, **edition) for batch in batched(parts, part_size))


# What the source signs.

_SEAL_TAG = b"salt-transfer seal 1\0"


def seal_statement(seal: Seal, transfer: str, attempt: int, source: str) -> bytes:
    """The bytes under a seal's signature: what is sealed, by whom, in which attempt of which transfer."""
    place = Identifier().pack(transfer) + U32.pack(attempt) + Text(255).pack(source)
    return _SEAL_TAG + place + dataclasses.replace(seal, signature=b"").body()
