"""What an entry has besides its bytes: owner, mode, ACLs, extended attributes, times; read, applied, compared.

The order of applying matters: chown wipes setuid bits and capabilities, a changed mode changes the ACL's mask, and all
but the last step touch times. So: owner, mode, ACLs, other attributes, capabilities, times.

Carried are the attributes user.*, trusted.*, security.capability and POSIX ACLs. Labels that mean something on one host
only (security.selinux, security.ima, security.evm and the like) and file system flags (chattr) stay behind.
"""

import errno
import grp
import os
import pwd
import stat
import time
from functools import lru_cache
from typing import NamedTuple

from ..errors import ManifestInvalid, shown
from ..manifest import Kind
from . import acl

CAPABILITY = b"security.capability"
SUSPECT_AGE_NS = 2_000_000_000
GRANULARITIES = (1, 100, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000)


class Identity(NamedTuple):
    """What tells that a file is still the one that was looked at."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status):
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def young(self, now_ns):
        """Whether a change at this moment could leave the times as they are."""
        return now_ns - max(self.mtime_ns, self.ctime_ns) < SUSPECT_AGE_NS


class Owners:
    """Names of users and groups and their ids on this host.

    Policy "names" maps by name where the name exists, "numbers" never.
    """

    def __init__(self, policy):
        if policy not in ("names", "numbers"):
            raise ValueError(f"owners is names or numbers, not {policy!r}")
        by_name = policy == "names"
        self.user = lru_cache(4096)(_user if by_name else _nameless)
        self.group = lru_cache(4096)(_group if by_name else _nameless)
        self.uid = lru_cache(4096)(_uid if by_name else _number)
        self.gid = lru_cache(4096)(_gid if by_name else _number)


def _nameless(_number):
    return ""


def _number(_name, number):
    return number


def _user(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _group(gid):
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def _uid(name, number):
    try:
        return pwd.getpwnam(name).pw_uid if name else number
    except KeyError:
        return number


def _gid(name, number):
    try:
        return grp.getgrnam(name).gr_gid if name else number
    except KeyError:
        return number


def carried(attribute):
    return attribute.startswith((b"user.", b"trusted.")) or attribute == CAPABILITY or attribute in acl.NAMES


def list_attributes(target):
    """Names of the extended attributes of a descriptor, or of a path (never through a link).

    None where there is no support.
    """
    try:
        names = os.listxattr(target) if isinstance(target, int) else os.listxattr(target, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
            return []
        raise
    return sorted(map(os.fsencode, names))


def _get(target, name):
    if isinstance(target, int):
        return os.getxattr(target, name)
    return os.getxattr(target, name, follow_symlinks=False)


def read_attributes(target, owners):
    """(the carried attributes in their travelling form, names of those that stay behind)."""
    names = list_attributes(target)
    if not names:
        return (), ()
    travelling = tuple((name, _travelling(name, _get(target, name), owners)) for name in names if carried(name))
    return travelling, tuple(name for name in names if not carried(name))


def _travelling(name, value, owners):
    return acl.to_text(value, owners) if name in acl.NAMES else value


def _local(name, value, owners):
    """An attribute as this host's kernel takes it."""
    if name not in acl.NAMES:
        return value
    try:
        return acl.from_text(value, owners)
    except ValueError as error:
        raise ManifestInvalid(f"the attribute {shown(name)} of an entry is no ACL: {error}") from None


def _write_order(attribute):
    name = attribute[0]
    return name == CAPABILITY, name not in acl.NAMES, name


def write_attributes(target, attributes, owners, fresh):
    """Make the carried attributes equal to `attributes`; `fresh` says that the target has none yet."""
    wanted = {name for name, _ in attributes}
    if not fresh:
        for name in list_attributes(target):
            if carried(name) and name not in wanted:
                _remove(target, name)
    for name, value in sorted(attributes, key=_write_order):
        _set(target, name, _local(name, value, owners))


def _remove(target, name):
    if isinstance(target, int):
        os.removexattr(target, name)
    else:
        os.removexattr(target, name, follow_symlinks=False)


