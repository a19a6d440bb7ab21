"""Where the time of one end goes: each of its threads is in one stage at a time; a stage adds up over all threads.

A change of stage costs well under a microsecond and is noted around hundreds of kilobytes, or around a whole pack of
small files, so the times can always be kept.
"""

import threading
import time
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Stages:
    """Seconds by stage, over all threads of one end.

    `network` is sending and receiving, and waiting for the other end to take or give more; `limit` is waiting because
    of a limit that was set; `wait` is waiting for other threads of this end, or for what the other end has to say of
    what it holds.
    """

    list: float = 0.0
    read: float = 0.0
    digest: float = 0.0
    compress: float = 0.0
    encrypt: float = 0.0
    limit: float = 0.0
    network: float = 0.0
    decrypt: float = 0.0
    decompress: float = 0.0
    write: float = 0.0
    flush: float = 0.0
    read_back: float = 0.0
    wait: float = 0.0

    def as_dict(self):
        """Those that took time, in milliseconds' precision."""
        return {name: round(seconds, 3) for name, seconds in asdict(self).items() if seconds >= 0.0005}


STAGES = tuple(field.name for field in fields(Stages))


WORTH_A_LOOK = 16 * 1024
"""Two looks at the clock take 2 us, digesting so many bytes 5 us and more."""


class Timesheet:
    """For any thread: `with times.on(stage)` puts the calling thread into a stage, and back where it was after it."""

    def __init__(self, clock=time.monotonic_ns):
        self._clock = clock
        self._own = threading.local()
        self._watches = []

    def on(self, stage):
        return _Spell(self._watch(), stage)

    def over(self, stage, items):
        """The same items; what it takes to get each is spent on this stage."""
        items = iter(items)
        while True:
            with self.on(stage):
                item = next(items, self)
            if item is self:
                return
            yield item

    def hashing(self, new_hasher):
        """Makes hashers like `new_hasher`; updates that are worth a look at the clock are spent on digesting."""
        return lambda: _Hasher(new_hasher(), self)

    def stages(self):
        """What was spent until now."""
        now = self._clock()
        sums = dict.fromkeys(STAGES, 0)
        for watch in list(self._watches):
            for name, spent in watch.until(now).items():
                sums[name] += spent
        return Stages(**{name: spent / 1e9 for name, spent in sums.items()})

    def _watch(self):
        watch = getattr(self._own, "watch", None)
        if watch is None:
            watch = self._own.watch = _Watch(self._clock)
            self._watches.append(watch)
        return watch


class _Watch:
    """One thread's: the stage it is in, and since when."""

    __slots__ = ("_clock", "_spent", "_present")

    def __init__(self, clock):
        self._clock = clock
        self._spent = dict.fromkeys(STAGES, 0)
        self._present = None, 0

    def switch(self, stage):
        """Go into a stage (None: none); return the one before."""
        before, since = self._present
        now = self._clock()
        if before:
            self._spent[before] += now - since
        self._present = stage, now
        return before

    def until(self, now):
        """Nanoseconds by stage, with those of the present one; seen from another thread they may be a moment old."""
        spent, (stage, since) = dict(self._spent), self._present
        if stage:
            spent[stage] += max(0, now - since)
        return spent


class _Spell:
    """A context: a thread's stay in a stage."""

    __slots__ = ("_watch", "_stage", "_before")

    def __init__(self, watch, stage):
        self._watch = watch
        self._stage = stage

    def __enter__(self):
        self._before = self._watch.switch(self._stage)

    def __exit__(self, *_exception):
        self._watch.switch(self._before)


class _Hasher:
    """A hasher whose work is accounted for."""

    __slots__ = ("_hasher", "_times")

    def __init__(self, hasher, times):
        self._hasher = hasher
        self._times = times

    def copy(self):
        return _Hasher(self._hasher.copy(), self._times)

    def update(self, data):
        if len(data) < WORTH_A_LOOK:
            self._hasher.update(data)
            return
        with self._times.on("digest"):
            self._hasher.update(data)

    def digest(self):
        return self._hasher.digest()
