"""How much of a stream all hosts behind this one hold, so that it needs not be kept for them any more.

A host says it of itself and all behind it that live, so whoever is farther up keeps at least what anybody below lacks:
if hosts die the next one that lives can be served from where it stands.
"""

from .stop import Changes


class Holding:
    """`own()` and `behind()` are entries that are held: here, and by all behind (None if nobody is). `let_go(upto)` is
    told when both have grown. For any thread, also for one that nobody may keep waiting.
    """

    def __init__(self, own, behind, let_go, stop):
        self.upto = 0
        self._own = own
        self._behind = behind
        self._let_go = let_go
        self._changed = Changes(stop)

    def note(self):
        """Something is held that was not, or others are behind."""
        with self._changed:
            own, behind = self._own(), self._behind()
            upto = own if behind is None else min(own, behind)
            if upto <= self.upto:
                return
            self.upto = upto
            self._let_go(upto)
            self._changed.notify_all()

    def await_more(self, known):
        """Return how much is held when that is more than was known."""
        with self._changed:
            self._changed.until(lambda: self.upto > known)
            return self.upto

    def wait(self, count, stop):
        """Return when so many entries are held by all; Stopped when `stop` has ended, which must wake()."""
        with self._changed:
            self._changed.until(lambda: stop.is_set() or self.upto >= count)
        stop.check()

    def wake(self):
        with self._changed:
            self._changed.notify_all()


class NothingHeld:
    """Files and trees lie on a disk, where they can be read again."""

    upto = 0

    def note(self):
        """Nobody waits for that."""
