"""What the source of a chain has for its links: a tree, which is read again for who lacks it, or a stream.

A stream is made by a thread of its own as the producer gets on, and followed by any number of links, so that none of
them has to end well for another one to begin. It is kept until all hosts hold it.
"""

import threading
from itertools import count

from ..disk.journal import Side
from .holding import Holding, NothingHeld
from .stop import Changes


class Making:
    """run() is for one thread that lives as long as the producer. Trouble of the producer ends the whole transfer."""

    def __init__(self, tree, journal, stop):
        self._tree = tree
        self._journal = journal
        self._found = 0
        self._is_over = False
        self._changed = Changes(stop)

    def run(self):
        for _ in self._tree.walk():
            self._grow(1, over=False)
        self._grow(0, over=True)

    def _grow(self, more, over):
        with self._changed:
            self._found += more
            self._is_over = over
            self._changed.notify_all()

    def _wake(self):
        with self._changed:
            self._changed.notify_all()

    def followed(self, stop):
        """What a link lists, which ends with `stop`."""
        stop.on_set(lambda _reason: self._wake())
        return Following(self, stop)

    def entry(self, number, stop):
        """An entry as soon as it is made; None behind the last one."""
        with self._changed:
            self._changed.until(lambda: stop.is_set() or self._is_over or number < self._found)
            stop.check()
            if number >= self._found:
                return None
        return self._journal.entry(number)


class Following:
    """The list as one link sees it."""

    def __init__(self, making, stop):
        self._making = making
        self._stop = stop

    def walk(self):
        numbers = count()
        while entry := self._making.entry(next(numbers), self._stop):
            yield entry


class Stream:
    """What a producer makes. `behind()` says how much all destinations hold; `crew` and `stop` are the source's own."""

    def __init__(self, tree, journal, behind, crew, stop):
        tree.share()
        self._tree = tree
        self._journal = journal
        self._crew = crew
        self._stop = stop
        self._making = Making(tree, journal, stop)
        self._recorded = 0
        self._beginning = threading.Lock()
        self._has_begun = False
        self.holding = Holding(lambda: self._recorded, behind, tree.let_go_below, stop)

    @property
    def slow(self):
        """When one that lags behind another is slow (see Pace)."""
        return self._tree.slow

    def unhindered(self, count):
        """The seconds in which so much would be made if nobody held it up."""
        return self._tree.unhindered(count)

    def listed(self, stop):
        """What a link lists, which ends with `stop`."""
        return self._making.followed(stop)

    def begin(self, _stop):
        """The way to a destination is proved, be it the first or another one."""
        with self._beginning:
            if self._has_begun:
                return
            self._has_begun = True
        self._crew.start("making", self._make)

    def _make(self):
        """A producer dies with the thread that started it, so that must be none of a link."""
        self._tree.begin(self._stop)
        self._making.run()

    def record(self, number, try_, content):
        """A segment was read whole: from now on its digests are known without it."""
        self._journal.put_contents(Side.OWN, [(number, try_, content)])
        self._recorded = max(self._recorded, number + 1)
        self.holding.note()

    def await_held(self, stop):
        """Wait until all destinations hold everything, and what they made of it is whole."""
        stop.on_set(lambda _reason: self.holding.wake())
        self.holding.wait(self._journal.counts().entries, stop)


class Tree:
    """Files that can be read again; `walk` lists them."""

    holding = NothingHeld()
    slow = ()

    def __init__(self, tree, walk):
        self._tree = tree
        self._walk = walk

    @staticmethod
    def unhindered(_count):
        """It is read no faster than it is sent, so there is no telling."""
        return 0.0

    def listed(self, _stop):
        return self._walk

    def begin(self, stop):
        self._tree.begin(stop)

    def record(self, _number, _try, _content):
        """It lies on a disk."""

    def await_held(self, _stop):
        """Whoever lacks something gets it still when others have published."""
