"""A program that works beside us, reading or writing a pipe of ours: tied to our life, heard in a file, really ended.

It gets a session of its own, so that all it starts can be ended with it, and the kernel kills it when the thread that
started it is gone, however that ended. Some backup tools block SIGTERM: they are asked by SIGINT, then killed.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from .process import ENVIRONMENT

PATIENCE = 5.0
"""Seconds that a program has to end by itself after SIGINT."""
WORDS = 2000
"""Bytes of what it said last that are worth telling."""
TAIL = 64 * 1024

CODE = str(Path(__file__).resolve().parents[2])

# The new program replaces this one, with the tie that only it can make. If we died in between nobody is there to see.
_TIE = """
import ctypes, os, signal, sys
_, parent, code, *argv = sys.argv
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(parent): sys.exit(1)
"""
_CONFINE = """
sys.path.insert(0, code)
from datamover.host.confine import confine
confine([b"."])
"""
_BECOME = """
try:
    os.execvp(argv[0], argv)
except OSError as error:
    sys.exit(f"{argv[0]} cannot be started: {error.strerror}")
"""


class Child:
    """Started at once; `stdin`, `stdout` are descriptors or subprocess.PIPE, what it says goes to the file `said`.

    Start it in a thread that lives as long as it shall. `directory` (a path or /proc/self/fd/N) is where it works; if
    it is `confined` it can write nowhere else, where the kernel has Landlock.
    """

    def __init__(
        self,
        argv,
        said,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        directory="/",
        pass_fds=(),
        confined=False,
    ):
        self.name = os.path.basename(argv[0])
        self._said = said
        starting = _TIE + (_CONFINE if confined else "") + _BECOME
        tied = (sys.executable, "-I", "-S", "-B", "-c", starting, str(os.getpid()), CODE, *argv)
        with open(said, "ab", opener=_private) as out:
            self._process = subprocess.Popen(
                tied,
                stdin=stdin,
                stdout=stdout,
                stderr=out,
                cwd=directory,
                env=ENVIRONMENT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        self._descriptor = os.pidfd_open(self._process.pid)
        self.stdin, self.stdout = self._process.stdin, self._process.stdout

    @property
    def pid(self):
        return self._process.pid

    def fileno(self):
        """Readable when the program has ended."""
        return self._descriptor

    @property
    def status(self):
        """How it ended; below zero the signal that ended it, None while it runs."""
        return self._process.poll()

    def ends_within(self, seconds):
        """Wait for its end; whether it came."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        return bool(poller.poll(seconds * 1000)) and self.status is not None

    def end(self):
        """End it and all that it started, at last by force; may be repeated."""
        if self.status is None:
            self._signal(signal.SIGINT)
            self.ends_within(PATIENCE)
        self._signal(signal.SIGKILL)  # what it started may outlive it
        self._process.wait()
        for pipe in (self.stdin, self.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    @property
    def last_words(self):
        """The end of what it said, on one line."""
        return words(tail(self._said, WORDS))


def tail(path, size=TAIL):
    """The last so many bytes of a file."""
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return file.read(size)


def words(said):
    """What a program said, as one line of text."""
    lines = said.decode("utf-8", "backslashreplace").splitlines()
    return "; ".join(line.strip() for line in lines if line.strip()) or "it said nothing"


def ended(status):
    """Words for how a program ended."""
    if status >= 0:
        return f"ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def _private(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
