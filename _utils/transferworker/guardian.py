"""Where systemd does not: runs a worker, passes on that it is ready, kills it when it stands still, undoes after it."""

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys

from datamover.host import confine
from datamover.host.rundir import RunDir

from . import notify

STARTING = 60.0
"""Seconds in which the worker must have begun to beat."""
TICKS = 10
"""In which silence is counted, because a host that slept for a day was not silent for a day."""
WORDS = 4096

log = logging.getLogger(__name__)


def guard(path, starter, writable):
    """Run the worker of the run directory `path` until it is over; return its attempt.

    `starter` is the descriptor on which somebody waits to hear that the worker is ready.
    """
    _confine(writable)
    spec = RunDir(path).spec
    worker, beats = _begin(path)
    with worker:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: worker.terminate())
        if not _ends_by_itself(beats, starter, spec["settings"]["lease"]):
            log.error("the worker has stood still for its lease of %g s and is killed", spec["settings"]["lease"])
            worker.kill()
    return spec["attempt"]


def _begin(path):
    """(the worker's process, where its words are read)."""
    beats, writing = os.pipe()
    program = (sys.executable, "-I", "-B", sys.argv[0], "run", path, str(writing))
    try:
        return subprocess.Popen(program, pass_fds=[writing]), beats
    finally:
        os.close(writing)


def _ends_by_itself(beats, starter, lease):
    """Return True when the worker has ended, False when it has been silent for a lease."""
    missed, tick = 0, STARTING / TICKS
    with os.fdopen(starter, "wb", buffering=0) as waiting:
        while missed < TICKS:
            words = _words(beats, tick)
            if words == b"":
                return True
            if words and notify.READY in words:
                _pass_on(waiting)
            missed, tick = (0, lease / TICKS) if words else (missed + 1, tick)
    return False


def _words(beats, seconds):
    """What the worker says within so many seconds; None if nothing, no bytes if it has ended."""
    ready, _, _ = select.select([beats], [], [], seconds)
    return os.read(beats, WORDS) if ready else None


def _pass_on(waiting):
    # Whoever started us may be gone; the lease then decides.
    with contextlib.suppress(BrokenPipeError), waiting:
        waiting.write(notify.READY)


def _confine(writable):
    """The worker, and who undoes after it, can only write where they must."""
    try:
        done = confine.confine(map(os.fsencode, writable))
    except OSError as error:
        log.warning("Landlock cannot be used (%s)", error)
        done = False
    who = "Landlock" if done else "nothing but its own code"
    log.info("what the worker writes is confined by %s to %s", who, ", ".join(map(ascii, writable)))
