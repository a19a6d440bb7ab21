"""Entries as rows of the journal: several times faster to read than the encoding that travels; for this host only."""

import marshal
from operator import attrgetter
from struct import Struct
from zlib import crc32

from ..errors import LocalError
from ..manifest import Entry, Kind
from .metadata import Identity

_KINDS = {int(kind): kind for kind in Kind}
_VERSION = 4
_IDENTITY = Struct(">QQQqq")
CHECK = 4

_head = attrgetter("number", "parent", "name")
_tail = attrgetter("mode", "uid", "gid", "owner", "group", "size", "mtime_ns", "device", "target", "link", "xattrs")


def pack(entry, identity):
    """One entry and its identity at the source (or None)."""
    body = marshal.dumps(
        (_head(entry), int(entry.kind), _tail(entry), None if identity is None else tuple(identity)), _VERSION
    )
    return body + _check(body)


def identity_of(body):
    """The identity alone, as bytes that compare; None if there is none."""
    identity = _whole(body)[3]
    return identity and _IDENTITY.pack(*identity)


def identity_bytes(identity):
    return _IDENTITY.pack(*identity)


def unpack(body):
    """(entry, identity), as they were packed; what was written has been checked before."""
    head, kind, tail, identity = _whole(body)
    number, parent, name = head
    return Entry(number, parent, name, _KINDS[kind], *tail), identity and Identity(*identity)


def check_of(length, whole, blocks):
    """What tells whether the digests of a file are as they were written."""
    return crc32(blocks, crc32(whole, length & 0xFFFFFFFF)).to_bytes(CHECK, "big")


def _check(body):
    """Begun with 1, so that no bytes at all, or zeros, are not right."""
    return crc32(body, 1).to_bytes(CHECK, "big")


def _whole(body):
    """What was packed; LocalError where the disk gives back something else, which marshal might not survive."""
    try:
        if _check(body[:-CHECK]) == body[-CHECK:]:
            return marshal.loads(body)
    except (ValueError, EOFError, TypeError) as error:
        raise LocalError(f"the journal is damaged: one of its entries cannot be read: {error}") from error
    raise LocalError("the journal is damaged: one of its entries is not what was written")
