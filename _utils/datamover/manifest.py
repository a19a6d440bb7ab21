"""The list of what a tree holds: entries, the one way to write each as bytes, and the root over all of them.

Entries are numbered from 0 in the order in which they are told; a parent comes before what it holds, and entry 0 is
the root of the tree (or the only file). An entry has exactly one encoding, so that equal trees have equal roots.
Whatever was decoded here has passed check_entry; what one entry alone cannot show, Lineage checks.
"""

from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from . import digests
from .blocks import LONGEST, Content, content_head
from .errors import LocalError, ManifestInvalid, shown

MAX_NAME = 255
MAX_TARGET = 4095
MAX_OWNER = 255
MAX_XATTR_NAME = 255
MAX_XATTR_VALUE = 64 * 1024
MAX_ENTRY = 1024 * 1024 - 1024
"""Bytes of one encoded entry: it must fit a control frame together with what says where it belongs."""
MAX_MODE = 0o7777
MAX_ID = 2**32 - 2
"""The largest owner: 2**32 - 1 is chown's "leave it as it is"."""
MAX_NUMBER = 2**40 - 1
MAX_DEVICE = 2**64 - 1
EARLIEST, LATEST = -(2**63), 2**63 - 1

_LEAF_TAG = b"salt-transfer entry 1\0"
_TRUSTED_TAG = b"salt-transfer trusted 1\0"
_ROOT_TAG = b"salt-transfer manifest 1\0"


class Kind(IntEnum):
    """What an entry is."""

    FILE = 1
    DIRECTORY = 2
    SYMLINK = 3
    HARDLINK = 4
    FIFO = 5
    CHARDEV = 6
    BLOCKDEV = 7


_FILE = int(Kind.FILE)
DEVICES = frozenset({Kind.CHARDEV, Kind.BLOCKDEV})


class Entry(NamedTuple):
    """One thing in a tree, without its bytes.

    A kind leaves the fields that it has no use for at their defaults. `size` belongs to files, `device` (rdev) to
    devices, `target` to symbolic links. A hard link is one more name for the earlier entry `link` and has nothing else:
    no owner, mode, time or attributes, because that entry has them.
    """

    number: int
    parent: int
    name: bytes
    kind: Kind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    owner: str = ""
    group: str = ""
    size: int = 0
    mtime_ns: int = 0
    device: int = 0
    target: bytes = b""
    link: int = 0
    xattrs: tuple[tuple[bytes, bytes], ...] = ()

    def __str__(self):
        return f"#{self.number} {self.kind.name.lower()} {shown(self.name) or '(root)'}"


# One entry as bytes: fixed fields, then those of variable length in the order of their lengths.

_HEAD = Struct(">QQBHIIQqQQBBBHI")
_XATTR = Struct(">BI")
LEAST_ENTRY = _HEAD.size
_KINDS = {int(kind): kind for kind in Kind}


def encode_entry(entry: Entry) -> bytes:
    """The one encoding of an entry; ManifestInvalid if it is not sound."""
    check_entry(entry)
    return encode_sound(entry)


def encode_sound(entry: Entry) -> bytes:
    """The same of an entry that has passed check_entry before."""
    number, parent, name, kind, mode, uid, gid, owner, group, size, mtime_ns, device, target, link, xattrs = entry
    owner, group, xattrs = owner.encode(), group.encode(), _encode_xattrs(xattrs)
    lengths = len(name), len(owner), len(group), len(target), len(xattrs)
    head = _HEAD.pack(number, parent, kind, mode, uid, gid, size, mtime_ns, device, link, *lengths)
    return head + name + owner + group + target + xattrs


def decode_entry(data: bytes, at: int = 0) -> tuple[Entry, int]:
    """The entry that begins at `at`, and where it ends. It is sound, or ManifestInvalid is raised."""
    entry, end = decode_sound(data, at)
    check_entry(entry)
    return entry, end


