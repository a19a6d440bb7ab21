"""Several attempts of one transfer, one after another, as the worker makes them: staging stays, journals follow."""

import os

from datamover.errors import ConnectionLost
from tests.functional.datamover.ends import Ends
from tests.functional.datamover.places import independent_differences


class Attempts:
    """alpha:`root` to beta:`folder`/final, as often as it takes; each attempt is an Ends."""

    kind = Ends

    def __init__(self, root, folder, **settings):
        self.root, self.folder, self.settings = root, folder, settings
        self.number = 0
        self._memory = folder.parent / "source-journals"
        self._memory.mkdir()

    def next(self, **more):
        """The Ends of the next attempt; the source's journal remembers what the one before found."""
        self.number += 1
        paths = [self._memory / f"{number}.db" for number in (self.number - 1, self.number)]
        more = {"journals": (paths[1], ""), "earlier": paths[:1], **self.settings, **more}
        return self.kind(self.root, self.folder, attempt=self.number, **more)

    def cut(self, portion, **more):
        """An attempt that loses its connection when this portion of all bytes has landed; its outcomes."""
        ends = self.next(**more)
        cut_at(ends, portion * all_bytes(self.root))
        outcomes = ends.run()
        assert all(outcome.error for outcome in outcomes) and ends.sealed == []
        self.close(ends)
        return outcomes

    def complete(self, **more):
        """An attempt that must go well and end equal; (its Ends, the source's outcome, the destination's)."""
        ends = self.next(**more)
        sent, received = ends.run()
        assert (sent.error, received.error) == (None, None), (sent.error, received.error)
        assert sent.root == received.root and ends.sealed == [True]
        assert independent_differences(os.fsencode(self.root).decode(), ends.arrived) == []
        assert (sent.held_bytes, sent.moved_bytes) == (received.held_bytes, received.moved_bytes)
        self.close(ends)
        return ends, sent, received

    @staticmethod
    def close(ends):
        ends.close()
        ends.alpha.journal.close()
        ends.made.remove(ends)

    @property
    def staged(self):
        """Where the last attempt's data lies."""
        return self.folder / f".salt-transfer-{'ab' * 16}" / "data"


def cut_at(ends, count):
    """Lose the connection as soon as so many bytes are done at the destination."""
    def look():
        if ends.beta.progress.counters.bytes_done >= count:
            ends.beta.stop.set(ConnectionLost("the test cut the connection"))

    add = ends.beta.progress.add

    def add_and_look(**amounts):
        add(**amounts)
        look()

    ends.beta.progress.add = add_and_look


def all_bytes(root):
    if root.is_file():
        return root.stat().st_size
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())
