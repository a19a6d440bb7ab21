"""Files with holes: where the data is, and digests that do not read the holes."""

import errno
import os

from ..blocks import ContentBuilder, content_of
from . import kernel

CHUNK = 1024 * 1024
HOLE = 1024 * CHUNK


def nothing():
    """What is done where nobody asks for more."""


def extents(descriptor, size, offset=0):
    """(offset, length, is_hole) of a file's ranges in order, from `offset` to `size`.

    All data where the file system cannot tell.
    """
    while offset < size:
        data = min(_seek_data(descriptor, offset, size), size)
        if data > offset:
            yield offset, data - offset, True
        if data == size:
            return
        offset = min(_seek_hole(descriptor, data, size), size)
        yield data, offset - data, False


def _seek_data(descriptor, offset, size):
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        if error.errno == errno.EINVAL:
            return offset
        raise


def _seek_hole(descriptor, offset, size):
    try:
        return os.lseek(descriptor, offset, os.SEEK_HOLE)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EINVAL):
            return size
        raise


def data_within(descriptor, size):
    """How many of the first `size` bytes of a file are data, and no hole."""
    there = min(os.fstat(descriptor).st_size, size)
    return sum(length for _, length, is_hole in extents(descriptor, there) if not is_hole)


def has_holes(status):
    """Whether fewer blocks are allocated than the size needs.

    Compressing file systems may say so of files without holes.
    """
    return status.st_blocks * 512 < status.st_size


def clear(descriptor, offset, length):
    """Make a range a hole, or zeros where the file system cannot."""
    try:
        kernel.punch_hole(descriptor, offset, length)
    except OSError as error:
        if error.errno not in kernel.UNSUPPORTED:
            raise
        for at in range(offset, offset + length, CHUNK):
            os.pwrite(descriptor, bytes(min(CHUNK, offset + length - at)), at)


def read_into(descriptor, offset, view):
    """Fill `view` from the file; fewer bytes than asked only at its end."""
    done = os.preadv(descriptor, [view], offset) if len(view) else 0
    while 0 < done < len(view):
        count = os.preadv(descriptor, [view[done:]], offset + done)
        if not count:
            break
        done += count
    return done


def digest(descriptor, status, new_hasher, block_size, step=nothing):
    """The Content of an open file, of which `status` is the fstat; shorter than its size if it shrinks meanwhile.

    `step` is called now and then, so that long reading is seen to get on.
    """
    if status.st_size <= CHUNK:
        return content_of(os.pread(descriptor, status.st_size, 0), new_hasher, block_size)
    builder = ContentBuilder(new_hasher, block_size)
    feed(descriptor, status, 0, status.st_size, builder, step)
    return builder.finish()


def feed(descriptor, status, offset, length, builder, step=nothing):
    """Give a range of an open file to a ContentBuilder, holes unread; less of it if the file ends before."""
    view = memoryview(bytearray(CHUNK))
    for at, size, is_hole in _parts(descriptor, status, offset, length):
        if is_hole:
            builder.hole(size)
        else:
            count = read_into(descriptor, at, view[:size])
            builder.update(view[:count])
            if count < size:
                return
        step()


def _parts(descriptor, status, offset, length):
    """Extents of a range, cut so that each can be taken in one go."""
    known = extents(descriptor, offset + length, offset) if has_holes(status) else [(offset, length, False)]
    for start, size, is_hole in known:
        most = HOLE if is_hole else CHUNK
        for at in range(start, start + size, most):
            yield at, min(most, start + size - at), is_hole