def decode_sound(data: bytes, at: int = 0) -> tuple[Entry, int]:
    """The same where the entry is known to have passed check_entry before it was encoded."""
    if len(data) - at < LEAST_ENTRY:
        raise ManifestInvalid(f"an entry is cut short: {len(data) - at} of at least {LEAST_ENTRY} bytes")
    *head, name, owner, group, target, xattrs = _HEAD.unpack_from(data, at)
    name_at = at + LEAST_ENTRY
    owner_at = name_at + name
    group_at = owner_at + owner
    target_at = group_at + group
    xattrs_at = target_at + target
    end = xattrs_at + xattrs
    if end > len(data) or end - at > MAX_ENTRY:
        raise ManifestInvalid(f"entry {head[0]} claims {end - at} bytes; {len(data) - at} are there")
    entry = _entry(
        head,
        data[name_at:owner_at],
        data[owner_at:group_at],
        data[group_at:target_at],
        data[target_at:xattrs_at],
        _decode_xattrs(data, xattrs_at, end) if xattrs else (),
    )
    return entry, end


def _entry(head, name, owner, group, target, xattrs):
    number, parent, kind, mode, uid, gid, size, mtime_ns, device, link = head
    try:
        kind, owner, group = _KINDS[kind], owner.decode(), group.decode()
    except KeyError:
        raise ManifestInvalid(f"entry {number} is of the unknown kind {kind}") from None
    except UnicodeDecodeError:
        raise ManifestInvalid(f"the owner or group of entry {number} is not UTF-8") from None
    return Entry(number, parent, name, kind, mode, uid, gid, owner, group, size, mtime_ns, device, target, link, xattrs)


def encoded_size(entry: Entry) -> int:
    """Bytes of encode_entry(entry), without encoding."""
    size = LEAST_ENTRY + len(entry.name) + len(entry.owner.encode()) + len(entry.group.encode()) + len(entry.target)
    return size + sum(_XATTR.size + len(name) + len(value) for name, value in entry.xattrs) if entry.xattrs else size


def _encode_xattrs(xattrs):
    return b"".join(_XATTR.pack(len(name), len(value)) + name + value for name, value in xattrs) if xattrs else b""


def _decode_xattrs(data, at, end):
    xattrs = []
    while at < end:
        if end - at < _XATTR.size:
            raise ManifestInvalid("extended attributes are cut short")
        name_length, value_length = _XATTR.unpack_from(data, at)
        name_at = at + _XATTR.size
        value_at = name_at + name_length
        at = value_at + value_length
        if at > end:
            raise ManifestInvalid(f"an extended attribute claims {value_length} bytes beyond its entry")
        xattrs.append((data[name_at:value_at], data[value_at:at]))
    return tuple(xattrs)


# What an entry may be.


def check_entry(entry: Entry) -> None:
    """Refuse an entry that cannot be: ManifestInvalid with every reason. What passes names no place outside."""
    if _is_plain_file(entry):
        return
    troubles = [*_name_troubles(entry), *_field_troubles(entry), *_kind_troubles(entry)]
    if entry.xattrs:
        troubles += _xattr_troubles(entry)
    if troubles:
        raise ManifestInvalid(f"entry {entry.number} ({shown(entry.name)}): {'; '.join(troubles)}", entry=entry.number)


def _is_plain_file(entry):
    """Whether an entry is, at a glance, a sound file below the root without attributes, as nearly all are."""
    number, parent, name, kind, mode, uid, gid, owner, group, size, mtime_ns, device, target, link, xattrs = entry
    return (
        kind == _FILE
        and 0 <= parent < number <= MAX_NUMBER
        and 0 < len(name) <= MAX_NAME
        and not (b"/" in name or b"\0" in name or name == b"." or name == b"..")
        and 0 <= mode <= MAX_MODE
        and 0 <= uid <= MAX_ID
        and 0 <= gid <= MAX_ID
        and 0 <= size <= LONGEST
        and EARLIEST <= mtime_ns <= LATEST
        and not (device or target or link or xattrs)
        and _is_owner(owner)
        and _is_owner(group)
    )


