"""Copies a range of one file into another: blocks are shared where the file system can do that, holes stay holes."""

import errno
import os

from . import sparse

CHUNK = 16 * 1024 * 1024
_UNABLE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.ETXTBSY})


def copy(source, status, target, offset, length, before):
    """Copy a range to the same offset of another open file; `status` is the fstat of the source.

    `before(length)` is called before so much data is copied; holes are passed over.
    """
    end = min(offset + length, status.st_size)
    extents = sparse.extents(source, end, offset) if sparse.has_holes(status) else [(offset, end - offset, False)]
    for start, size, is_hole in extents:
        for at in () if is_hole else range(start, start + size, CHUNK):
            before(min(CHUNK, start + size - at))
            _copy_data(source, target, at, min(CHUNK, start + size - at))


def _copy_data(source, target, offset, length):
    end = offset + length
    while offset < end:
        done = _share(source, target, offset, end - offset) or _carry(source, target, offset, end - offset)
        if not done:
            return  # It became shorter; who reads back sees it.
        offset += done


def _share(source, target, offset, length):
    """In the kernel, which shares the blocks if it can; 0 where it can do neither."""
    try:
        return os.copy_file_range(source, target, length, offset, offset)
    except OSError as error:
        if error.errno in _UNABLE:
            return 0
        raise


def _carry(source, target, offset, length):
    data = os.pread(source, min(length, sparse.CHUNK), offset)
    return os.pwrite(target, data, offset) if data else 0
