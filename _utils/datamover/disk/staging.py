"""The destination's edge: data arrives in `<parent of the final name>/.salt-transfer-<transfer>/data`, for
nobody else to see.

The staging directory is 0700 and ours; nothing below it is reached by a path. What is written belongs to an
entry and a try of it: a file that is sent again gets a new inode, so that a late piece of the old try cannot
touch it. Order of use: announce, (write, hole, finish | put_small), flush, read_back, and when all is verified
make_specials, apply_metadata, check_metadata, sync. Errors of the kernel become sentences (see trouble); none
is swallowed, those of close and flush included.
"""

import json
import os
import stat
import threading
from contextlib import ExitStack, nullcontext, suppress

from ..errors import Busy, DiskError, LocalError, ManifestInvalid, shown
from ..manifest import Kind
from . import holdings, kernel, metadata, sparse
from .headroom import Headroom
from .passing import Passing
from .planning import Tallies
from .removal import clear, empty
from .safepath import (
    OPEN_DIRECTORY,
    OPEN_FILE,
    OPEN_PLACE,
    Descriptors,
    Directories,
    encode_path,
    is_empty,
    split_final,
    within,
)
from .special import Found, names_in
from .steps import CHANGES
from .trouble import disk_error, on_disk
from .windows import Windows

PREFIX = b".salt-transfer-"
DATA = b"data"
ABOUT = b"about.json"
PART = b"about.part"
FORMAT = 1
OPEN_FILES = 64
FEW = 8
AHEAD = 64
DIFFERENCES_SHOWN = 100

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIALS = (Kind.SYMLINK, Kind.FIFO, Kind.CHARDEV, Kind.BLOCKDEV)
_GUARDS = 16
_ODD_TIME = 1_234_567_891_123_456_789


def staging_name(transfer):
    return PREFIX + transfer.encode()


class _Stale(Exception):
    """A piece of a try that is no longer meant."""


