"""Gives verified data its final name in one step that cannot replace anything, or exchanges it for what is
there when asked.

The steps, each with what must be durable before the next:
    intent = intend(staging, overwrite)   all refusals; changes nothing         -> the caller records intent.as_dict()
    publish(staging, intent)              the rename, then the parent is flushed -> the caller records its verdict
    discard(staging, intent)              removes the staging directory, and in it what was replaced
After a crash recover(staging, intent) finds out by inode where the data is, and finishes what was begun.

Where the kernel or file system has no renameat2 flags: a new file is linked, then unlinked from staging (for a
moment it has two names); a new directory is renamed after a look that nothing is there (at worst it takes the
place of an empty directory made in that moment); an overwritten name is moved aside first (for a moment there
is nothing under it). publish() says whether it was atomic, probe() says it beforehand.
"""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from ..errors import DestinationExists, LocalError, PublishFailed, shown
from . import kernel, mounts
from .safepath import decode_path, encode_path, is_empty, split_final
from .staging import DATA
from .trouble import on_disk, words

OLD = b"old"
_OCCUPIED = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR})


class How(str, Enum):
    NEW = "new"
    INTO_EMPTY = "into-empty"
    EXCHANGE = "exchange"


class Found(str, Enum):
    """What recover() found: published; still staged, and publish() may be called; or nowhere.

    Published is what had its final name, though somebody may have moved it on since.
    """

    PUBLISHED = "published"
    STAGED = "staged"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to get which name, recognisable by its inode whatever happens."""

    final: bytes
    device: int
    inode: int
    how: How

    def as_dict(self):
        return {"final": encode_path(self.final), "device": self.device, "inode": self.inode, "how": self.how.value}

    @classmethod
    def from_dict(cls, document):
        return cls(decode_path(document["final"]), document["device"], document["inode"], How(document["how"]))

    def is_at(self, directory, name):
        status = _look(directory, name)
        return status is not None and (status.st_dev, status.st_ino) == (self.device, self.inode)


def intend(staging, overwrite):
    """The Intent; DestinationExists or PublishFailed if the final name cannot be taken."""
    with on_disk("look at", staging.final):
        data = os.stat(DATA, dir_fd=staging.anchor, follow_symlinks=False)
        how = _how(staging, data, overwrite)
    return Intent(staging.final, data.st_dev, data.st_ino, how)


def _how(staging, data, overwrite):
    name = _name(staging)
    existing = _look(staging.parent, name)
    if existing is None:
        return How.NEW
    _refuse_mounts(staging, name)
    if stat.S_ISDIR(data.st_mode) and stat.S_ISDIR(existing.st_mode) and is_empty(staging.parent, name):
        return How.INTO_EMPTY
    if overwrite:
        return How.EXCHANGE
    raise _exists(staging.final)


def publish(staging, intent):
    """Rename and flush the parent. True if it happened in one atomic step."""
    steps = {How.NEW: _publish_new, How.INTO_EMPTY: _publish_into_empty, How.EXCHANGE: _publish_exchange}
    try:
        atomic = steps[intent.how](staging, _name(staging))
        _flush(staging)
    except OSError as error:
        raise _failure(error, intent.final) from error
    return atomic


def _publish_new(staging, name):
    return move_new(staging.anchor, DATA, staging.parent, name)


def move_new(source, source_name, directory, name):
    """Rename without replacing anything; True if it happened in one atomic step."""
    try:
        kernel.rename(source, source_name, directory, name, kernel.RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in kernel.UNSUPPORTED:
            raise
    else:
        return True
    _move_without_flags(source, source_name, directory, name)
    return False


def _move_without_flags(source, source_name, directory, name):
    if not stat.S_ISDIR(os.stat(source_name, dir_fd=source, follow_symlinks=False).st_mode):
        os.link(source_name, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        os.unlink(source_name, dir_fd=source)
    elif _look(directory, name) is None:
        os.rename(source_name, name, src_dir_fd=source, dst_dir_fd=directory)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _publish_into_empty(staging, name):
    os.rename(DATA, name, src_dir_fd=staging.anchor, dst_dir_fd=staging.parent)
    return True


def _publish_exchange(staging, name):
    try:
        kernel.rename(staging.anchor, DATA, staging.parent, name, kernel.RENAME_EXCHANGE)
    except FileNotFoundError:
        return _publish_new(staging, name)
    except OSError as error:
        if error.errno not in kernel.UNSUPPORTED:
            raise
    else:
        return True
    os.rename(name, OLD, src_dir_fd=staging.parent, dst_dir_fd=staging.anchor)
    try:
        _publish_new(staging, name)
    except OSError:
        _move_without_flags(staging.anchor, OLD, staging.parent, name)
        raise
    return False


def recover(staging, intent):
    """Where the data is after a crash; a publish that was half done is finished: flushed, second names removed."""
    name = _name(staging)
    with on_disk("look at", intent.final):
        if _was_moved_aside(staging, intent, name):
            _publish_new(staging, name)
        if not intent.is_at(staging.parent, name):
            return _found_elsewhere(staging, intent)
        if intent.is_at(staging.anchor, DATA):
            os.unlink(DATA, dir_fd=staging.anchor)
        _flush(staging)
    return Found.PUBLISHED


def _was_moved_aside(staging, intent, name):
    gone = _look(staging.parent, name) is None and _look(staging.anchor, OLD) is not None
    return intent.how is How.EXCHANGE and gone and intent.is_at(staging.anchor, DATA)


def _found_elsewhere(staging, intent):
    if intent.is_at(staging.anchor, DATA):
        return Found.STAGED
    return Found.PUBLISHED if _holds_old(staging, intent) else Found.LOST


def _holds_old(staging, intent):
    """Whether what had the final name before is in staging."""
    under_data = _look(staging.anchor, DATA) is not None and not intent.is_at(staging.anchor, DATA)
    return intent.how is How.EXCHANGE and (under_data or _look(staging.anchor, OLD) is not None)


def discard(staging, intent):
    """Once the verdict is durable: remove the staging directory, and in it what was replaced.

    LocalError while that may be the only copy that is left, because the final name is not what was published.
    """
    if _holds_old(staging, intent) and not intent.is_at(staging.parent, _name(staging)):
        text = (
            f"{shown(intent.final)} is not what this transfer brought, and {shown(staging.path)} holds what was there "
            "before; nothing is removed: move it to where it belongs, or remove it"
        )
        raise LocalError(text, path=intent.final)
    staging.remove()


def probe(staging):
    """{"noreplace": bool, "exchange": bool}: which renames the staging directory's file system can do, by trying."""
    names = (b"probe-a", b"probe-b")
    with on_disk("try a rename in", staging.path):
        for name in names:
            os.mkdir(name, 0o700, dir_fd=staging.anchor)
        try:
            return {
                "noreplace": _can(staging.anchor, *names, kernel.RENAME_NOREPLACE),
                "exchange": _can(staging.anchor, *names, kernel.RENAME_EXCHANGE),
            }
        finally:
            for name in names:
                os.rmdir(name, dir_fd=staging.anchor)


