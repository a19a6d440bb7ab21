"""Puts what an update has staged into the existing tree, file by file, so that each is whole at every moment.

The counterpart of publish for update=True, with the same steps in the same order: intend, publish, discard; and recover
after a crash. What is to be done is a list on disk (see steps), every step of which may be taken again: a file is
renamed into place in one stroke, and what is done already is passed over. So whoever finds an intent can finish it.
If that cannot be (somebody put a directory in the way), every file is whole, the old one or the new.
"""

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from ..errors import MetadataMismatch, MoverError, PublishFailed, shown
from ..manifest import Entry, Kind
from . import kernel, metadata, steps
from .publish import Found, move_new
from .safepath import OPEN_DIRECTORY, OPEN_FILE, Descriptors, decode_path, descend, encode_path, split_final
from .steps import CHANGES, Do
from .trouble import words

HOW = "update-by-path"
"""Changes with the names of what is staged: a step that does not find what it is to put in place counts as taken."""
OPEN_PARENTS = 64
DIFFERENCES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Intent:
    """Which tree is to be changed, recognisable by its root's inode (none for a root that was not there)."""

    final: bytes
    device: int
    inode: int
    owners: str
    granularity: int

    def as_dict(self):
        told = {name: getattr(self, name) for name in ("device", "inode", "owners", "granularity")}
        return {"how": HOW, "final": encode_path(self.final), **told}

    @classmethod
    def from_dict(cls, told):
        kept = (told[name] for name in ("device", "inode", "owners", "granularity"))
        return cls(decode_path(told["final"]), *kept)


def intend(staging, owners):
    """The Intent; the steps were written when the update was planned."""
    status = _look(staging.parent, split_final(staging.final)[1])
    identity = (status.st_dev, status.st_ino) if status else (0, 0)
    return Intent(staging.final, *identity, owners, staging.granularity)


def publish(staging, intent, step=lambda: None):
    """Take every step and bring it all to the disk."""
    _check_root(staging, intent)
    with Settler(staging.parent, staging.anchor, intent) as settler:
        settler.take(steps.read(staging.anchor), step)
        kernel.syncfs(staging.parent)
        settler.check()


def recover(staging, intent):
    """Finish what was begun. STAGED if that cannot be done: then every file is whole, old or new."""
    try:
        publish(staging, intent)
    except MetadataMismatch:
        return Found.PUBLISHED
    except (MoverError, OSError):
        return Found.STAGED
    return Found.PUBLISHED


def discard(staging, _intent):
    """Once the verdict is durable: remove the staging directory, and in it what was moved aside.

    The steps go first: without what was staged they would look as if they had been taken.
    """
    with suppress(FileNotFoundError):
        os.unlink(steps.NAME, dir_fd=staging.anchor)
        os.fsync(staging.anchor)
    staging.remove()


def _check_root(staging, intent):
    status = _look(staging.parent, split_final(intent.final)[1])
    if _is_directory(status) and (status.st_dev, status.st_ino) != (intent.device, intent.inode):
        text = f"{shown(intent.final)} is another directory than when the update was planned; nothing is changed there"
        raise PublishFailed(text, path=intent.final)