class Staging:
    """Made by create(), take_over() or reopen(). `holdings` (see there) are asked for what a new file may begin with.

    Several threads may write; announce, restart and what follows are for one at a time.
    """

    ARRIVES_IN = DATA

    def __init__(self, final, transfer, journal, anchor, parent, owners, reserve, special):
        self.final = final
        self.transfer = transfer
        self.path = os.path.join(split_final(final)[0], staging_name(transfer))
        self.anchor = anchor
        self.parent = parent
        self.granularity = 1
        self._journal = journal
        self._owners = metadata.Owners(owners)
        self._special = frozenset(special)
        self._headroom = Headroom(anchor, final, *reserve)
        self._directories = self._directories_in(self.ARRIVES_IN)
        self._files = Descriptors(self._open_for_writing, OPEN_FILES)
        self._begun = set()
        self._given = set()
        self.holdings = []
        self.tallies = Tallies()
        self.report = {}
        self._guards = [threading.Lock() for _ in range(_GUARDS)]
        self._windows = Windows(self._headroom)

    def _directories_in(self, name):
        """Access to what lies, or lay, where data arrives."""
        return Directories(self.anchor, name, self._journal.location if self._journal else None)

    # Coming and going

    @classmethod
    def create(cls, final, transfer, about, journal, owners="names", reserve=(0, 0), *, special):
        """Make the staging directory beside `final`; `about` (JSON) describes it, `reserve` is (bytes, inodes).

        `special` holds the special.NAMES that are taken: whatever the source says, no others are made here.
        """
        directory, _ = split_final(final)
        with on_disk("make a staging directory beside", final), ExitStack() as undo:
            parent = _open(directory, undo)
            try:
                anchor = _make_private(parent, staging_name(transfer))
            except FileExistsError:
                raise _left_behind(directory, staging_name(transfer)) from None
            undo.callback(os.close, anchor)
            staging = cls(final, transfer, journal, anchor, parent, owners, reserve, special)
            undo.callback(staging.remove)
            staging._describe(about)
            undo.pop_all()
        return staging

    @classmethod
    def take_over(cls, final, transfer, about, journal, owners="names", reserve=(0, 0), *, special):
        """What an earlier attempt left, as holdings beside a tree that begins anew; if there is nothing, a new one."""
        staging = cls.reopen(final, transfer, journal, owners, reserve, special)
        if staging is None:
            return cls.create(final, transfer, about, journal, owners, reserve, special=special)
        with on_disk("take over", staging.path), ExitStack() as undo:
            undo.callback(staging.close)
            holdings.set_aside(staging.anchor, cls.ARRIVES_IN)
            staging._clear_otherwise_staged()
            staging._describe(about)
            staging.holdings = holdings.left_by_earlier_attempts(staging.anchor, journal, staging._directories_in)
            undo.pop_all()
        return staging

    def _clear_otherwise_staged(self):
        """What was staged for a copy is nothing to an update, and the reverse."""
        for name in {DATA, CHANGES} - {self.ARRIVES_IN}:
            clear(self.anchor, name)

    @classmethod
    def reopen(cls, final, transfer, journal=None, owners="names", reserve=(0, 0), special=()):
        """The staging directory that is there, to remove it or to finish; None if there is none.

        DiskError if it is not one that create() made for this transfer: nothing may be done with it.
        """
        directory, _ = split_final(final)
        with on_disk("open the staging directory beside", final), ExitStack() as undo:
            parent = _open(directory, undo)
            try:
                anchor = os.open(staging_name(transfer), OPEN_DIRECTORY, dir_fd=parent)
            except FileNotFoundError:
                return None
            undo.callback(os.close, anchor)
            _check_ours(anchor, transfer)
            undo.pop_all()
        return cls(final, transfer, journal, anchor, parent, owners, reserve, special)

    def _describe(self, about):
        document = {
            "format": FORMAT,
            "project": "salt-transfer",
            "transfer": self.transfer,
            "final": encode_path(self.final),
        }
        with open(os.open(PART, _CREATE | os.O_TRUNC, 0o600, dir_fd=self.anchor), "w", encoding="ascii") as out:
            json.dump({**about, **document}, out)
            out.flush()
            os.utime(out.fileno(), ns=(_ODD_TIME, _ODD_TIME))
            self.granularity = metadata.time_granularity(_ODD_TIME, os.fstat(out.fileno()).st_mtime_ns)
            os.fsync(out.fileno())
        os.rename(PART, ABOUT, src_dir_fd=self.anchor, dst_dir_fd=self.anchor)
        os.fsync(self.anchor)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def close(self):
        """Let go of every descriptor; the directory stays."""
        self._let_go()
        os.close(self.anchor)
        os.close(self.parent)

    def remove(self):
        """Remove the staging directory and all that is in it, as often as one likes.

        Never asked before recover() (see publish).
        """
        self._let_go()
        with on_disk("remove", self.path), suppress(FileNotFoundError):
            empty(self.anchor, last=ABOUT)
            os.rmdir(staging_name(self.transfer), dir_fd=self.parent)

    def _let_go(self):
        self._files.close()
        self._directories.close()
        for holding in self.holdings:
            holding.close()

    # What is there already

    def held(self, entry, block_size):
        """The HeldFile of a file of which nothing has been written yet, or None; a context manager."""
        return holdings.found(self.holdings, entry, block_size)

    @property
    def about(self):
        """What the directory tells of itself; None of one that was only just made, or is all but removed."""
        try:
            return _about(self.anchor)
        except FileNotFoundError:
            return None

    @property
    def has_arrived(self):
        """Whether this or an earlier attempt has put anything here."""
        names = {*map(os.fsencode, os.listdir(self.anchor))}
        updates = CHANGES in names and not is_empty(self.anchor, CHANGES)
        return DATA in names or updates or any(name.startswith(holdings.EARLIER) for name in names)

    def consider(self, _entries):
        """The numbers of announced files that are kept as they stand at the final name: here nothing stands there."""
        return []

    def find_extras(self):
        """All is announced. There is nothing beside it."""

    def in_place(self, _number):
        """Whether what is held of a file is read where it was when it was told of."""
        return True

    def feed_held(self, number, offset, length, builder):
        """Give a range that is held to a ContentBuilder, as the disk has it."""
        self.read_back_range(number, offset, length, builder)

    def keep(self, number, try_, _offset, _length):
        """A range of a file is there already. False if it belongs to an older try."""
        try:
            with self._files.hold((number, try_)):
                return True
        except _Stale:
            return False
        except OSError as error:
            raise self._trouble(error, "open", number) from error

    def passing(self, journal):
        """What has arrived, for who passes it on."""
        return Passing(self, journal)

    def begin(self, _stop):
        """The source is here. What is written needs nobody else to take it."""

    def cut(self):
        """A link is over on which it came. Nobody waits here."""

    def mend(self):
        """Another link may come."""

    # Writing

    def announce(self, entries):
        """Write entries into the journal and make their directories, without access for others until all is done."""
        self._refuse_specials(entries)
        self._journal.add(entries)
        for entry in entries:
            if entry.kind == Kind.DIRECTORY:
                self._headroom.take_inode()
                self._make_directory(entry)

    def _refuse_specials(self, entries):
        found = Found()
        for entry in entries:
            for name in names_in(entry):
                if name not in self._special:
                    found.add(name, entry.name)
        if found:
            raise found.refusal()

    def _make_directory(self, entry):
        number, name = self._place(entry)
        with self._on_disk("make the directory", entry.number), self._directories.hold(number) as directory:
            os.mkdir(name, 0o700, dir_fd=directory)

    def write(self, number, try_, offset, view):
        """Write a piece at its offset. False if it belongs to an older try: it is dropped."""
        try:
            with self._files.hold((number, try_)) as descriptor:
                size = self._journal.entry(number).size
                self._windows.enter((number, try_), descriptor, offset, len(view), size)
                _write_all(descriptor, view, offset)
        except _Stale:
            return False
        except OSError as error:
            raise self._trouble(error, "write", number) from error
        return True

    def hole(self, number, try_, offset, length):
        """A range of zeros that takes no space. False if it belongs to an older try."""
        try:
            with self._files.hold((number, try_)) as descriptor:
                self._windows.hole((number, try_), descriptor, offset, length)
                if (number, try_) in self._given:
                    sparse.clear(descriptor, offset, length)
        except _Stale:
            return False
        except OSError as error:
            raise self._trouble(error, "write", number) from error
        return True

    def put_small(self, number, try_, view):
        """A whole file at once: created, written, given its metadata, closed. False if it belongs to an older try."""
        return bool(self.put_pack([(number, try_, view)]))

    def put_pack(self, files):
        """The same of many, (number, try, bytes) each; those that do not belong to an older try."""
        self._headroom.take_files(len(view) for _, _, view in files)
        return [file for file in files if self._put_whole(*file)]

    def _put_whole(self, number, try_, view):
        try:
            entry, descriptor = self._create(number, try_)
            with _Opened(descriptor):
                _write_all(descriptor, view, 0)
                metadata.apply_to_descriptor(descriptor, entry, self._owners, fresh=True)
        except _Stale:
            return False
        except OSError as error:
            raise self._trouble(error, "write", number) from error
        return True

    def finish(self, number):
        """All pieces of a file are written: it gets its size and its metadata and is closed.

        False if another try has begun meanwhile.
        """
        known = self._journal.known(number)
        key = number, known.try_
        try:
            with self._files.hold(key) as descriptor:
                os.ftruncate(descriptor, known.entry.size)
                metadata.apply_to_descriptor(descriptor, known.entry, self._owners)
            self._forget(key)
        except _Stale:
            return False
        except OSError as error:
            raise self._trouble(error, "finish", number) from error
        return True

    def restart(self, entry, try_):
        """An entry comes again, as `entry` now says: what arrived of a file is discarded."""
        self._refuse_specials([entry])
        old = self._journal.known(entry.number).try_
        with self._guard(entry.number):
            self._journal.replace(entry, try_)
            if entry.kind == Kind.FILE:
                self._discard(entry)
        self._forget((entry.number, old))

    def _discard(self, entry):
        number, name = self._place(entry)
        with (
            self._on_disk("remove", entry.number),
            self._directories.hold(number) as directory,
            suppress(FileNotFoundError),
        ):
            os.unlink(name, dir_fd=directory)

    def _forget(self, key):
        self._windows.forget(key)
        self._files.drop(key)
        self._begun.discard(key)
        self._given.discard(key)

    def _create(self, number, try_):
        """(entry, descriptor): a new file for this try."""
        with self._guard(number):
            entry = self._meant(number, try_)
            place, name = self._place(entry)
            with self._directories.hold(place) as directory:
                return entry, os.open(name, _CREATE | os.O_EXCL, 0o600, dir_fd=directory)

    def _open_for_writing(self, key):
        number, try_ = key
        self._headroom.take_inode()
        with self._guard(number):
            entry = self._meant(number, try_)
            place, name = self._place(entry)
            with self._directories.hold(place) as directory:
                # One that was closed meanwhile to make room is opened again; what another entry made never is.
                known = key in self._begun or self._is_given(entry, try_, directory, name)
                descriptor = os.open(name, _CREATE | (0 if known else os.O_EXCL), 0o600, dir_fd=directory)
        self._begun.add(key)
        return descriptor

    def _is_given(self, entry, try_, directory, name):
        """Whether a file begins with what a holding has of it. What begins again begins with nothing."""
        given = try_ == 1 and any(holding.give(entry, directory, name) for holding in self.holdings)
        if given:
            self._given.add((entry.number, try_))
        return given

    def _meant(self, number, try_):
        """The entry, if it is a file and this is its present try."""
        entry, current, _ = self._journal.known(number)
        if entry.kind != Kind.FILE:
            raise LocalError(f"{entry} was written to, but only files have bytes")
        if try_ < current:
            raise _Stale
        if try_ > current:
            raise LocalError(f"try {try_} of {entry} was written before it was announced")
        return entry

    def _guard(self, number):
        return self._guards[number % _GUARDS]

    # Verifying

    def flush(self, numbers):
        """Bring these files to the disk: a few one by one, many by one flush of the file system."""
        if len(numbers) > FEW:
            self.sync()
            return
        for number in numbers:
            with self._on_disk("flush", number), self._opened(number) as descriptor:
                os.fdatasync(descriptor)

    def read_back(self, number, new_hasher, block_size):
        """The Content of a flushed file as the disk has it: what the page cache holds of it is dropped first."""
        with self._on_disk("read back", number), self._opened(number) as descriptor:
            status = os.fstat(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            content = sparse.digest(descriptor, status, new_hasher, block_size)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            return content

    def read_back_many(self, numbers, new_hasher, block_size):
        """(number, Content) of flushed files; the disk is asked for small ones ahead. None for one that is gone."""
        for start in range(0, len(numbers), AHEAD):
            asked = []
            try:
                for number in numbers[start : start + AHEAD]:
                    asked.append((number, self._ask_for(number)))
                for number, descriptor in asked:
                    gone = descriptor is None
                    yield number, None if gone else self._digest(number, descriptor, new_hasher, block_size)
            finally:
                for _, descriptor in asked:
                    if descriptor is not None:
                        os.close(descriptor)

    def _ask_for(self, number):
        """Open a file, drop what the cache has of it and let the kernel begin to read it; None if it is gone."""
        with self._on_disk("read back", number):
            try:
                descriptor = self._open_to_read(self._journal.entry(number))
            except FileNotFoundError:
                return None
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
            return descriptor

    def _digest(self, number, descriptor, new_hasher, block_size):
        with self._on_disk("read back", number):
            return sparse.digest(descriptor, os.fstat(descriptor), new_hasher, block_size)

    def read_back_range(self, number, offset, length, builder):
        """Feed one range of a flushed file, as the disk has it, to a ContentBuilder."""
        with self._on_disk("read back", number), self._opened(number) as descriptor:
            os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
            sparse.feed(descriptor, os.fstat(descriptor), offset, length, builder)
            os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)

    # Finishing

    def make_specials(self):
        """Symbolic links, FIFOs and devices, and last the hard links, which need what they name."""
        for entry in self._journal.entries(_SPECIALS):
            self._headroom.take_inode()
            with self._on_disk("make", entry.number):
                self._make_special(entry)
        for entry in self._journal.entries((Kind.HARDLINK,)):
            with self._on_disk("link", entry.number):
                self._make_link(entry)

    def _make_special(self, entry):
        number, name = self._place(entry)
        with self._directories.hold(number) as directory:
            _make(entry, name, directory)
            place = os.open(name, OPEN_PLACE, dir_fd=directory)
            try:
                metadata.apply_to_name(directory, name, within(directory, name), place, entry, self._owners)
            finally:
                os.close(place)

    def _make_link(self, entry):
        number, name = self._place(entry)
        first_number, first_name = self._place(self._journal.entry(entry.link))
        with self._directories.hold(first_number) as source, self._directories.hold(number) as directory:
            os.link(first_name, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)

    def apply_metadata(self):
        """Owner, mode, attributes and times of directories, from the bottom up; everything else has them already."""
        for entry in self._journal.entries((Kind.DIRECTORY,), reverse=True):
            with self._on_disk("set the metadata of", entry.number), self._directories.hold(entry.number) as directory:
                metadata.apply_to_descriptor(directory, entry, self._owners)

    def check_metadata(self):
        """What differs from the entries, after another look at everything: metadata.Difference, the first hundred."""
        found = []
        for entry in self._journal.entries():
            with self._on_disk("look at", entry.number):
                found += self._differences(entry)
            if len(found) >= DIFFERENCES_SHOWN:
                break
        return found[:DIFFERENCES_SHOWN]

    def _differences(self, entry):
        number, name = self._place(entry)
        with self._directories.hold(number) as directory:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if entry.kind == Kind.HARDLINK:
                found = self._link_differences(entry, status)
            else:
                found = self._own_differences(entry, status, directory, name)
        return found and [metadata.Difference(self._journal.path(entry.number), *each) for each in found]

    def _own_differences(self, entry, status, directory, name):
        attributes, _ = metadata.read_attributes(within(directory, name), self._owners)
        target = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(status.st_mode) else b""
        return metadata.differences(entry, status, attributes, target, self._owners, self.granularity)

    def _link_differences(self, entry, status):
        number, name = self._place(self._journal.entry(entry.link))
        with self._directories.hold(number) as directory:
            first = os.stat(name, dir_fd=directory, follow_symlinks=False)
        return [] if os.path.samestat(first, status) else [("inode", first.st_ino, status.st_ino)]

    def sync(self):
        """Everything to the disk."""
        with on_disk("flush the file system of", self.final):
            kernel.syncfs(self.anchor)

    # Helpers

    def _place(self, entry):
        return self._directories.place(entry.number, entry.parent, entry.name)

    def _opened(self, number):
        return _Opened(self._open_to_read(self._journal.entry(number)))

    def _open_to_read(self, entry):
        place, name = self._place(entry)
        with self._directories.hold(place) as directory:
            return os.open(name, OPEN_FILE, dir_fd=directory)

    def opened(self, number):
        """A descriptor of what has arrived of a file; FileNotFoundError where it is not, or not any more."""
        return self._open_to_read(self._journal.entry(number))

    partial = True
    """Whether opened() gives what has landed of a file before all of it has."""

    def _on_disk(self, doing, number):
        return _Translating(self, doing, number)

    def _trouble(self, error, doing, number):
        if isinstance(error, FileExistsError):
            path = self._journal.path(number)
            text = f"{shown(path)} was announced twice, or this file system takes two of the announced names for one"
            return ManifestInvalid(text, path=path, entry=number)
        return disk_error(error, doing, self._journal.path(number), os.statvfs(self.anchor))


