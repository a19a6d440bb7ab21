"""A first look at a destination, read-only: what stands there already, and how much room there is around it."""

import os
import stat

from . import mounts
from .metadata import kind_name
from .safepath import encode_path, split_final

FOLLOWED = os.O_PATH | os.O_CLOEXEC


def survey(final):
    """What facts say of a final name. The register knows the rest: what is reserved, and who holds the place."""
    parent, name = split_final(final)
    real = os.path.join(os.path.realpath(parent), name)
    return {
        **_present(final),
        "is_mount": real in mounts.at_or_below(real),
        "parent": encode_path(parent),
        "parent_exists": os.path.isdir(parent),
        "blocked_by": blocked_by(parent),
        "parent_writable": is_writable(parent),
        "real": encode_path(real),
        "above": identities_above(parent),
        "rename_noreplace": None,
        **room(parent),
        "reserved_bytes": 0,
        "reserved_inodes": 0,
        "locked_by": None,
    }


def _present(final):
    try:
        status = os.lstat(final)
    except (FileNotFoundError, NotADirectoryError):
        return {"exists": False, "kind": None, "empty": False}
    return {"exists": True, "kind": kind_name(status.st_mode).lower(), "empty": _is_empty_directory(final, status)}


def _is_empty_directory(path, status):
    if not stat.S_ISDIR(status.st_mode):
        return False
    with os.scandir(path) as entries:
        return next(entries, None) is None


def is_writable(directory):
    """Whether names can be made in it, by the kernel's own answer: for root too it says no on what is read-only."""
    return os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK, effective_ids=True)


def room(path):
    """The file system that would hold something in the directory `path`, which need not be there yet."""
    nearest = nearest_directory(path)
    descriptor = os.open(nearest, FOLLOWED)
    try:
        system = os.fstatvfs(descriptor)
        return {
            "nearest": encode_path(nearest),
            "device": os.fstat(descriptor).st_dev,
            **_mount(descriptor),
            "read_only": bool(system.f_flag & os.ST_RDONLY),
            "bytes_free": system.f_bavail * system.f_frsize,
            "bytes_total": system.f_blocks * system.f_frsize,
            "inodes_free": system.f_favail,
            "inodes_total": system.f_files,
        }
    finally:
        os.close(descriptor)


def nearest_directory(path):
    """The path, or the nearest directory above it that is there."""
    while not os.path.isdir(path):
        path = split_final(path)[0]
    return path


def blocked_by(path):
    """What stands where a directory on the way to `path` would have to be, encoded; None if nothing does."""
    nearest = nearest_directory(path)
    while path != nearest and split_final(path)[0] != nearest:
        path = split_final(path)[0]
    return encode_path(path) if path != nearest and os.path.lexists(path) else None


def identities_above(path):
    """Device and inode of the nearest directory that is there and of all above it: a mount can give them two names."""
    real = os.path.realpath(nearest_directory(path))
    above = []
    while True:
        status = os.stat(real)
        above.append([status.st_dev, status.st_ino])
        if real == b"/":
            return above
        real = os.path.dirname(real)


def _mount(descriptor):
    """Mount point and type of the file system, found by the mount's own number: devices may be mounted many times."""
    with open(b"/proc/self/fdinfo/%d" % descriptor, "rb") as info:
        number = next(line.split()[1] for line in info if line.startswith(b"mnt_id:"))
    with open("/proc/self/mountinfo", "rb") as table:
        line = next((line for line in table if line.split(b" ", 1)[0] == number), None)
    if line is None:
        return {"mount": None, "fs_type": ""}
    return {"mount": encode_path(mounts.parse(line)[0]), "fs_type": line.partition(b" - ")[2].split()[0].decode()}
