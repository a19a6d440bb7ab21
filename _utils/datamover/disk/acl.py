"""POSIX ACLs in a form that can travel: the kernel's binary form holds the ids of one host, ours holds ids and names.

An ACL travels as lines of "tag:id:name:permissions", such as b"user:1000:alice:rw-"; id and name are empty for the
owner, the owning group, the mask and the others.
"""

import struct
from typing import NamedTuple

ACCESS = b"system.posix_acl_access"
DEFAULT = b"system.posix_acl_default"
NAMES = (ACCESS, DEFAULT)

_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_VERSION = 2
_NO_ID = 0xFFFFFFFF
_TAGS = {0x01: "owner", 0x02: "user", 0x04: "owning-group", 0x08: "group", 0x10: "mask", 0x20: "other"}
_NUMBERS = {tag: number for number, tag in _TAGS.items()}


class Permission(NamedTuple):
    tag: str
    id: int
    bits: int


def _unpack(value):
    if len(value) % _ENTRY.size != _HEADER.size or _HEADER.unpack_from(value)[0] != _VERSION:
        raise ValueError("not a POSIX ACL of version 2")
    for tag, bits, number in _ENTRY.iter_unpack(value[_HEADER.size :]):
        if tag not in _TAGS or bits > 7:
            raise ValueError(f"not a permission of a POSIX ACL: tag {tag}, bits {bits}")
        yield Permission(_TAGS[tag], number, bits)


def _pack(permissions):
    body = b"".join(_ENTRY.pack(_NUMBERS[each.tag], each.bits, each.id) for each in permissions)
    return _HEADER.pack(_VERSION) + body


def _letters(bits):
    return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


def _bits(letters):
    if len(letters) != 3 or any(found not in (wanted, "-") for found, wanted in zip(letters, "rwx", strict=True)):
        raise ValueError(f"not permissions: {letters!r}")
    return sum(bit for letter, bit in zip(letters, (4, 2, 1), strict=True) if letter != "-")


def to_text(value, owners):
    """The travelling form of a binary ACL; `owners` names the users and groups of this host (see metadata.Owners)."""
    return "\n".join(_line(permission, owners) for permission in _unpack(value)).encode()


def _line(permission, owners):
    naming = {"user": owners.user, "group": owners.group}.get(permission.tag)
    who = f"{permission.id}:{naming(permission.id)}" if naming else ":"
    return f"{permission.tag}:{who}:{_letters(permission.bits)}"


def from_text(text, owners):
    """The binary ACL for this host.

    Names where they exist here, else numbers. ValueError for anything else than to_text makes.
    """
    return _pack(sorted((_permission(line, owners) for line in text.decode().split("\n")), key=_order))


def _permission(line, owners):
    tag, number, name, letters = _fields(line)
    finding = {"user": owners.uid, "group": owners.gid}.get(tag)
    return Permission(tag, _id(finding(name, int(number))) if finding else _NO_ID, _bits(letters))


def _id(number):
    if not 0 <= number < _NO_ID:
        raise ValueError(f"not an id of a user or group: {number}")
    return number


def _fields(line):
    fields = line.split(":")
    if len(fields) != 4 or fields[0] not in _NUMBERS:
        raise ValueError(f"not a line of an ACL: {line!r}")
    return fields


def _order(permission):
    return _NUMBERS[permission.tag], permission.id