class _Translating:
    """Turns an OSError into the sentence of an entry; the path is made only then."""

    __slots__ = ("_staging", "_doing", "_number")

    def __init__(self, staging, doing, number):
        self._staging = staging
        self._doing = doing
        self._number = number

    def __enter__(self):
        return self

    def __exit__(self, _kind, error, _traceback):
        if isinstance(error, OSError):
            raise self._staging._trouble(error, self._doing, self._number) from error


class _Opened:
    """Closes a descriptor; an error of close counts, unless there is an earlier one."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def __enter__(self):
        return self._descriptor

    def __exit__(self, _kind, error, _traceback):
        with suppress(OSError) if error else nullcontext():
            os.close(self._descriptor)


def _open(directory, undo):
    """A descriptor of the directory above, closed again unless all goes well."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    undo.callback(os.close, descriptor)
    return descriptor


def _make_private(parent, name):
    """A new directory that is ours alone, whatever the one above it hands down (group, setgid bit, default ACL)."""
    os.mkdir(name, 0o700, dir_fd=parent)
    descriptor = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
    if os.fstat(descriptor).st_uid != os.geteuid() or os.listdir(descriptor):
        os.close(descriptor)
        raise DiskError(
            f"the staging directory {shown(name)} was exchanged while it was made; who can write beside it?"
        )
    metadata.write_attributes(descriptor, (), None, fresh=False)
    os.fchown(descriptor, os.geteuid(), os.getegid())
    os.fchmod(descriptor, 0o700)
    os.fsync(parent)
    return descriptor


