"""How far a transfer is: a phase and counters, changed by many threads, told to whoever listens."""

import threading
from dataclasses import dataclass, replace

from ..wire import PHASES
from .stages import Timesheet


@dataclass(frozen=True)
class Counters:
    """What is counted. Totals are known in the end; until then they are what was found so far or estimated."""

    bytes_total: int = 0
    bytes_done: int = 0
    files_total: int = 0
    files_done: int = 0
    bytes_verified: int = 0
    estimated: bool = False


class Progress:
    """Phase and counters of this end, where its time goes, and what the other end last told of its own.

    `limit` is how many bytes a second may travel, 0 for any number, and None at an end that does not send.
    """

    def __init__(self, phase="prepared", **counters):
        self._lock = threading.Lock()
        self._phase = phase
        self._counters = Counters(**counters)
        self.peer = None
        self.steps = 0
        self.times = Timesheet()
        self.limit = None
        self._listeners = []

    @property
    def phase(self):
        return self._phase

    @property
    def counters(self):
        return self._counters

    def listen(self, listener):
        """Call `listener(what, details)` for every phase and notable event, in the thread where it happens."""
        self._listeners.append(listener)

    def enter(self, phase):
        """Begin a phase; one that comes before the present one is over already, and nothing is told."""
        with self._lock:
            if PHASES.index(phase) < PHASES.index(self._phase):
                return
            self._phase = phase
        self.tell("phase", phase=phase)

    def tell(self, what, **details):
        for listener in self._listeners:
            listener(what, details)

    def add(self, **amounts):
        """Add to counters."""
        with self._lock:
            counters = self._counters
            sums = {name: getattr(counters, name) + amount for name, amount in amounts.items()}
            self._counters = replace(counters, **sums)

    def put(self, **values):
        """Set counters."""
        with self._lock:
            self._counters = replace(self._counters, **values)

    def step(self):
        """Note that something got on that no counter shows."""
        self.steps += 1

    def hear(self, phase, counters):
        """Note what the other end said of itself (any value that compares)."""
        self.peer = (phase, counters)

    def mark(self):
        """A value that differs whenever either end has got on; a heartbeat alone leaves it equal."""
        return self._phase, self._counters, self.steps, self.peer
