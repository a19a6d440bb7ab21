"""Locks that live exactly as long as the process that holds them: flock on a file that is never replaced.

Holders take the file exclusively. Who only wants to know takes it shared for a moment, so that two who look never see
each other; who wants to hold it therefore always waits a little instead of giving up at the first refusal.
"""
import fcntl
import os
import threading

MOMENT = 2.0


class Held:
    """A lock that is held, until `release`, the end of the `with` block or the end of the process."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def release(self):
        if self._descriptor is not None:
            _close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.release()


class _Wait:
    """A wait in a thread of its own, because flock knows no timeout. Given up, it lets go of what it gets too late."""

    def __init__(self, descriptor, kind):
        self._descriptor = descriptor
        self._decision = threading.Lock()
        self._given_up = False
        self._granted = threading.Event()
        threading.Thread(target=self._wait, args=(kind,), daemon=True).start()

    def _wait(self, kind):
        fcntl.flock(self._descriptor, kind)
        with self._decision:
            if self._given_up:
                _close(self._descriptor)
            else:
                self._granted.set()

    def granted(self, seconds):
        self._granted.wait(seconds)
        with self._decision:
            self._given_up = not self._granted.is_set()
            return not self._given_up


def hold(path, seconds=MOMENT):
    """Take the lock and return it as a Held; None if others held it for all of `seconds`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    return Held(descriptor) if _taken(descriptor, fcntl.LOCK_EX, seconds) else None


def is_held(path):
    """Whether some process holds the lock. A file that does not exist is held by nobody."""
    return not wait_free(path, 0)


def wait_free(path, seconds):
    """Wait until nobody holds the lock; False if somebody did for all of `seconds`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    if not _taken(descriptor, fcntl.LOCK_SH, seconds):
        return False
    _close(descriptor)
    return True


def _taken(descriptor, kind, seconds):
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        if seconds > 0:
            return _Wait(descriptor, kind).granted(seconds)
    os.close(descriptor)
    return False


def _close(descriptor):
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
