"""Empties a directory that is ours, without following a link, at any depth, with few descriptors; may be repeated.

What is no directory is unlinked; directories are moved up into the top, each under a new name, to be emptied in turn.
So the depth is always one, whatever is left after an interruption lies inside the same top directory, and nothing that
is mounted somewhere below is ever entered: a mount point cannot be moved.
"""

import errno
import os
from contextlib import suppress
from itertools import count

from .safepath import OPEN_DIRECTORY

_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})


def empty(top, last):
    """Remove all that is in the open directory `top`, and the file `last` in it when nothing else is left."""
    numbers = count()
    pending = _lift_directories(top, top, numbers, spared=last)
    while pending:
        name = pending.pop()
        try:
            directory = os.open(name, OPEN_DIRECTORY, dir_fd=top)
        except FileNotFoundError:
            continue
        try:
            pending += _lift_directories(directory, top, numbers)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=top)
    with suppress(FileNotFoundError):
        os.unlink(last, dir_fd=top)


def clear(top, name):
    """Remove what has this name in the open directory `top`, if anything has: a directory with all that is in it."""
    if _unlinked(top, name):
        return
    directory = os.open(name, OPEN_DIRECTORY, dir_fd=top)
    try:
        empty(directory, last=b"last")
    finally:
        os.close(directory)
    os.rmdir(name, dir_fd=top)


def _lift_directories(directory, top, numbers, spared=None):
    """Unlink all else in `directory`, save what is spared, and move its directories into `top`; their new names."""
    os.fchmod(directory, 0o700)
    names = [name for name in map(os.fsencode, os.listdir(directory)) if name != spared]
    return [_lift(directory, name, top, numbers) for name in names if not _unlinked(directory, name)]


def _unlinked(directory, name):
    try:
        os.unlink(name, dir_fd=directory)
    except IsADirectoryError:
        return False
    except FileNotFoundError:
        pass
    return True


def _lift(directory, name, top, numbers):
    """Move a directory up into `top`; its new name.

    One that an earlier, interrupted removal left there is passed over.
    """
    for number in numbers:
        lifted = b"%d.going" % number
        try:
            os.rename(name, lifted, src_dir_fd=directory, dst_dir_fd=top)
            return lifted
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
