"""Sees each program that begins in a machine before its own first line, however short it lives.

What is linked dynamically first opens the cache of the linker. The kernel asks us whether it may, and until we have
answered, its arguments and its environment are there to be read.
"""

import contextlib
import ctypes
import os
import select
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.waiting import PATIENCE

DOOR = "/etc/ld.so.cache"
ASKED_BEFORE, CLOSE_ON_EXEC = 4, 1
ADD, OPENS = 1, 0x10000
EVENT, ANSWER, ALLOW = struct.Struct("=IBBHQii"), struct.Struct("=iI"), 1
AT_WORKING_DIRECTORY = -100
MOST = 4096
LOOK_EVERY = 0.5

_libc = ctypes.CDLL(None, use_errno=True)


class Doorkeeper:
    """A context manager, to be asked again and again: `come_in` gives the processes that wait at the door."""

    def __init__(self, machine):
        self._machine = machine
        self._descriptor = None

    def __enter__(self):
        self._descriptor = _checked(_libc.fanotify_init(ASKED_BEFORE | CLOSE_ON_EXEC, os.O_RDONLY | os.O_CLOEXEC))
        self._stand_at_the_door()
        return self

    def __exit__(self, *_):
        os.close(self._descriptor)

    def come_in(self, seconds):
        """The ids, as seen from here, of those who come within so many seconds; each is let in after its turn."""
        self._stand_at_the_door()
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        events = os.read(self._descriptor, MOST) if ready else b""
        for *_, opened, pid in EVENT.iter_unpack(events):
            try:
                yield pid
            finally:
                os.write(self._descriptor, ANSWER.pack(opened, ALLOW))
                os.close(opened)

    @contextlib.contextmanager
    def held(self, *words, patience=PATIENCE):
        """The first program that begins with all these words in its command line. Neither it nor anything that begins
        in the machine after it runs before the `with` is over.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for pid in self.come_in(1):
                if set(words) <= set(command_line(pid)):
                    yield
                    return
        raise AssertionError(f"no {' '.join(words)} began in {self._machine.name} within {patience} s")

    def _stand_at_the_door(self):
        """A machine that has booted again has another one. One that is about to boot still shows that of the host."""
        with contextlib.suppress(FileNotFoundError), _without_entering(self._machine.path(DOOR)) as door:
            if not os.path.samestat(os.fstat(door), os.stat(DOOR)):
                path, mask = f"/proc/self/fd/{door}".encode(), ctypes.c_uint64(OPENS)
                _checked(_libc.fanotify_mark(self._descriptor, ADD, mask, AT_WORKING_DIRECTORY, path))


@contextlib.contextmanager
def overlooked(machine):
    """A list that gets, of each program that begins in the machine meanwhile, what it shows: arguments, environment."""
    shown, over = [], threading.Event()

    def look(door):
        while not over.is_set():
            shown.extend(map(_shown, door.come_in(LOOK_EVERY)))

    with Doorkeeper(machine) as door, ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look, door)
        try:
            yield shown
        finally:
            over.set()
        looking.result()


def _shown(pid):
    with contextlib.suppress(OSError):
        return b" ".join(Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ"))
    return b""


def command_line(pid):
    """The words of a process, its program by its name alone; none of one that has ended."""
    with contextlib.suppress(OSError):
        program, *words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return [os.path.basename(program), *words]
    return []


@contextlib.contextmanager
def _without_entering(path):
    """A descriptor of a file that nobody is asked about: we would wait for ourselves."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"fanotify: {os.strerror(number)}")
    return result

