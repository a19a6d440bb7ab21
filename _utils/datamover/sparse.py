"""Files with holes: where the data is, and digests that do not read the holes."""

import errno
import os

from .blocks import ContentBuilder

CHUNK = 1024 * 1024


def extents(descriptor, size):
    """(offset, length, is_hole) of a file's ranges in order, from 0 to `size`.

    All data where the file system cannot tell.
    """
    offset = 0
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


def has_holes(status):
    """Whether fewer blocks are allocated than the size needs.

    Compressing file systems may say so of files without holes.
    """
    return status.st_blocks * 512 < status.st_size


def read_into(descriptor, offset, view):
    """Fill `view` from the file; fewer bytes than asked only at its end."""
    done = 0
    while done < len(view):
        count = os.preadv(descriptor, [view[done:]], offset + done)
        if not count:
            break
        done += count
    return done


def digest(descriptor, status, new_hasher, block_size):
    """The Content of an open file, of which `status` is the fstat; shorter than its size if it shrinks meanwhile."""
    builder = ContentBuilder(new_hasher, block_size)
    if status.st_size <= CHUNK:
        builder.update(os.pread(descriptor, status.st_size, 0))
    else:
        _digest_large(descriptor, status, builder)
    return builder.finish()


def _digest_large(descriptor, status, builder):
    view = memoryview(bytearray(CHUNK))
    size = status.st_size
    for offset, length, is_hole in extents(descriptor, size) if has_holes(status) else [(0, size, False)]:
        if is_hole:
            builder.hole(length)
        elif not digest_range(descriptor, offset, length, view, builder):
            return


def digest_range(descriptor, offset, length, view, builder):
    """Feed a range to a ContentBuilder through the buffer `view`; False if the file ends before it does."""
    end = offset + length
    while offset < end:
        part = view[: min(len(view), end - offset)]
        count = read_into(descriptor, offset, part)
        builder.update(part[:count])
        if count < len(part):
            return False
        offset += count
    return True
