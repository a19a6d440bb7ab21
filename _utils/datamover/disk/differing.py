"""What differs, however much it is: everything is counted, and the first few are told in detail."""

from .safepath import encode_path

SHOWN = 200


class Troubles:
    """`counts` says how often each of `kinds` was added, `shown` holds the first: dicts of path, what and why."""

    def __init__(self, kinds, shown=SHOWN):
        self.counts = dict.fromkeys(kinds, 0)
        self.shown = []
        self._most = shown

    def __bool__(self):
        return any(self.counts.values())

    @property
    def more(self):
        return sum(self.counts.values()) - len(self.shown)

    def add(self, path, what, why):
        self.counts[what] += 1
        if len(self.shown) < self._most:
            self.shown.append({"path": encode_path(path), "what": what, "why": why})
