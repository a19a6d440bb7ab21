"""Pipes between us and a program, whose waits end with the work. One thread reads or writes one of them at a time."""

import contextlib
import fcntl
import os
import select

from ..engine.stop import wait_ready

F_SETPIPE_SZ = 1031
CAPACITY = 1024 * 1024


def widen(descriptor):
    """Let more lie in a pipe, so that both sides get on in larger steps; where that is not allowed it is as it was."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, CAPACITY)


def read_into(descriptor, view, stop):
    """Read at least one byte as soon as there is one; how many, 0 at the end."""
    wait_ready(descriptor, select.POLLIN, None, stop)
    return os.readv(descriptor, [view])


def write(descriptor, view, stop):
    """Write all of it to a pipe that does not block, as fast as it is taken. BrokenPipeError if nobody takes it."""
    view = memoryview(view)
    while len(view):
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            wait_ready(descriptor, select.POLLOUT, None, stop)
