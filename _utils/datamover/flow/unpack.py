"""Unpacks a tar archive that nobody vouches for, below one directory and nowhere else.

Names are looked up component by component in directory descriptors, never through a link; everything is made anew, so
no name comes twice and nothing is written through what the archive itself put there. Links stay inside, devices and
FIFOs are refused, setuid only by request. Nothing of tarfile's own extraction is used: it only reads the headers.
"""

import errno
import os
import stat
import sys
import tarfile
from dataclasses import dataclass

from ..disk.metadata import Owners
from ..disk.safepath import OPEN_DIRECTORY, OPEN_PLACE, descend
from ..disk.trouble import disk_error
from ..errors import ArchiveRefused, ConsumerFailed, shown
from ..manifest import MAX_ID, MAX_NAME
from .compressed import PORTION

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
SETUID = stat.S_ISUID | stat.S_ISGID
DEEPEST = 100
MOST_DIRECTORIES = 300_000
MOST_NAMES = 32 * 1024 * 1024
MOST_GLOBAL = 64 * 1024
"""Directories, bytes in their names, and bytes that tell of all members: remembered while an archive is unpacked."""
REPLACED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR})


class Unpacking:
    """One archive into the open directory `place`. `room` is asked before bytes and inodes are taken (a Headroom);
    `special` holds the special.NAMES that may be made.
    """

    def __init__(self, opened, place, room, owners="names", special=frozenset()):
        self.files = self.directories = self.links = self.bytes = 0
        self._opened = opened
        self._place = place
        self._room = room
        self._owners = Owners(owners)
        self._special = special
        self._told = {}
        self._names = 0

    def run(self):
        """Unpack everything; raises at the first member that is not in order."""
        try:
            with tarfile.open(fileobj=self._opened, mode="r:", encoding="utf-8") as archive:
                self._take_all(archive)
        except tarfile.TarError as error:
            raise ConsumerFailed(f"the archive cannot be read: {error}") from error
        if len(self._opened.last) != tarfile.BLOCKSIZE or any(self._opened.last):
            raise ConsumerFailed("the archive is cut short: its end mark is missing")
        self._opened.drain()
        for directory in self._told.values():
            self._tend_directory(self._path(directory.name), directory)

    def _take_all(self, archive):
        while member := archive.next():
            archive.members = []  # it would remember all of them
            _bound_global(archive)
            self._opened.next_member()
            path = self._path(member.name)
            try:
                self._take(member, path)
            except OSError as error:
                raise self._trouble(error, member) from error
            except (OverflowError, ValueError) as error:
                raise _impossible(error, member) from error

    def _take(self, member, path):
        if member.isdir():
            self._make_directory(member, path)
            return
        if not path:
            raise ArchiveRefused(f"{_shown(member)} is no name of a file")
        self._room.take_inode()
        with self._parent(path) as parent:
            if member.isreg():
                self._make_file(member, parent, path[-1])
            elif member.issym():
                self._make_symlink(member, parent, path)
            elif member.islnk():
                self._make_link(member, parent, path[-1])
            else:
                raise ArchiveRefused(f"{_shown(member)} is a device, a FIFO or of an unknown kind; none is unpacked")

    # Names

    def _path(self, name):
        """The components of a member's name; ArchiveRefused if it leads out, or is none."""
        raw = _bytes(name)
        parts = [part for part in raw.split(b"/") if part not in (b"", b".")]
        if raw.startswith(b"/") or b".." in parts or b"\0" in raw:
            raise ArchiveRefused(f"{shown(raw)} in the archive leads out of it; nothing of it is kept")
        if len(parts) > DEEPEST or any(len(part) > MAX_NAME for part in parts):
            raise ArchiveRefused(f"{shown(raw[:MAX_NAME])}... in the archive is longer or deeper than names can be")
        return parts

    def _parent(self, path):
        return _Open(self._descend(path[:-1]))

    def _descend(self, path):
        """Descriptor of a directory; what the archive has not told yet is made, as others do."""
        try:
            return descend(self._place, path)
        except FileNotFoundError:
            return self._descend_making(path)

    def _descend_making(self, path):
        current = os.dup(self._place)
        for name in path:
            try:
                try:
                    os.mkdir(name, 0o755, dir_fd=current)
                    self._room.take_inode()
                    self.directories += 1
                except FileExistsError:
                    pass
                below = os.open(name, OPEN_DIRECTORY, dir_fd=current)
            finally:
                os.close(current)
            current = below
        return current

    # What is made

    def _make_directory(self, member, path):
        self._refuse_setuid(member)
        if path:
            with self._parent(path) as parent:
                try:
                    self._room.take_inode()
                    os.mkdir(path[-1], 0o700, dir_fd=parent)
                    self.directories += 1
                except FileExistsError:
                    os.close(os.open(path[-1], OPEN_DIRECTORY, dir_fd=parent))
        self._remember(_Directory.of(member))

    def _remember(self, directory):
        """For the end, since what comes into a directory changes its times. Told again, the last counts."""
        if directory.name not in self._told:
            self._names += len(directory.name)
        self._told[directory.name] = directory
        if len(self._told) > MOST_DIRECTORIES or self._names > MOST_NAMES:
            text = f"the archive has more than {MOST_DIRECTORIES} directories, or names of more than {MOST_NAMES} bytes"
            raise ArchiveRefused(f"{text} in them; unpack it by hand")

    def _make_file(self, member, parent, name):
        self._refuse_setuid(member)
        descriptor = os.open(name, _CREATE, 0o600, dir_fd=parent)
        try:
            self._fill(member, descriptor)
            self._tend(member, descriptor)
        finally:
            os.close(descriptor)
        self.files += 1

    def _fill(self, member, descriptor):
        parts = member.sparse if member.sparse is not None else [(0, member.size)]
        for offset, length in parts:
            self._copy(member, descriptor, offset, length)
        os.ftruncate(descriptor, member.size)

    def _copy(self, member, descriptor, offset, length):
        end = offset + length
        if not 0 <= offset <= end <= member.size:
            raise ArchiveRefused(f"{_shown(member)} has data beyond its own size")
        while offset < end:
            data = self._opened.portion(min(PORTION, end - offset))
            if not data:
                raise ConsumerFailed(f"the archive is cut short in the middle of {_shown(member)}")
            self._room.take_bytes(len(data))
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, memoryview(data)[written:], offset + written)
            offset += len(data)
            self.bytes += len(data)

    def _refuse_setuid(self, member):
        if member.mode & SETUID and "setuid" not in self._special:
            raise ArchiveRefused(
                f"{_shown(member)} is setuid or setgid: ask for special=setuid if that is meant (the destination's "
                "policy has the last word)"
            )

    def _tend(self, member, descriptor):
        """Owner, mode, times, in this order."""
        uid, gid = self._owners.uid(member.uname, member.uid), self._owners.gid(member.gname, member.gid)
        if not (0 <= uid <= MAX_ID and 0 <= gid <= MAX_ID):
            raise ArchiveRefused(f"{_shown(member)} belongs to {uid}:{gid}, which nobody can be")
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, member.mode & 0o7777)
        os.utime(descriptor, (member.mtime, member.mtime))

    def _tend_directory(self, path, member):
        descriptor = self._descend(path)
        try:
            self._tend(member, descriptor)
        except OSError as error:
            raise self._trouble(error, member) from error
        except (OverflowError, ValueError) as error:
            raise _impossible(error, member) from error
        finally:
            os.close(descriptor)

    def _make_symlink(self, member, parent, path):
        target = _bytes(member.linkname)
        _refuse_way_out(member, path, target)
        os.symlink(target, path[-1], dir_fd=parent)
        uid, gid = self._owners.uid(member.uname, member.uid), self._owners.gid(member.gname, member.gid)
        os.chown(path[-1], uid, gid, dir_fd=parent, follow_symlinks=False)
        os.utime(path[-1], (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)
        self.links += 1

    def _make_link(self, member, parent, name):
        path = self._path(member.linkname)
        with _Open(descend(self._place, path[:-1])) as where:
            first = os.open(path[-1], OPEN_PLACE, dir_fd=where)
            try:
                if not stat.S_ISREG(os.fstat(first).st_mode):
                    raise ArchiveRefused(f"{_shown(member)} is a further name of what is no file")
                os.link(path[-1], name, src_dir_fd=where, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.close(first)
        self.links += 1

    def _trouble(self, error, member):
        if isinstance(error, FileExistsError):
            return ArchiveRefused(f"{_shown(member)} comes twice in the archive; which one is meant nobody knows")
        if isinstance(error, (NotADirectoryError, FileNotFoundError)) or error.errno in REPLACED:
            return ArchiveRefused(f"{_shown(member)} leads through what is no directory of the archive")
        return disk_error(error, "unpack", _bytes(member.name), os.statvfs(self._place))


@dataclass(frozen=True)
class _Directory:
    """What is remembered of a directory's member: a small part of it."""

    __slots__ = ("name", "uid", "gid", "uname", "gname", "mode", "mtime")
    name: str
    uid: int
    gid: int
    uname: str
    gname: str
    mode: int
    mtime: float

    @classmethod
    def of(cls, member):
        owner = member.uid, member.gid, sys.intern(member.uname), sys.intern(member.gname)
        return cls(member.name, *owner, member.mode, member.mtime)


class _Open:
    """A descriptor that is closed at the end of a block."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def __enter__(self):
        return self._descriptor

    def __exit__(self, *_exception):
        os.close(self._descriptor)


def _refuse_way_out(member, path, target):
    """A link may climb to the archive's top directory, in which it lies, and no further; and only at its beginning."""
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    ups = len(parts) - len(parts[parts.count(b"..") :])
    # Further .. would count from wherever other links lead.
    is_inside = parts[:ups].count(b"..") == ups <= max(0, len(path) - 2)
    if target.startswith(b"/") or not target or b"\0" in target or not is_inside:
        raise ArchiveRefused(f"{_shown(member)} is a link to {shown(target)}, which leads out of the archive")


def _bound_global(archive):
    told = sum(len(name) + len(value) for name, value in archive.pax_headers.items())
    if told > MOST_GLOBAL:
        raise ArchiveRefused(f"the archive tells {told} bytes of all its members; none needs so much")


def _shown(member):
    return shown(_bytes(member.name)[:1000])


def _impossible(error, member):
    return ArchiveRefused(f"{_shown(member)} tells what cannot be: {error}")


def _bytes(name):
    return name.encode("utf-8", "surrogateescape")