def _name_troubles(entry):
    name = entry.name
    if entry.number == 0:
        if name or entry.parent:
            yield "the root has no name and no parent"
        if entry.kind != Kind.FILE and entry.kind != Kind.DIRECTORY:
            yield f"a tree's root is a file or a directory, not a {entry.kind.name.lower()}"
        return
    if not 0 < entry.number <= MAX_NUMBER:
        yield f"numbers lie between 0 and {MAX_NUMBER}"
    if not 0 <= entry.parent < entry.number:
        yield f"its parent {entry.parent} does not come before it"
    if not name or len(name) > MAX_NAME:
        yield f"a name has 1 to {MAX_NAME} bytes, not {len(name)}"
    if b"/" in name or b"\0" in name or name == b"." or name == b"..":
        yield "a name is neither . nor .. and has no slash and no zero byte"


def _field_troubles(entry):
    if not 0 <= entry.mode <= MAX_MODE:
        yield f"mode {entry.mode:o} has bits beyond {MAX_MODE:o}"
    if not (0 <= entry.uid <= MAX_ID and 0 <= entry.gid <= MAX_ID):
        yield f"owner {entry.uid}:{entry.gid} is not between 0 and {MAX_ID}"
    if not EARLIEST <= entry.mtime_ns <= LATEST:
        yield f"time {entry.mtime_ns} ns does not fit 64 bits"
    for text in (entry.owner, entry.group):
        if not _is_owner(text):
            yield f"owner and group names are printable and at most {MAX_OWNER} bytes"


@lru_cache(256)
def _is_owner(text):
    return not text or (len(text) <= MAX_OWNER and text.isprintable() and len(text.encode()) <= MAX_OWNER)


def _kind_troubles(entry):
    kind = entry.kind
    if kind == Kind.FILE:
        if not 0 <= entry.size <= LONGEST:
            yield f"a file has 0 to {LONGEST} bytes, not {entry.size}"
    elif entry.size:
        yield "only a file has a size"
    if kind == Kind.SYMLINK:
        if not 0 < len(entry.target) <= MAX_TARGET or b"\0" in entry.target:
            yield f"a symbolic link's target has 1 to {MAX_TARGET} bytes, none of them zero"
    elif entry.target:
        yield "only a symbolic link has a target"
    if entry.device and kind not in DEVICES:
        yield "only a device has a device number"
    if not 0 <= entry.device <= MAX_DEVICE:
        yield f"device {entry.device} does not fit 64 bits"
    if kind == Kind.HARDLINK:
        yield from _hardlink_troubles(entry)
    elif entry.link:
        yield "only a hard link names another entry"


def _hardlink_troubles(entry):
    if not 0 < entry.link < entry.number:
        yield f"a hard link names an entry before it, not {entry.link}"
    if any((entry.mode, entry.uid, entry.gid, entry.owner, entry.group, entry.mtime_ns, entry.xattrs)):
        yield "a hard link has no metadata of its own"


def _xattr_troubles(entry):
    names = [name for name, _ in entry.xattrs]
    if any(not 0 < len(name) <= MAX_XATTR_NAME or b"\0" in name for name in names):
        yield f"an extended attribute's name has 1 to {MAX_XATTR_NAME} bytes, none of them zero"
    if any(len(value) > MAX_XATTR_VALUE for _, value in entry.xattrs):
        yield f"an extended attribute has at most {MAX_XATTR_VALUE} bytes"
    if any(one >= next_ for one, next_ in zip(names, names[1:])):  # noqa: B905
        yield "extended attributes are sorted by name, each once"
    if encoded_size(entry) > MAX_ENTRY:
        yield f"with its extended attributes it takes {encoded_size(entry)} bytes; at most {MAX_ENTRY} can travel"