def _set(target, name, value):
    if isinstance(target, int):
        os.setxattr(target, name, value)
    else:
        os.setxattr(target, name, value, follow_symlinks=False)


def apply_to_descriptor(descriptor, entry, owners, fresh=False):
    """Owner, mode, attributes and times of an open regular file or directory; `fresh` says that we just made it."""
    owner = owners.uid(entry.owner, entry.uid), owners.gid(entry.group, entry.gid)
    if not fresh or owner != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, entry.mode)
    if entry.xattrs or not fresh:
        write_attributes(descriptor, entry.xattrs, owners, fresh)
    os.utime(descriptor, ns=(time.time_ns(), entry.mtime_ns))


def apply_to_name(directory, name, path, place, entry, owners):
    """The same for a link, FIFO or device.

    `place` is its O_PATH descriptor, `path` safepath.within(directory, name).
    """
    uid, gid = owners.uid(entry.owner, entry.uid), owners.gid(entry.group, entry.gid)
    os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)
    if entry.kind != Kind.SYMLINK:
        os.chmod(b"/proc/self/fd/%d" % place, entry.mode)
    write_attributes(path, entry.xattrs, owners, fresh=False)
    os.utime(name, ns=(time.time_ns(), entry.mtime_ns), dir_fd=directory, follow_symlinks=False)


class Difference(NamedTuple):
    """One way in which something on the disk is not what its entry says."""

    path: bytes
    what: str
    expected: object
    found: object

    def __str__(self):
        return f"{shown(self.path) or 'the root of the tree'}: {self.what} is {self.found}, not {self.expected}"


def differences(entry, status, attributes, target, owners, granularity=1):
    """(what, expected, found) of every way in which an entry on the disk is not what it should be; pure."""
    if _is_as_entered(entry, status, attributes, owners, granularity):
        return []
    return [each for each in _compared(entry, status, attributes, target, owners, granularity) if each[1] != each[2]]


def _is_as_entered(entry, status, attributes, owners, granularity):
    """Whether a file without attributes is, at a glance, what it should be."""
    return (
        entry.kind == Kind.FILE
        and status.st_mode == stat.S_IFREG | entry.mode
        and status.st_size == entry.size
        and status.st_mtime_ns // granularity == entry.mtime_ns // granularity
        and status.st_uid == owners.uid(entry.owner, entry.uid)
        and status.st_gid == owners.gid(entry.group, entry.gid)
        and not (entry.xattrs or attributes)
    )


def _compared(entry, status, attributes, target, owners, granularity):
    yield "kind", entry.kind.name, kind_name(status.st_mode)
    yield "owner", owners.uid(entry.owner, entry.uid), status.st_uid
    yield "group", owners.gid(entry.group, entry.gid), status.st_gid
    yield "mtime", entry.mtime_ns // granularity, status.st_mtime_ns // granularity
    if entry.kind == Kind.SYMLINK:
        yield "target", entry.target, target
    else:
        yield "mode", oct(entry.mode), oct(stat.S_IMODE(status.st_mode))
    if entry.kind == Kind.FILE:
        yield "size", entry.size, status.st_size
    if entry.kind in (Kind.CHARDEV, Kind.BLOCKDEV):
        yield "device", entry.device, status.st_rdev
    if entry.xattrs or attributes:
        yield "attributes", _canonical(entry.xattrs, owners), _canonical(attributes, owners)


def _canonical(attributes, owners):
    return {name: _local(name, value, owners) for name, value in attributes}


KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFCHR: Kind.CHARDEV,
    stat.S_IFBLK: Kind.BLOCKDEV,
}


def kind_of(mode):
    """The Kind of a st_mode; None for a socket, which cannot travel."""
    return KINDS.get(stat.S_IFMT(mode))


def kind_name(mode):
    kind = kind_of(mode)
    return kind.name if kind else "SOCKET"


def time_granularity(asked_ns, got_ns):
    """How coarsely a file system keeps times, from one time that was set and what was read back."""
    return next((each for each in GRANULARITIES if asked_ns // each * each == got_ns), GRANULARITIES[-1])