class Settler:
    """Takes steps below the directory `parent`; `anchor` is the staging directory."""

    def __init__(self, parent, anchor, intent):
        self._anchor = anchor
        self._intent = intent
        self._owners = metadata.Owners(intent.owners)
        self._parents = Descriptors(lambda path: descend(parent, _names(path)), OPEN_PARENTS)
        self._staged = descend(anchor, [CHANGES])
        self._differences = []

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._parents.close()
        os.close(self._staged)

    def take(self, steps_to_take: Iterable[steps.Step], progress):
        for each in steps_to_take:
            above, name = os.path.split(each.path)
            try:
                with self._parents.hold(above) as directory:
                    self._take(each, directory, name)
            except OSError as error:
                raise _trouble(error, each) from error
            progress()

    def check(self):
        """MetadataMismatch if the disk would not hold what was set."""
        if self._differences:
            shown_ones = "; ".join(map(str, self._differences[:DIFFERENCES_SHOWN]))
            raise MetadataMismatch(f"what is on the disk is not what was sent: {shown_ones}")

    def _take(self, step, directory, name):
        match step.do:
            case Do.DIRECTORY:
                self._make_directory(step, directory, name)
            case Do.PUT:
                self._put(step, directory, name)
            case Do.LINK:
                self._link(step, directory, name)
            case Do.DELETE:
                self._delete(directory, name)
            case Do.TEND:
                self._tend(step.entry, step.path, directory, name)

    def _delete(self, directory, name):
        """What was found to be deleted; not what has been mounted over it since."""
        if os.fstat(directory).st_dev == self._intent.device:
            _delete(directory, name)

    def _make_directory(self, step, directory, name):
        if _is_directory(_look(directory, name)):
            return
        with self._out_of_the_way(step.number, directory, name, step.aside):
            os.mkdir(name, 0o700, dir_fd=directory)

    def _put(self, step, directory, name):
        staged = step.staged
        if _look(self._staged, staged) is None:
            return
        if step.new:
            move_new(self._staged, staged, directory, name)
            return
        # What is no directory is replaced in one stroke.
        stands = step.aside and _is_directory(_look(directory, name))
        with self._out_of_the_way(step.number, directory, name, stands):
            os.rename(staged, name, src_dir_fd=self._staged, dst_dir_fd=directory)

    def _link(self, step, directory, name):
        """Make a second name of the first, beside it, and rename it over what stands there."""
        above, first_name = os.path.split(step.first)
        staged = step.staged
        with self._parents.hold(above) as first:
            found, wanted = _look(directory, name), os.stat(first_name, dir_fd=first, follow_symlinks=False)
            if found is not None and os.path.samestat(found, wanted):
                return
            with suppress(FileNotFoundError):
                os.unlink(staged, dir_fd=self._staged)
            os.link(first_name, staged, src_dir_fd=first, dst_dir_fd=self._staged, follow_symlinks=False)
        self._put(step, directory, name)

    def _out_of_the_way(self, number, directory, name, needed):
        return _Aside(self._anchor, b"aside-%d" % number, directory, name) if needed else nullcontext()

    def _tend(self, entry, path, directory, name):
        flags = OPEN_DIRECTORY if entry.kind == Kind.DIRECTORY else OPEN_FILE
        descriptor = os.open(name, flags, dir_fd=directory)
        try:
            if metadata.kind_of(os.fstat(descriptor).st_mode) != entry.kind:
                raise NotADirectoryError(errno.ENOTDIR, "something of another kind was put there")
            metadata.apply_to_descriptor(descriptor, entry, self._owners)
            self._differences += self._differing(entry, path, descriptor)
        finally:
            os.close(descriptor)

    def _differing(self, entry: Entry, path, descriptor):
        attributes, _ = metadata.read_attributes(descriptor, self._owners)
        status, granularity = os.fstat(descriptor), self._intent.granularity
        found = metadata.differences(entry, status, attributes, b"", self._owners, granularity)
        return [metadata.Difference(path, *each) for each in found]


class _Aside:
    """Moves what is to be replaced into the staging directory, and back if what follows fails."""

    def __init__(self, anchor, staged, directory, name):
        self._anchor = anchor
        self._staged = staged
        self._directory = directory
        self._name = name

    def __enter__(self):
        if _look(self._anchor, self._staged) is None and _look(self._directory, self._name):
            os.rename(self._name, self._staged, src_dir_fd=self._directory, dst_dir_fd=self._anchor)

    def __exit__(self, kind, _error, _traceback):
        if kind and _look(self._anchor, self._staged):
            with suppress(OSError):
                move_new(self._anchor, self._staged, self._directory, self._name)


def _delete(directory, name):
    """Gone already, or no longer empty because somebody put something there: both are left as they are."""
    with suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=directory)
        except IsADirectoryError:
            with suppress(OSError):
                os.rmdir(name, dir_fd=directory)


def _names(path):
    return [each for each in path.split(b"/") if each]


def _look(directory, name):
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    return None


def _is_directory(status):
    return status is not None and stat.S_ISDIR(status.st_mode)


def _trouble(error, step):
    path = shown(step.path)
    done = "each file before it is the new one, each after it the old one; the update can be started again"
    return PublishFailed(f"cannot {step.do.value} {path}: {words(error)}; {done}", path=step.path, errno=error.errno)
