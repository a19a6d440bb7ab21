"""Frames: the twelve bytes before every body, and the bounds that hold before a byte of a body is read."""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from ..errors import ProtocolError

VERSION_MIN = VERSION_MAX = 1
"""Wire versions that this program speaks."""

MAX_BODY = 1024 * 1024
MAX_HELLO = 8 * 1024
MAX_DATA = 4 * 1024 * 1024
MAX_PIECE_BODY = MAX_DATA + 64 * 1024
MAX_STREAMS = 64
"""Bulk connections of one transfer; they are streams 1 to MAX_STREAMS, control is stream 0."""

CRITICAL = 0x01
"""The flag of a frame that must be understood; one without it may be skipped."""


class Type(IntEnum):
    """What a frame holds. Numbers are never reused."""

    HELLO = 0x01
    WELCOME = 0x02
    ADMIT = 0x03
    KNOCK = 0x04
    ANNOUNCE = 0x10
    DIGESTS = 0x11
    RESTART = 0x12
    SEAL = 0x13
    LOST = 0x15
    ADRIFT = 0x16
    HAVE = 0x20
    LANDED = 0x21
    SEALED = 0x22
    PUBLISHED = 0x23
    KEPT = 0x24
    TAKEN = 0x25
    STANDING = 0x26
    BEHIND = 0x27
    CREDIT = 0x30
    PAUSE = 0x31
    LIMIT = 0x32
    PING = 0x33
    PIECE = 0x40
    END = 0x41
    MARK = 0x42
    FAILED = 0x50
    BYE = 0x51


_NAMED = frozenset(Type)
_HEADER = Struct(">BBHII")
HEADER_SIZE = _HEADER.size


@dataclass(frozen=True, slots=True)
class Frame:
    """What is known of a frame from its header."""

    type: int
    flags: int
    stream: int
    length: int

    def encode(self) -> bytes:
        return _HEADER.pack(self.type, self.flags, self.stream, self.length, 0)

    @classmethod
    def decode(cls, header: bytes) -> "Frame":
        type_, flags, stream, length, reserved = _HEADER.unpack(header)
        if reserved or flags & ~CRITICAL or not type_:
            raise ProtocolError(f"type {type_}, flags {flags}, length {length}: no frame of wire {VERSION_MAX}")
        return cls(type_, flags, stream, length)

    def __str__(self):
        name = Type(self.type).name if self.type in _NAMED else f"type {self.type:#04x}"
        kind = "critical" if self.flags & CRITICAL else "optional"
        return f"{name} frame, {kind}, {self.length} bytes, stream {self.stream}"
