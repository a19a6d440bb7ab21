"""What the destination of a link has of this attempt already, as it told before anything was sent."""

from bisect import bisect_right

from ..errors import ProtocolError
from .stop import Lane


class Standing:
    """Heard in one thread until it is `whole`; then asked by others."""

    def __init__(self, block_size):
        self.announced = 0
        self._block_size = block_size
        self._landed, self._verified = [], []
        self._tries = {}
        self._filled = {}

    def hear(self, told):
        """Take one message of it."""
        self.announced = told.announced
        self._landed += told.landed
        self._verified += told.verified
        for span in told.spans:
            self._take(span)

    def _take(self, span):
        if span.entry >= self.announced or span.offset % self._block_size:
            raise ProtocolError(f"{span} was told where {self.announced} entries were announced")
        self._tries[span.entry] = span.try_
        frontier, filled = self._filled.setdefault(span.entry, (0, {}))
        if span.offset == 0 and span.length >= self._block_size:
            self._filled[span.entry] = span.length, filled
        elif span.length:
            filled[span.offset] = span.length

    def try_of(self, number):
        """Which try of an entry is meant there."""
        return self._tries.get(number, 1)

    def has_verified(self, number, try_):
        return self.try_of(number) == try_ and _within(self._verified, number)

    def has_all(self, number, try_):
        """Whether this try of a file has landed whole."""
        return self.has_verified(number, try_) or (self.try_of(number) == try_ and _within(self._landed, number))

    def filled(self, number, try_, block):
        """How many bytes of the block that begins there have landed."""
        if self.try_of(number) != try_:
            return 0
        frontier, beyond = self._filled.get(number, (0, {}))
        return self._block_size if block < frontier else beyond.get(block, 0)


def _within(ranges, number):
    at = bisect_right(ranges, (number, 2**63)) - 1
    return at >= 0 and number < ranges[at][0] + ranges[at][1]


class Awaited:
    """The Standing of a link, which comes in one or more messages before anything else may be sent; `complete` once all
    of it was heard.
    """

    def __init__(self, block_size, stop):
        self._told = Standing(block_size)
        self._whole = Lane(1, stop)
        self.complete = False

    def hear(self, message):
        if self.complete:
            raise ProtocolError(f"{message} came after the last one")
        self._told.hear(message)
        if not message.more:
            self.complete = True
            self._whole.put(self._told)

    def get(self):
        """Wait for all of it."""
        return self._whole.get()
