"""Entries as rows of the journal: what identifies the file at the source, the encoding that travels, and a check."""

from struct import Struct
from zlib import crc32

from ..errors import LocalError, ManifestInvalid
from ..manifest import decode_sound, encode_sound
from .metadata import Identity

_IDENTITY = Struct(">QQQqq")
_CRC = Struct(">I")
_NONE = b"\0"
_SOME = b"\1"
CHECK = 4


def pack(entry, identity):
    """One entry that is sound, and its identity at the source (or None)."""
    body = (_NONE if identity is None else _SOME + _IDENTITY.pack(*identity)) + encode_sound(entry)
    return body + _CRC.pack(crc32(body, 1))


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
    return _CRC.pack(crc32(blocks, crc32(whole, length & 0xFFFFFFFF)))


def _check(body):
    """LocalError where the disk gives back something else than was packed.

    Begun with 1, so that no bytes at all, or zeros, are not right.
    """
    if len(body) <= CHECK or crc32(body[:-CHECK], 1) != _CRC.unpack_from(body, len(body) - CHECK)[0]:
        raise LocalError("the journal is damaged: one of its entries is not what was written")
