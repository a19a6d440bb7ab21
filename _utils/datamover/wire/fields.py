"""What messages are made of: fields that know their type, their bounds and their bytes.

`pack` refuses what this program should not say (LocalError), `take` what the other host may not say (ProtocolError),
and never takes more than is there or allocates for more than it has seen. `least` and `most` bound a field's bytes,
so that the bounds of a message follow from its fields.
"""

from typing import Any

from ..errors import LocalError, ProtocolError


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
    """One value of a message; it takes `least` to `most` bytes."""

    def __init__(self, least: int, most: int):
        self.least = least
        self.most = most

    def pack(self, value: Any) -> bytes:
        raise NotImplementedError

    def take(self, cursor: Cursor) -> Any:
        raise NotImplementedError


def _demand(sound: bool, what: str, value: Any) -> None:
    if not sound:
        raise LocalError(f"must be {what}, not {_shown(value)}")


def _expect(sound: bool, what: str, value: Any) -> None:
    if not sound:
        raise ProtocolError(f"must be {what}, not {_shown(value)}")


def _shown(value):
    """Bytes may be a secret: only their number is told."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)


class Number(Field):
    """A whole number in `width` bytes, big endian, between `low` and `high`."""

    def __init__(self, width: int, low: int = 0, high: int | None = None):
        super().__init__(width, width)
        self.width = width
        self.low = low
        self.high = 256**width - 1 if high is None else high

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

    def __init__(self):
        super().__init__(1, 1)

    def pack(self, value):
        _demand(type(value) is bool, "True or False", value)
        return b"\1" if value else b"\0"

    def take(self, cursor):
        value = cursor.number(1)
        _expect(value <= 1, "0 or 1", value)
        return value == 1


class Fixed(Field):
    """Exactly `size` bytes."""

    def __init__(self, size: int):
        super().__init__(size, size)
        self.size = size

    def pack(self, value):
        _demand(isinstance(value, bytes) and len(value) == self.size, f"{self.size} bytes", value)
        return value

    def take(self, cursor):
        return cursor.take(self.size)


class Identifier(Field):
    """A random 128-bit id: 16 bytes on the wire, 32 lower-case hexadecimal digits everywhere else."""

    _DIGITS = frozenset("0123456789abcdef")

    def __init__(self):
        super().__init__(16, 16)

    def pack(self, value):
        sound = isinstance(value, str) and len(value) == 32 and self._DIGITS.issuperset(value)
        _demand(sound, "32 hexadecimal digits", value)
        return bytes.fromhex(value)

    def take(self, cursor):
        return cursor.take(16).hex()


class Blob(Field):
    """Up to `limit` bytes behind their number in two bytes."""

    def __init__(self, limit: int):
        super().__init__(2, 2 + limit)
        self.limit = limit

    def pack(self, value):
        _demand(isinstance(value, bytes) and len(value) <= self.limit, f"at most {self.limit} bytes", value)
        return len(value).to_bytes(2, "big") + value

    def take(self, cursor):
        size = cursor.number(2)
        _expect(size <= self.limit, f"at most {self.limit} bytes", size)
        return cursor.take(size)


class Text(Field):
    """Up to `limit` bytes of printable UTF-8 behind their number in two bytes: no control character reaches a log."""

    def __init__(self, limit: int, empty: bool = False):
        super().__init__(2 if empty else 3, 2 + limit)
        self.limit = limit
        self._blob = Blob(limit)
        self._bounds = f"{self.least - 2} to {limit} bytes of text"

    def pack(self, value):
        _demand(isinstance(value, str) and value.isprintable(), "printable text", value)
        _demand(self._fits(value.encode()), self._bounds, value)
        return self._blob.pack(value.encode())

    def take(self, cursor):
        data = self._blob.take(cursor)
        _expect(self._fits(data), self._bounds, data)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise ProtocolError("must be UTF-8") from None
        _expect(text.isprintable(), "printable text", text)
        return text

    def _fits(self, data):
        return self.least - 2 <= len(data) <= self.limit


class Word(Field):
    """One of a fixed list of words, by its place in it from 1 on. New words go to the end."""

    def __init__(self, words: tuple[str, ...]):
        super().__init__(1, 1)
        self.words = words

    def pack(self, value):
        _demand(value in self.words, f"one of {', '.join(self.words)}", value)
        return bytes((self.words.index(value) + 1,))

    def take(self, cursor):
        place = cursor.number(1)
        _expect(1 <= place <= len(self.words), f"1 to {len(self.words)}", place)
        return self.words[place - 1]


class Maybe(Field):
    """A value or None: a flag, then the value if the flag is set."""

    def __init__(self, field: Field):
        super().__init__(1, 1 + field.most)
        self.field = field

    def pack(self, value):
        return b"\0" if value is None else b"\1" + self.field.pack(value)

    def take(self, cursor):
        return self.field.take(cursor) if Flag().take(cursor) else None


class Many(Field):
    """Up to `limit` values of one kind behind their number in two bytes; a tuple."""

    def __init__(self, field: Field, limit: int):
        super().__init__(2, 2 + limit * field.most)
        self.field = field
        self.limit = limit

    def pack(self, value):
        _demand(isinstance(value, tuple) and len(value) <= self.limit, f"a tuple of at most {self.limit}", value)
        return len(value).to_bytes(2, "big") + b"".join(map(self.field.pack, value))

    def take(self, cursor):
        count = cursor.number(2)
        _expect(count <= self.limit, f"at most {self.limit} values", count)
        _expect(count * self.field.least <= cursor.left, f"at most {cursor.left} bytes", count)
        return tuple(self.field.take(cursor) for _ in range(count))
