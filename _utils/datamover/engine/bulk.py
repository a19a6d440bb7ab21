"""What the bulk streams of either end have in common, taken together."""

from ..errors import ProtocolError


class Bulk:
    """All bulk streams of one end, by their numbers from 1 on.

    Each has `reached` (bytes beyond which nothing has moved yet), `figures` and, while it has no connection, `trouble`.
    """

    def __init__(self, streams):
        self._all = list(streams)

    def __iter__(self):
        return iter(self._all)

    def __getitem__(self, number):
        """The stream of this number; ProtocolError if there is none."""
        if not 1 <= number <= len(self._all):
            raise ProtocolError(f"stream {number} was spoken of; {len(self._all)} were agreed on")
        return self._all[number - 1]

    @property
    def reached(self):
        return sum(stream.reached for stream in self._all)

    @property
    def figures(self):
        return tuple(stream.figures for stream in self._all)

    @property
    def troubles(self):
        """Words for each stream that has no connection."""
        return "".join(f"; {stream.trouble.text}" for stream in self._all if stream.trouble)
