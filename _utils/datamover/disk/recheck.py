"""What a transfer left at one of its ends, read again later and compared with the record of that time.

Nothing is changed, links are not followed, and what is read is dropped from the page cache before as far as the kernel
allows. Memory grows with the largest directory alone.
"""

import errno
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from .. import digests
from ..manifest import Kind, RootBuilder
from ..selection import EVERYTHING
from . import differing, metadata, sparse
from .extras import Replaced
from .safepath import OPEN_FILE, Directories, encode_path, open_parent, within
from .standing import Standing
from .trouble import on_source, words

WHAT = ("missing", "kind", "content", "metadata", "extra", "unreadable")
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True)
class Recorded:
    """What the record says beside the journal: where it lies, how it was digested, whether nothing else was there.

    `updated`: it was brought to a tree that stood there, in which delete=True leaves some things alone (see extras).
    """

    path: bytes
    algorithm: str
    block_size: int
    owners: str = "names"
    selection: object = EVERYTHING
    alone: bool = True
    updated: bool = False


class Recheck:
    """run() fills `troubles` and counts what it read; then root() is that of what is there now, if that can be said."""

    def __init__(self, recorded, journal, shown=differing.SHOWN, step=sparse.nothing):
        self.troubles = differing.Troubles(WHAT, shown)
        self.entries = self.bytes = self.trusted = 0
        self._recorded = recorded
        self._journal = journal
        self._step = step
        self._owners = metadata.Owners(recorded.owners)
        self._new_hasher = digests.constructor(recorded.algorithm)
        self._root = RootBuilder(recorded.block_size, recorded.algorithm)
        self._is_whole = True
        self._listed = bytearray()
        self._device = None

    def run(self):
        with on_source("look at", self._recorded.path):
            anchor, name = open_parent(self._recorded.path)
        self._directories = Directories(anchor, name, self._journal.location)
        self._standing = Standing(anchor, name, self._journal)
        try:
            self._check_all()
        finally:
            self._standing.close()
            self._directories.close()
            os.close(anchor)

    def root(self):
        """The manifest's root with the bytes that are there now; None where more than bytes is another."""
        others = any(count for what, count in self.troubles.counts.items() if what != "content")
        return None if others or not self._is_whole else self._root.digest()

    # Entries

    def _check_all(self):
        entries = self._journal.entries()
        self._check(next(entries))
        for parent, children in groupby(entries, attrgetter("parent")):
            self._check_directory(parent, children)
        for directory in self._journal.entries((Kind.DIRECTORY,)):
            if not self._was_listed(directory.number):
                self._check_directory(directory.number, ())

    def _check_directory(self, number, children):
        """The children of a directory in the record, and whatever else is in it now."""
        names = self._names_in(number)
        for entry in children:
            names.discard(entry.name)
            self._check(entry)
        for path in self._extra(number, sorted(names)):
            self.troubles.add(path, "extra", "the record does not have it")
        self._listed += bytes(max(0, number + 1 - len(self._listed)))
        self._listed[number] = True

    def _extra(self, number, names):
        """The paths of these names that a transfer would take, and an update with delete=True would remove."""
        above = self._journal.path(number)
        for name in names:
            path = above + b"/" + name if above else name
            with suppress(FileNotFoundError), self._directories.hold(number) as directory:
                if not self._stays(directory, name, path):
                    yield path

    def _stays(self, directory, name, path):
        """Sockets never travel, and so no list has them."""
        if self._recorded.updated:
            return Replaced(self._standing, self._is_protected, self._step).spares(directory, name, path)
        return stat.S_ISSOCK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)

    def _is_protected(self, path, is_directory):
        return not self._recorded.selection.takes(path, is_directory)

    def _was_listed(self, number):
        return number < len(self._listed) and self._listed[number]

    def _names_in(self, number):
        """Names in a directory now that a transfer would take; none below a mount, which the source did not enter."""
        if not self._recorded.alone:
            return set()
        try:
            with self._directories.hold(number) as directory:
                if self._is_mount(directory):
                    return set()
                with os.scandir(directory) as items:
                    return {os.fsencode(item.name) for item in items if self._is_selected(number, item)}
        except OSError:
            return set()  # What is wrong with it is told where it is looked at itself.

    def _is_mount(self, directory):
        device = os.fstat(directory).st_dev
        self._device = self._device or device
        return device != self._device

    def _is_selected(self, number, item):
        selection = self._recorded.selection
        if not selection:
            return True
        path = b"/".join(filter(None, (self._journal.path(number), os.fsencode(item.name))))
        return selection.takes(path, item.is_dir(follow_symlinks=False))

    def _check(self, entry):
        content = None
        with self._telling(entry):
            number, name = self._directories.place(entry.number, entry.parent, entry.name)
            with self._directories.hold(number) as directory:
                content = self._compare(entry, directory, name)
        self._count(entry, content)
        self._step()

    def _count(self, entry, content):
        self.entries += 1
        self.bytes += content.length if content else 0
        self._is_whole &= entry.kind != Kind.FILE or (content is not None and content.length == entry.size)
        if self._is_whole:
            self._root.add(entry, content)

    def _compare(self, entry, directory, name):
        """Tell what differs; the Content of a file as it is now."""
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if entry.kind == Kind.HARDLINK:
            self._compare_link(entry, status)
            return None
        if metadata.kind_of(status.st_mode) != entry.kind:
            now, then = metadata.kind_name(status.st_mode).lower(), entry.kind.name.lower()
            self._tell(entry, "kind", f"it is a {now}, not a {then}")
            return None
        self._compare_metadata(entry, status, directory, name)
        return self._compare_content(entry, directory, name) if entry.kind == Kind.FILE else None

    def _compare_link(self, entry, status):
        first = self._journal.entry(entry.link)
        number, name = self._directories.place(first.number, first.parent, first.name)
        with self._directories.hold(number) as directory:
            if not os.path.samestat(os.stat(name, dir_fd=directory, follow_symlinks=False), status):
                self._tell(entry, "metadata", f"it is no hard link to {encode_path(self._journal.path(entry.link))}")

    def _compare_metadata(self, entry, status, directory, name):
        attributes, _ = metadata.read_attributes(within(directory, name), self._owners)
        target = os.readlink(name, dir_fd=directory) if entry.kind == Kind.SYMLINK else b""
        found = metadata.differences(entry, status, attributes, target, self._owners, _granularity(entry, status))
        differ = [f"{what} is {now}, not {then}" for what, then, now in found if what != "size"]
        if differ:
            self._tell(entry, "metadata", "; ".join(differ))

    def _compare_content(self, entry, directory, name):
        descriptor = os.open(name, OPEN_FILE, dir_fd=directory)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            status = os.fstat(descriptor)
            content = sparse.digest(descriptor, status, self._new_hasher, self._recorded.block_size, self._step)
        finally:
            os.close(descriptor)
        self._compare_bytes(entry, content, self._journal.content(entry.number))
        return content

    def _compare_bytes(self, entry, now, then):
        """What was only trusted has no digests: of that only the length is known, and no root."""
        is_trusted = then is None or not then.whole
        self.trusted += is_trusted
        self._is_whole &= not is_trusted
        if now.length != entry.size:
            self._tell(entry, "content", f"it has {now.length} bytes, not {entry.size}")
        elif not is_trusted and now != then:
            self._tell(entry, "content", _first_difference(now, then, self._recorded.block_size))

    @contextmanager
    def _telling(self, entry):
        """What cannot be looked at is told, and the rest goes on."""
        try:
            yield
        except OSError as error:
            what = "missing" if error.errno in _NOT_THERE else "unreadable"
            self._tell(entry, what, "it is not there" if what == "missing" else words(error))

    def _tell(self, entry, what, why):
        self.troubles.add(self._journal.path(entry.number), what, why)


def _granularity(entry, status):
    """How coarsely this file system may have kept the entry's time, if that explains what it says now."""
    known = metadata.GRANULARITIES
    return next((each for each in known if entry.mtime_ns // each * each == status.st_mtime_ns), 1)


def _first_difference(now, then, block_size):
    pairs = zip(now.blocks, then.blocks, strict=True)
    index = next((index for index, (one, other) in enumerate(pairs) if one != other), 0)
    return f"its bytes are others from block {index} (offset {index * block_size}) on"
