"""What messages are made of: fields that know their type, their bounds and their bytes.

`pack` refuses what this program should not say (LocalError), `take` what the other host may not say (ProtocolError),
and never takes more than is there or allocates for more than it has seen. `least` and `most` bound a field's bytes,
so that the bounds of a message follow from its fields.
"""

from dataclasses import dataclass
from typing import Any

from .errors import LocalError, ProtocolError


class Cursor:
    """Reads a body from its beginning to its end, never beyond."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise ProtocolError(f"needs {size} bytes where {self.left} are left")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def finish(self) -> None:
        if self.left:
            raise ProtocolError(f"has {self.left} bytes too many")


class Field:
    """One value of a message."""

    least: int
    most: int

    def pack(self, value: Any) -> bytes:
        raise NotImplementedError

    def take(self, cursor: Cursor) -> Any:
        raise NotImplementedError


def _demand(sound: bool, what: str, value: Any) -> None:
    if not sound:
        raise LocalError(f"must be {what}, not {value!r}")


def _expect(sound: bool, what: str, value: Any) -> None:
    if not sound:
        raise ProtocolError(f"must be {what}, not {value!r}")


@dataclass(frozen=True)
class Number(Field):
    """A whole number in `width` bytes, big endian, between `low` and `high`."""

    width: int
    low: int = 0
    high: int = 2**64 - 1

    def __post_init__(self):
        object.__setattr__(self, "high", min(self.high, 256**self.width - 1))
        object.__setattr__(self, "least", self.width)
        object.__setattr__(self, "most", self.width)

    def pack(self, value):
        _demand(type(value) is int and self.low <= value <= self.high, f"{self.low} to {self.high}", value)
        return value.to_bytes(self.width, "big")

    def take(self, cursor):
        value = cursor.number(self.width)
        _expect(self.low <= value <= self.high, f"{self.low} to {self.high}", value)
        return value


U16, U32, U64 = Number(2), Number(4), Number(8)
COUNT = Number(8, 0, 2**63 - 1)
"""A number of things or bytes that fits the signed integers of databases too."""


class Flag(Field):
    """Yes or no: one byte, 1 or 0."""

    least = most = 1

    def pack(self, value):
        _demand(type(value) is bool, "True or False", value)
        return b"\1" if value else b"\0"

    def take(self, cursor):
        value = cursor.number(1)
        _expect(value <= 1, "0 or 1", value)
        return value == 1


@dataclass(frozen=True)
class Fixed(Field):
    """Exactly `size` bytes."""

    size: int

    @property
    def least(self):
        return self.size

    most = least

    def pack(self, value):
        _demand(isinstance(value, bytes) and len(value) == self.size, f"{self.size} bytes", value)
        return value

    def take(self, cursor):
        return cursor.take(self.size)


class Identifier(Field):
    """A random 128-bit id: 16 bytes on the wire, 32 lower-case hexadecimal digits everywhere else."""

    least = most = 16
    _DIGITS = frozenset("0123456789abcdef")

    def pack(self, value):
        sound = isinstance(value, str) and len(value) == 32 and self._DIGITS.issuperset(value)
        _demand(sound, "32 hexadecimal digits", value)
        return bytes.fromhex(value)

    def take(self, cursor):
        return cursor.take(16).hex()


@dataclass(frozen=True)
class Blob(Field):
    """Up to `limit` bytes behind their number in two bytes."""

    limit: int

    least = 2

    @property
    def most(self):
        return 2 + self.limit

    def pack(self, value):
        _demand(isinstance(value, bytes) and len(value) <= self.limit, f"at most {self.limit} bytes", value)
        return len(value).to_bytes(2, "big") + value

    def take(self, cursor):
        size = cursor.number(2)
        _expect(size <= self.limit, f"at most {self.limit} bytes", size)
        return cursor.take(size)


@dataclass(frozen=True)
class Text(Field):
    """Up to `limit` bytes of printable UTF-8 behind their number in two bytes: no control character reaches a log."""

    limit: int
    empty: bool = False

    @property
    def least(self):
        return 2 if self.empty else 3

    @property
    def most(self):
        return 2 + self.limit

    def pack(self, value):
        _demand(isinstance(value, str) and value.isprintable(), "printable text", value)
        _demand(self._fits(value.encode()), self._bounds, value)
        return Blob(self.limit).pack(value.encode())

    def take(self, cursor):
        data = Blob(self.limit).take(cursor)
        _expect(self._fits(data), self._bounds, len(data))
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise ProtocolError("must be UTF-8") from None
        _expect(text.isprintable(), "printable text", text)
        return text

    def _fits(self, data):
        return (self.empty or len(data) > 0) and len(data) <= self.limit

    @property
    def _bounds(self):
        return f"{self.least - 2} to {self.limit} bytes of text"


@dataclass(frozen=True)
class Word(Field):
    """One of a fixed list of words, by its place in it; 0 is none of them. New words go to the end."""

    words: tuple[str, ...]

    least = most = 1

    def pack(self, value):
        _demand(value in self.words, f"one of {', '.join(self.words)}", value)
        return bytes((self.words.index(value) + 1,))

    def take(self, cursor):
        place = cursor.number(1)
        _expect(1 <= place <= len(self.words), f"1 to {len(self.words)}", place)
        return self.words[place - 1]


@dataclass(frozen=True)
class Maybe(Field):
    """A value or None: a flag, then the value if the flag is set."""

    field: Field

    least = 1

    @property
    def most(self):
        return 1 + self.field.most

    def pack(self, value):
        return b"\0" if value is None else b"\1" + self.field.pack(value)

    def take(self, cursor):
        return self.field.take(cursor) if Flag().take(cursor) else None


@dataclass(frozen=True)
class Many(Field):
    """Up to `limit` values of one kind behind their number in two bytes; a tuple."""

    field: Field
    limit: int

    least = 2

    @property
    def most(self):
        return 2 + self.limit * self.field.most

    def pack(self, value):
        _demand(isinstance(value, tuple) and len(value) <= self.limit, f"a tuple of at most {self.limit}", value)
        return len(value).to_bytes(2, "big") + b"".join(map(self.field.pack, value))

    def take(self, cursor):
        count = cursor.number(2)
        _expect(count <= self.limit, f"at most {self.limit} values", count)
        _expect(count * self.field.least <= cursor.left, f"at most {cursor.left} bytes", count)
        return tuple(self.field.take(cursor) for _ in range(count))
