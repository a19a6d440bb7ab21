"""The source's edge: a tree or a single file is listed, opened and checked, never left through a link, never changed.

Everything goes through directory descriptors and O_NOFOLLOW. Mount points below the root are not crossed: each becomes
an empty directory and is named in `skipped` (a bind mount of the root's own file system looks like any directory and is
walked). Sockets are named in `skipped`. Nothing here is a snapshot: a file is what it was between open and the last
unchanged().
"""

import errno
import os
import stat
import time
from itertools import islice

from ..errors import DeletionRefused, SourceChanged, SourceUnreadable, SourceVanished, shown
from ..manifest import Entry, Kind
from ..selection import EVERYTHING
from . import sparse
from . import special as specials
from .metadata import Identity, Owners, kind_of, read_attributes
from .safepath import OPEN_FILE, Directories, open_parent, within
from .trouble import on_source, source_error

BATCH = 512
SKIPPED_SHOWN = 100
MOUNTS_SHOWN = 5
TRIES = 5


class Skipped:
    """What does not travel and is no error: the first hundred paths with a reason, and how many more there were."""

    def __init__(self):
        self.shown = []
        self.more = 0

    def add(self, path, why):
        if len(self.shown) < SKIPPED_SHOWN:
            self.shown.append((path, why))
        else:
            self.more += 1


class SourceFile:
    """One open file of the source, and whether it is still the one that was listed. A context manager."""

    __slots__ = ("entry", "descriptor", "_identity", "_status")

    def __init__(self, entry, descriptor, identity):
        self.entry = entry
        self.descriptor = descriptor
        self._identity = identity
        self._status = None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def extents(self):
        """(offset, length, is_hole) from the beginning to the size that was announced."""
        if not self.entry.size:
            return iter(())
        if not sparse.has_holes(self._status):
            return iter([(0, self.entry.size, False)])
        return sparse.extents(self.descriptor, self.entry.size)

    def read_into(self, offset, view):
        """Fill `view`; fewer bytes only where the file ends, which unchanged() then tells."""
        with on_source("read", self.entry.name):
            return sparse.read_into(self.descriptor, offset, view)

    def digest(self, new_hasher, block_size, step=sparse.nothing):
        """The Content of all of it, by hashers such as digests.constructor(name) makes."""
        with on_source("read", self.entry.name):
            return sparse.digest(self.descriptor, self._status, new_hasher, block_size, step)

    def unchanged(self):
        """Whether size, times and inode are those of the listing; to be asked after the last byte was read."""
        try:
            self._status = os.fstat(self.descriptor)
        except OSError as error:
            raise source_error(error, "look at", self.entry.name) from error
        return Identity.of(self._status) == self._identity

    def close(self):
        os.close(self.descriptor)