def _can(directory, one, other, flags):
    """Both names exist, so that neither try moves anything but the exchange."""
    try:
        kernel.rename(directory, one, directory, other, flags)
    except FileExistsError:
        return True
    except OSError as error:
        if error.errno in kernel.UNSUPPORTED:
            return False
        raise
    return True


def _flush(staging):
    os.fsync(staging.parent)
    os.fsync(staging.anchor)


def _name(staging):
    return split_final(staging.final)[1]


def _look(directory, name):
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    return None


def _refuse_mounts(staging, name):
    found = mounts.at_or_below(os.path.join(mounts.real_path(staging.parent), name))
    if found:
        where = ", ".join(map(shown, found))
        text = (
            f"{shown(staging.final)} cannot be replaced while something is mounted there: {where}; "
            "unmount it, or choose a directory below it as the destination"
        )
        raise PublishFailed(text, path=staging.final)


def _exists(final):
    return DestinationExists(
        f"{shown(final)} exists; choose another name, remove it, or ask for overwrite=True", path=final
    )


def _failure(error, final):
    if error.errno in _OCCUPIED:
        return DestinationExists(
            f"{shown(final)} came into being while the data was on its way; it was not touched. "
            "Remove it or choose another name",
            path=final,
        )
    advice = {
        errno.EBUSY: "something is mounted there: unmount it",
        errno.EXDEV: "its parent lies on another file system than the staging directory, as overlay file systems do",
        errno.ENOENT: "its parent directory was removed",
    }.get(error.errno, "look at the kernel log of this host")
    return PublishFailed(f"{shown(final)} could not be published: {words(error)}; {advice}", path=final)
