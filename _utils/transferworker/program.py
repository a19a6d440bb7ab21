"""The commands of the worker's program: run a worker, undo after a dead one, guard one where systemd does not."""

import logging
import os
import sys

from datamover.host import memory
from datamover.host.rundir import RunDir

USAGE = 2

log = logging.getLogger(__name__)


def main(words):
    """Carry out the command line; returns the exit status."""
    os.umask(0o077)
    memory.keep_to_itself()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s")
    match words:
        case ["run", path, *descriptor]:
            return _run(RunDir(path), *map(int, descriptor))
        case ["undo", path]:
            return _undo(RunDir(path))
        case ["guard", path, descriptor, *writable]:
            return _guard(path, int(descriptor), writable)
    print("usage: run RUN [DESCRIPTOR] | undo RUN | guard RUN DESCRIPTOR WRITABLE...", file=sys.stderr)
    return USAGE


def _run(run, descriptor=None):
    # Only here, so that undoing after a worker does not load what moves bytes.
    from . import niceness, notify, worker

    if notify.NOTIFY_SOCKET in os.environ:
        log.info("what the worker writes is confined by systemd")
    else:
        niceness.LEVELS[run.spec["settings"]["nice"]].take()
    return worker.run(run, notify.notifier(os.environ, descriptor))


def _undo(run, attempt=None):
    from . import undoing

    if run.verdict is None or run.undo.pending():
        undoing.undo_dead(run, attempt=attempt)
    return 0


def _guard(path, starter, writable):
    """Become nobody's child in a session of our own, stay until the worker is over, undo after it."""
    from . import guardian

    if os.fork():
        return 0
    os.setsid()
    return _undo(RunDir(path), guardian.guard(path, starter, writable))
