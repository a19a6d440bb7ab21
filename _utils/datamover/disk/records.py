"""Entries as rows of the journal: what identifies the file at the source, the encoding that travels, and a check."""

from struct import Struct
from zlib import crc32

from ..errors import LocalError, ManifestInvalid
from ..manifest import decode_sound, encode_sound
from .metadata import Identity

_IDENTITY = Struct(">QQQqq")
_NONE = b"\0"
_SOME = b"\1"
CHECK = 4


def pack(entry, identity):
    """One entry that is sound, and its identity at the source (or None)."""
    body = (_NONE if identity is None else _SOME + _IDENTITY.pack(*identity)) + encode_sound(entry)
    return body + crc32(body, 1).to_bytes(CHECK, "big")


def identity_of(body):
    """The identity alone, as bytes that compare; None if there is none."""
    _check(body)
    return body[1 : 1 + _IDENTITY.size] if body[:1] == _SOME else None


def identity_bytes(identity):
    return _IDENTITY.pack(*identity)


def encoded_of(body):
    """The entry as it travels."""
    _check(body)
    return body[1 + _IDENTITY.size if body[:1] == _SOME else 1 : -CHECK]


def unpack(body):
    """(entry, identity), as they were packed; what was written has been checked before."""
    encoded = encoded_of(body)
    try:
        entry, _ = decode_sound(encoded)
    except ManifestInvalid as error:
        raise LocalError(f"the journal is damaged: one of its entries cannot be read: {error.text}") from error
    return entry, Identity._make(_IDENTITY.unpack_from(body, 1)) if body[:1] == _SOME else None


def check_of(length, whole, blocks):
    """What tells whether the digests of a file are as they were written."""
    return crc32(blocks, crc32(whole, length & 0xFFFFFFFF)).to_bytes(CHECK, "big")


def _check(body):
    """LocalError where the disk gives back something else than was packed.

    Begun with 1, so that no bytes at all, or zeros, are not right.
    """
    least = CHECK + (1 + _IDENTITY.size if body[:1] == _SOME else 1)
    if len(body) < least or crc32(body[:-CHECK], 1).to_bytes(CHECK, "big") != body[-CHECK:]:
        raise LocalError("the journal is damaged: one of its entries is not what was written")
