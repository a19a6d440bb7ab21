"""Calls of the Linux kernel that Python's os module does not have: syncfs, renameat2, fallocate, sync_file_range.

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


def allocate(descriptor, offset, length):
    """Reserve blocks without changing the file's size."""
    _call(_fallocate, descriptor, FALLOCATE_KEEP_SIZE, offset, length)


def punch_hole(descriptor, offset, length):
    _call(_fallocate, descriptor, FALLOCATE_KEEP_SIZE | FALLOCATE_PUNCH_HOLE, offset, length)


def start_writing(descriptor, offset, length):
    """Ask the kernel to begin writing a range back, without waiting for it."""
    _call(_sync_file_range, descriptor, offset, length, SYNC_RANGE_WRITE)
