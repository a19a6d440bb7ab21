"""Turns what the kernel says (OSError) into errors that say where, why and what to do."""

import errno

from ..errors import DiskError, NoInodes, NoSpace, SourceChanged, SourceUnreadable, SourceVanished, shown

_GONE = frozenset({errno.ENOENT, errno.ESTALE})
_REPLACED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO})

_DISK_ADVICE = {
    errno.EROFS: "the file system is or became read-only: look at the kernel log, repair and remount it",
    errno.EIO: "the disk or its driver reports an error: look at the kernel log and at the disk's health",
    errno.EACCES: "run the minion as root, or look for a security module that forbids it",
    errno.EPERM: "run the minion as root; an immutable flag (chattr) or the file system may forbid it too",
    errno.EOPNOTSUPP: "this file system cannot hold it: choose another place, or remove it at the source",
    errno.ENAMETOOLONG: "this file system's names are shorter: choose another place",
    errno.EFBIG: "this file system's files cannot be that large: choose another place",
    errno.EMFILE: "raise the limit of open files of the minion",
    errno.EBUSY: "something is mounted there: unmount it",
}


def words(error):
    return f"{error.strerror} ({errno.errorcode.get(error.errno, error.errno)})"


def disk_error(error, doing, path, system=None):
    """The error of a destination's path; `doing` completes "cannot ...", `system` is the statvfs of its disk."""
    sentence = f"cannot {doing} {shown(path) or 'the root of the tree'}: {words(error)}"
    evidence = {"path": path, "errno": error.errno}
    if error.errno == errno.ENOSPC:
        return _full(sentence, system, evidence)
    if error.errno == errno.EDQUOT:
        return NoSpace(f"{sentence}; raise the quota of the owner or free some of it, then try again", **evidence)
    advice = _DISK_ADVICE.get(error.errno, "look at the kernel log of this host")
    return DiskError(f"{sentence}; {advice}", **evidence)


def _full(sentence, system, evidence):
    """The kernel says the same when bytes are used up and when inodes are."""
    if system is None:
        return NoSpace(f"{sentence}; make room (bytes and inodes: df, df -i) and try again", **evidence)
    free = system.f_bavail * system.f_frsize
    kind = NoInodes if system.f_files and not system.f_favail else NoSpace
    text = f"{sentence}: {free} bytes and {system.f_favail} inodes are free there; make room and try again"
    return kind(text, **evidence, free=free, inodes_free=system.f_favail)


def source_error(error, doing, path):
    """The error of a source's path."""
    name = shown(path) or "the source itself"
    evidence = {"path": path, "errno": error.errno}
    if error.errno in _GONE:
        return SourceVanished(
            f"{name} vanished while the tree was read; stop what removes it and try again", **evidence
        )
    if error.errno in _REPLACED:
        text = f"{name} was replaced by something of another kind while the tree was read ({words(error)}); try again"
        return SourceChanged(text, **evidence)
    return SourceUnreadable(f"cannot {doing} {name}: {words(error)}; repair it or leave it out", **evidence)


class _Translating:
    """Turns an OSError into the error of a path."""

    __slots__ = ("_error_of", "_doing", "_path")

    def __init__(self, error_of, doing, path):
        self._error_of = error_of
        self._doing = doing
        self._path = path

    def __enter__(self):
        return self

    def __exit__(self, _kind, error, _traceback):
        if isinstance(error, OSError):
            raise self._error_of(error, self._doing, self._path) from error


def on_disk(doing, path):
    return _Translating(disk_error, doing, path)


def on_source(doing, path):
    return _Translating(source_error, doing, path)


def no_space(path, free, reserve, needed):
    text = (
        f"the file system of {shown(path)} has {free} bytes free; {needed} more are needed and "
        f"{reserve} stay in reserve. "
        "Make room or lower the reserve, then try again"
    )
    return NoSpace(text, path=path, free=free, reserve=reserve, needed=needed)


def no_inodes(path, free, reserve, needed):
    text = (
        f"the file system of {shown(path)} has {free} inodes free; {needed} more are needed and "
        f"{reserve} stay in reserve. "
        "Remove files there or choose another place, then try again"
    )
    return NoInodes(text, path=path, free=free, reserve=reserve, needed=needed)
