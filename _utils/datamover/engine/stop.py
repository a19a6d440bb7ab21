"""How work ends early: said once, with its reason, to every thread that waits for anything."""

import os
import select
import threading
import time
import weakref
from collections import deque
from contextlib import ExitStack


class Stopped(Exception):
    """Raised in a thread that finds its work stopped; the reason is kept by the Stop, this only unwinds."""


class Stop:
    """The first reason wins. Its file descriptor becomes readable, so that it can be polled beside a socket."""

    def __init__(self):
        self.reason = None
        self._lock = threading.RLock()  # a signal handler may set what its own thread is just asking
        self._listeners = []
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self._fd)

    def set(self, reason):
        """End the work because of `reason` (an exception). False when it had already ended."""
        with self._lock:
            if self.is_set():
                return False
            self.reason = reason
            listeners, self._listeners = self._listeners, []
        os.eventfd_write(self._fd, 1)
        self._tell(listeners)
        return True

    def _tell(self, listeners):
        """Nobody is left out because somebody before him fails."""
        with ExitStack() as telling:
            for listener in reversed(listeners):
                telling.callback(listener, self.reason)

    def is_set(self):
        return self.reason is not None

    def wait(self, seconds):
        """Wait for the end, at most so long; say whether it has come."""
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def check(self):
        """Raise Stopped when the work has ended."""
        if self.is_set():
            raise Stopped

    def fileno(self):
        return self._fd

    def on_set(self, listener):
        """Call `listener(reason)` once, when the work ends or now if it has."""
        with self._lock:
            if not self.is_set():
                self._listeners.append(listener)
                return
        listener(self.reason)

    def child(self):
        """A Stop that ends when this one does, and can end without it."""
        child = Stop()
        self.on_set(child.set)
        return child


class Countdown:
    """A number of seconds that runs down from now."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    def left(self):
        return max(0.0, self._end - time.monotonic())


def wait_ready(fd, events, timeout, stop):
    """Wait for poll `events` on `fd`, at most `timeout` seconds (None: for ever). False on timeout; Stopped on stop."""
    poller = select.poll()
    poller.register(stop.fileno(), select.POLLIN)
    poller.register(fd, events)
    ready = poller.poll(None if timeout is None else max(0, timeout) * 1000)
    stop.check()
    return bool(ready)


class Changes(threading.Condition):
    """A condition whose waits end with the work too."""

    def __init__(self, stop, lock=None):
        super().__init__(lock)
        self._work = stop
        stop.on_set(self._wake)

    def until(self, possible):
        """Wait, holding the lock, until `possible()`; Stopped when the work has ended."""
        self.wait_for(lambda: self._work.is_set() or possible())
        self._work.check()

    def _wake(self, _reason):
        with self:
            self.notify_all()


class Lane:
    """A bounded queue from thread to thread, whose waits end with the work."""

    def __init__(self, limit, stop, items=()):
        self._items = deque(items)
        self._limit = limit
        self._work = stop
        self._changed = Changes(stop)

    def put(self, item):
        """Append an item, waiting while the lane is full."""
        with self._changed:
            self._changed.until(lambda: len(self._items) < self._limit)
            self._items.append(item)
            self._changed.notify_all()

    def offer(self, item):
        """Append an item if there is room; say whether there was."""
        with self._changed:
            room = len(self._items) < self._limit
            if room:
                self._items.append(item)
                self._changed.notify_all()
            return room

    def get(self):
        """Take the oldest item, waiting while there is none."""
        with self._changed:
            self._changed.until(lambda: self._items)
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def get_within(self, seconds):
        """Take the oldest item; None if there is none for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._work.is_set() or self._items, seconds)
            self._work.check()
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def rest(self):
        """Take all items that are there, possibly none, even after the end."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items


class Crew:
    """Threads at one work: the first trouble of any of them stops all."""

    def __init__(self, name, stop):
        self._name = name
        self._stop = stop
        self._threads = []

    def start(self, name, work, *args):
        # A thread that hangs in the kernel (a dead disk) must not keep the process from ending.
        thread = threading.Thread(target=self._run, args=(work, args), name=f"{self._name} {name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work, args):
        try:
            work(*args)
        except Stopped:
            pass
        except BaseException as trouble:
            self._stop.set(trouble)

    def join(self, timeout):
        """Wait for all threads, at most `timeout` seconds in sum; return the names of those that did not end."""
        countdown = Countdown(timeout)
        for thread in self._threads:
            thread.join(countdown.left())
        return [thread.name for thread in self._threads if thread.is_alive()]