def _check_ours(anchor, transfer):
    """Refuse a directory that somebody put under our name. An empty one was only just made, or is all but removed."""
    only_begun = {*map(os.fsencode, os.listdir(anchor))} <= {PART}
    ours = os.fstat(anchor).st_uid == os.geteuid() and (only_begun or _described(anchor) == transfer)
    if not ours:
        name = shown(staging_name(transfer))
        raise DiskError(f"{name} was not made by this transfer; nothing is done with it, look who put it there")


def _described(anchor):
    """The transfer that about.json names; None if it does not."""
    try:
        return _about(anchor)["transfer"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _about(anchor):
    with open(os.open(ABOUT, OPEN_FILE, dir_fd=anchor), "rb") as about:
        return json.load(about)


def _left_behind(directory, name):
    path = os.path.join(directory, name)
    return Busy(
        f"{shown(path)} is there already, left by an earlier attempt; run transfer.sweep and try again", path=path
    )


def _make(entry, name, directory):
    if entry.kind == Kind.SYMLINK:
        os.symlink(entry.target, name, dir_fd=directory)
    elif entry.kind == Kind.FIFO:
        os.mkfifo(name, 0o600, dir_fd=directory)
    else:
        kind = stat.S_IFCHR if entry.kind == Kind.CHARDEV else stat.S_IFBLK
        os.mknod(name, kind | 0o600, entry.device, dir_fd=directory)


def _write_all(descriptor, view, offset):
    written = os.pwrite(descriptor, view, offset)
    while written < len(view):
        written += os.pwrite(descriptor, view[written:], offset + written)