class Lineage:
    """Checks a sequence of sound entries for what no entry shows alone; holds one byte for each.

    Numbers follow each other, a parent is a directory, a hard link names an entry that can have two names.
    Two entries of one name are not found here: staging makes each of them exclusively, and refuses the second.
    """

    def __init__(self):
        self._kinds = bytearray()

    def __len__(self):
        return len(self._kinds)

    def add(self, entry: Entry) -> None:
        """Take the next entry; ManifestInvalid if it does not fit those before."""
        if entry.number != len(self._kinds):
            raise ManifestInvalid(f"entry {entry.number} was told where {len(self._kinds)} is next", entry=entry.number)
        if entry.number and self._kinds[entry.parent] != Kind.DIRECTORY:
            raise ManifestInvalid(f"the parent {entry.parent} of {entry} is not a directory", entry=entry.number)
        if entry.kind == Kind.HARDLINK and self._kinds[entry.link] in (Kind.DIRECTORY, Kind.HARDLINK):
            raise ManifestInvalid(f"{entry} is a link to {entry.link}, which cannot have two names", entry=entry.number)
        self._kinds.append(entry.kind)

    def replace(self, entry: Entry) -> None:
        """Take an entry again, with other metadata; its kind stays."""
        if not entry.number < len(self._kinds) or self._kinds[entry.number] != entry.kind:
            raise ManifestInvalid(f"{entry} was told again but is not what was told before", entry=entry.number)


# The root.


class RootBuilder:
    """The manifest root: one digest over algorithm, block size, every sealed leaf in order, and their count.

    A leaf is one digest over an entry, which was checked when it was announced, and, for a file, its bytes; a file that
    nobody read is sealed as such.
    """

    def __init__(self, block_size: int, algorithm: str):
        self._new_hasher = digests.constructor(algorithm)
        self._content_head = content_head(block_size, algorithm)
        name = algorithm.encode("ascii")
        self._hasher = self._new_hasher()
        self._hasher.update(_ROOT_TAG + len(name).to_bytes(1, "big") + name + block_size.to_bytes(4, "big"))
        self.entries = 0
        self.files = 0
        self.bytes = 0

    def add(self, entry: Entry, content: Content | None = None) -> None:
        """Take the next entry. A file comes with its content, as long as the entry says; nothing else has one."""
        if entry.number != self.entries:
            raise LocalError(f"{entry} was added to the root where {self.entries} is next")
        if (entry.kind == Kind.FILE) != (content is not None):
            raise LocalError(f"{entry} was added to the root {'with' if content else 'without'} content")
        if content is None:
            self.add_other(encode_sound(entry))
        elif content.length != entry.size:
            raise LocalError(f"{entry} was announced with {entry.size} bytes and digested with {content.length}")
        else:
            self.add_file(encode_sound(entry), content.length, b"".join(content.blocks), content.whole)

    def add_other(self, encoded: bytes) -> None:
        """The next entry, as it travels, which is no file."""
        self._add_leaf(_LEAF_TAG + len(encoded).to_bytes(4, "big") + encoded)

    def add_file(self, encoded: bytes, length: int, blocks: bytes, whole: bytes) -> None:
        """The next entry, as it travels, which is a file of this length with these digests, the blocks' in a row."""
        self.files += 1
        self.bytes += length
        told = len(encoded).to_bytes(4, "big") + encoded
        if whole:
            root = self._new_hasher(self._content_head + length.to_bytes(8, "big") + blocks).digest()
            self._add_leaf(_LEAF_TAG + told + root + whole)
        else:
            self._add_leaf(_TRUSTED_TAG + told)

    def _add_leaf(self, data):
        self._hasher.update(self._new_hasher(data).digest())
        self.entries += 1

    def digest(self) -> bytes:
        hasher = self._hasher.copy()
        hasher.update(self.entries.to_bytes(8, "big"))
        return hasher.digest()
