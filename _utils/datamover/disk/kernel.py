"""Calls of the Linux kernel that Python's os module does not have: syncfs, renameat2, openat2, fallocate and the like.

Every function raises OSError as os functions do; UNSUPPORTED holds the errors that mean "not here".
"""

import ctypes
import errno
import os
import platform

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
FALLOCATE_KEEP_SIZE = 1
FALLOCATE_PUNCH_HOLE = 2
SYNC_RANGE_WRITE = 2
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 2, 4, 8
OPENAT2 = 437  # on every architecture

UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY})

# renameat2 by number, for C libraries that are older than the kernel.
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "ppc64le": 357, "s390x": 347, "riscv64": 276}

_libc = ctypes.CDLL(None, use_errno=True)
_off64 = ctypes.c_int64


def _declare(name, *types):
    function = getattr(_libc, name, None)
    if function is not None:
        function.argtypes = types
        function.restype = ctypes.c_int
    return function


_syncfs = _declare("syncfs", ctypes.c_int)
_fallocate = _declare("fallocate64", ctypes.c_int, ctypes.c_int, _off64, _off64) or _declare(
    "fallocate", ctypes.c_int, ctypes.c_int, _off64, _off64
)
_sync_file_range = _declare("sync_file_range", ctypes.c_int, _off64, _off64, ctypes.c_uint)
_renameat2 = _declare("renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)


def _call(function, *arguments):
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    while function(*arguments) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def syncfs(descriptor):
    """Write everything of the file system that holds `descriptor`; since Linux 5.8 write errors are told here."""
    _call(_syncfs, descriptor)


def rename(source_directory, source, target_directory, target, flags):
    """renameat2 between two directory descriptors, with RENAME_NOREPLACE or RENAME_EXCHANGE."""
    if _renameat2 is not None:
        _call(_renameat2, source_directory, source, target_directory, target, flags)
    else:
        _call(_renameat2_by_number, source_directory, source, target_directory, target, flags)


def _renameat2_by_number(source_directory, source, target_directory, target, flags):
    number = _RENAMEAT2.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return _libc.syscall(
        ctypes.c_long(number),
        ctypes.c_int(source_directory),
        ctypes.c_char_p(source),
        ctypes.c_int(target_directory),
        ctypes.c_char_p(target),
        ctypes.c_uint(flags),
    )


class _How(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def open_beneath(descriptor, path, flags):
    """Open a path below a directory without following any link or leaving it, in one step (openat2, Linux 5.6)."""
    how = _How(flags, 0, RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    opened = _libc.syscall(ctypes.c_long(OPENAT2), ctypes.c_int(descriptor), path, ctypes.byref(how), size)
    if opened < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return opened


def allocate(descriptor, offset, length):
    """Reserve blocks without changing the file's size."""
    _call(_fallocate, descriptor, FALLOCATE_KEEP_SIZE, offset, length)


def punch_hole(descriptor, offset, length):
    _call(_fallocate, descriptor, FALLOCATE_KEEP_SIZE | FALLOCATE_PUNCH_HOLE, offset, length)


TO_THE_END = 0


def start_writing(descriptor, offset, length):
    """Ask the kernel to begin writing a range back, without waiting for it."""
    _call(_sync_file_range, descriptor, offset, length, SYNC_RANGE_WRITE)