class SourceTree:
    """`root` is a directory or a regular file; `special` holds the special.NAMES that may travel; `owners`: see Owners.

    What `selection` does not take is never looked at; `excluded` counts it, a directory with all below it as one.
    `whole` is for who deletes what is not listed: then walk() ends with DeletionRefused where something is mounted.
    walk() writes entries and identities into `journal`; open(), refresh(), recheck() may be called by any thread
    meanwhile.
    """

    def __init__(self, root, journal, special=frozenset(), owners="names", selection=EVERYTHING, whole=False):
        self.root = root
        self.skipped = Skipped()
        self.excluded = 0
        self.report = {}
        self._selection = selection
        self._journal = journal
        self._special = frozenset(special)
        self._owners = Owners(owners)
        self._whole = whole
        self._mounts = []
        self._refused = specials.Found()
        self._left_attributes = set()
        self._next = 1
        with on_source("open", root):
            self._anchor, self._name = open_parent(root)
        self._directories = Directories(self._anchor, self._name, journal.location)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    @property
    def parent(self):
        """Descriptor of the directory that holds the root."""
        return self._anchor

    def close(self):
        self._directories.close()
        os.close(self._anchor)

    def begin(self, _stop):
        """The way is proved. What is read needs not be started."""

    def let_go(self, _owed):
        """A piece was taken. What lies on a disk needs not be held."""

    # Listing

    def walk(self):
        """Every entry, a directory before its children, the children in byte order before what lies below them.

        From the first one on for which the list is refused nothing more is yielded; at the end an error names all of
        them.
        """
        root = self._first()
        yield root
        pending = [0] if root.kind == Kind.DIRECTORY else []
        while pending:
            below = []
            for entry, enter in self._children(pending.pop()):
                if enter:
                    below.append(entry.number)
                if not (self._refused or self._mounts):
                    yield entry
            pending.extend(reversed(below))
        self._journal.flush()
        if self._refused:
            raise self._refused.refusal()
        if self._mounts:
            raise _not_whole(self._mounts)

    def _first(self):
        with on_source("look at", self.root):
            status = os.stat(self._name, dir_fd=self._anchor, follow_symlinks=False)
            if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
                raise _odd_root(self.root, status)
            found = self._look(self._anchor, 0, 0, self._name)
        self._device = status.st_dev
        self._judge(b"", found[0])
        self._admit([found])
        return found[0]

    def _children(self, number):
        """(entry, whether to go into it) of all that is in a directory."""
        path = self._journal.path(number)
        with on_source("list", path), self._directories.hold(number) as directory, os.scandir(directory) as items:
            names = self._journal.in_order(self._selected(items, path))
        while batch := list(islice(names, BATCH)):
            with self._directories.hold(number) as directory:
                found = self._batch(directory, number, path, batch)
            self._admit(found)
            yield from ((entry, self._enters(path, entry, status)) for entry, status in found)

    def _selected(self, items, path):
        """The names in a directory that travel."""
        return (os.fsencode(item.name) for item in items if not self._selection or self._is_selected(item, path))

    def _is_selected(self, item, path):
        taken = self._selection.takes(_join(path, os.fsencode(item.name)), item.is_dir(follow_symlinks=False))
        self.excluded += not taken
        return taken

    def _batch(self, directory, parent, path, names):
        found = []
        for name in names:
            below = _join(path, name)
            each = self._child(directory, self._next, parent, name, below)
            if each:
                self._judge(below, each[0])
                found.append(each)
                self._next += 1
        return found

    def _child(self, directory, number, parent, name, path):
        """(entry, status); None for what does not travel or vanished after it was listed."""
        try:
            found = self._look(directory, number, parent, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise source_error(error, "look at", path) from error
        if found is None:
            self.skipped.add(path, "a socket cannot travel")
        return found

    def _look(self, directory, number, parent, name):
        """(entry, status) of one name as it is now; None for a socket. Read again if it changed under our eyes."""
        for _ in range(TRIES):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            kind = kind_of(status.st_mode)
            if kind is None:
                return None
            try:
                entry = self._entry(directory, number, parent, name, kind, status)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    continue  # It was a symbolic link and is none any more.
                raise
            if kind == Kind.FILE or Identity.of(status) == _identity_now(directory, name):
                return entry, status
        raise SourceChanged(
            f"{shown(name)} changed {TRIES} times while it was looked at; stop what changes it and try again"
        )

    def _entry(self, directory, number, parent, name, kind, status):
        name_in_tree = name if number else b""
        if status.st_nlink > 1 and kind != Kind.DIRECTORY and number:
            first = self._journal.first_name(Identity.of(status), number)
            if first != number:
                return Entry(number, parent, name_in_tree, Kind.HARDLINK, link=first)
        attributes, left = read_attributes(within(directory, name), self._owners)
        self._note_left(left, number, parent, name)
        return Entry(
            number=number,
            parent=parent,
            name=name_in_tree,
            kind=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            owner=self._owners.user(status.st_uid),
            group=self._owners.group(status.st_gid),
            size=status.st_size if kind == Kind.FILE else 0,
            mtime_ns=status.st_mtime_ns,
            device=status.st_rdev if kind in (Kind.CHARDEV, Kind.BLOCKDEV) else 0,
            target=os.readlink(name, dir_fd=directory) if kind == Kind.SYMLINK else b"",
            xattrs=attributes,
        )

    def _note_left(self, attributes, number, parent, name):
        for attribute in set(attributes) - self._left_attributes if attributes else ():
            self._left_attributes.add(attribute)
            path = b"/".join(filter(None, (self._journal.path(parent), name))) if number else b""
            self.skipped.add(path, f"the attribute {shown(attribute)} does not travel, here and elsewhere")

    def _judge(self, path, entry):
        """Note what may not travel; True if this entry may."""
        refused = [name for name in specials.names_in(entry) if name not in self._special]
        for name in refused:
            self._refused.add(name, path)
        return not refused

    def _enters(self, path, entry, status):
        if entry.kind != Kind.DIRECTORY:
            return False
        if status.st_dev == self._device:
            return True
        self._note_mount(_join(path, entry.name))
        return False

    def _note_mount(self, path):
        self.skipped.add(path, "another file system is mounted here; it travels as an empty directory")
        if self._whole:
            self._mounts.append(path)

    def _admit(self, found):
        identities = [Identity.of(status) for _, status in found]
        self._journal.add([entry for entry, _ in found], identities)
        now = time.time_ns()
        for (entry, _), identity in zip(found, identities, strict=True):
            if entry.kind != Kind.FILE and identity.young(now):
                self._journal.suspect(entry.number)

    # Reading

    def open(self, entry):
        """The SourceFile of a FILE entry.

        SourceChanged if it is no longer the file that was listed: then refresh() it.
        """
        identity = self._journal.known(entry.number).identity
        file = SourceFile(entry, self._descriptor(entry), identity)
        if not file.unchanged():
            file.close()
            raise self._changed(entry)
        self._note_young(entry, identity)
        return file

    def _descriptor(self, entry):
        number, name = self._directories.place(entry.number, entry.parent, entry.name)
        try:
            with self._directories.hold(number) as directory:
                return _open_for_reading(name, directory)
        except OSError as error:
            raise source_error(error, "open", self._journal.path(entry.number)) from error

    def _note_young(self, entry, identity):
        if identity.young(time.time_ns()):
            self._journal.suspect(entry.number)

    def remembered(self, entry):
        """The Content of a FILE entry as an earlier attempt read it, if the file is unchanged since; else None.

        SourceChanged if it is no longer the file that was listed.
        """
        content = self._journal.remembered(self._journal.known(entry.number).identity)
        if content:
            self.open(entry).close()
        return content

    def read_small(self, entry, view):
        """Open, read the whole file into `view` and check it, in one go; SourceChanged if it changed meanwhile."""
        identity = self._journal.known(entry.number).identity
        self._note_young(entry, identity)
        descriptor = self._descriptor(entry)
        try:
            same = Identity.of(os.fstat(descriptor)) == identity
            count = sparse.read_into(descriptor, 0, view[: entry.size]) if same else -1
            if count != entry.size or Identity.of(os.fstat(descriptor)) != identity:
                raise self._changed(entry)
            return count
        except OSError as error:
            raise source_error(error, "read", entry.name) from error
        finally:
            os.close(descriptor)

    def _changed(self, entry):
        path = self._journal.path(entry.number)
        return SourceChanged(
            f"{shown(path) or shown(self.root)} changed while it was read", path=path, entry=entry.number
        )

    def refresh(self, entry):
        """(the entry as it is now, its next try), recorded in the journal; for a file that changed.

        SourceVanished if it is gone, SourceChanged if it became something of another kind.
        """
        found = self._looked_at_again(entry)
        path = self._journal.path(entry.number)
        if found[0].kind != entry.kind:
            raise SourceChanged(f"{shown(path)} became something of another kind while the tree was read", path=path)
        if not self._judge(path, found[0]):
            raise self._refused.refusal()
        try_ = self._journal.known(entry.number).try_ + 1
        self._journal.replace(found[0], try_, Identity.of(found[1]))
        return found[0], try_

    def _looked_at_again(self, entry):
        number, name = self._directories.place(entry.number, entry.parent, entry.name)
        path = self._journal.path(entry.number)
        with on_source("look at", path), self._directories.hold(number) as directory:
            found = self._look(directory, entry.number, entry.parent, name)
        if found is None:
            raise SourceChanged(f"{shown(path)} became a socket while the tree was read", path=path)
        return found

    # Sealing

    def suspects(self):
        """The entries that were so young when they were read that a change may have gone unseen.

        Recheck() each at seal.
        """
        return map(self._journal.entry, self._journal.suspects())

    def recheck(self, entry, new_hasher, block_size, step=sparse.nothing):
        """Whether an entry still is what was sent.

        A file is read again and its digests compared with those in the journal.
        """
        try:
            if entry.kind != Kind.FILE:
                return self._looked_at_again(entry)[0] == entry
            with self.open(entry) as file:
                same = file.digest(new_hasher, block_size, step) == self._journal.content(entry.number)
                return same and file.unchanged()
        except (SourceChanged, SourceVanished):
            return False


def _join(path, name):
    return path + b"/" + name if path else name


def _identity_now(directory, name):
    return Identity.of(os.stat(name, dir_fd=directory, follow_symlinks=False))


def _open_for_reading(name, directory):
    """Without touching the access time where that is allowed (root, or the file's owner)."""
    try:
        return os.open(name, OPEN_FILE | os.O_NOATIME, dir_fd=directory)
    except PermissionError:
        return os.open(name, OPEN_FILE, dir_fd=directory)


def _not_whole(mounts):
    """What is mounted is not listed, so what stands at the destination in its place would count as surplus."""
    named = ", ".join(map(shown, mounts[:MOUNTS_SHOWN])) + (" and others" if len(mounts) > MOUNTS_SHOWN else "")
    text = (
        f"another file system is mounted at {named} below the source and does not travel, so delete=True would delete "
        f"what the destination has there. Nothing was changed: leave it out with exclude=/{shown(mounts[0])}, or do "
        "without delete=True"
    )
    return DeletionRefused(text, path=mounts[0])


def _odd_root(root, status):
    if stat.S_ISLNK(status.st_mode):
        text = f"the source {shown(root)} is a symbolic link; name what it points to"
    else:
        text = f"the source {shown(root)} is neither a directory nor a regular file"
    return SourceUnreadable(text, path=root)
