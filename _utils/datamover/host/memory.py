"""Keeps the memory of this process, where its keys are, to this process."""

import ctypes
import os
import resource

SET_DUMPABLE = 4

_libc = ctypes.CDLL(None, use_errno=True)


def keep_to_itself():
    """From now on no crash leaves a picture of this memory on a disk, nor of that of a program which it starts.

    The limit counts for those programs; what takes crashes in the kernel's stead may disregard a limit, so this process
    is told to the kernel as one of which there are no pictures at all.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc.prctl(SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
