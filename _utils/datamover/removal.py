"""Removes a tree that is ours, without following a link, at any depth, with few open directories; may be
repeated after a cut.

A directory is emptied by unlinking what is in it and by moving the directories in it up beside it, each under a
new name, to be emptied in turn. So the depth is always one, whatever is left after an interruption lies inside
the same top directory, and nothing that is mounted somewhere below is ever entered: a mount point cannot be
moved.
"""

import errno
import os
from itertools import count

from .safepath import OPEN_DIRECTORY
from .trouble import on_disk

_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})


def remove_tree(parent, name):
    """Remove the directory `name` of the open directory `parent` with all that is in it; nothing if it is not there."""
    with on_disk("remove", name):
        try:
            top = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            return
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=parent)


def _empty(top):
    numbers = count()
    pending = _lift_directories(top, top, numbers)
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


def _lift_directories(directory, top, numbers):
    """Unlink all else in `directory` and move its directories into `top`; their new names."""
    return [_lift(directory, name, top, numbers) for name in _unlink_all_but_directories(directory)]


def _unlink_all_but_directories(directory):
    """The names of the directories, which remain."""
    os.fchmod(directory, 0o700)
    return [name for name in map(os.fsencode, os.listdir(directory)) if not _unlinked(directory, name)]


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
