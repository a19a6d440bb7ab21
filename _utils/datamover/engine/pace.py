"""Whether a host holds up those behind it: it takes far less than arrives where it is served from."""

TIMES = 4
"""It is slow if it takes so many times less than what arrives."""
LEAST_LAG = 64 * 1024 * 1024
"""And lacks at least so many bytes of what is there for it;"""
LEAST_SECONDS = 5.0
"""which would have taken at least so long to arrive."""
LOOKS = 3
"""Nothing is decided before so many looks."""


class Pace:
    """Of one link, from its first look on. Counts are bytes that have landed at either end; it is slow only if it lacks
    `lag` of them, and what takes `seconds` to arrive.
    """

    def __init__(self, lag=None, seconds=None):
        self._lag = LEAST_LAG if lag is None else lag
        self._seconds = LEAST_SECONDS if seconds is None else seconds
        self._first = None
        self._looks = 0

    def is_slow(self, now, here, there):
        """A further look; `now` is a time in seconds that may leave out what the limit took, and so stand still. `here`
        are the bytes and the seconds in which they arrived.
        """
        self._looks += 1
        self._first = self._first or (now, there)
        began, before = self._first
        amount, seconds = here
        if self._looks < LOOKS or not seconds or now <= began:
            return False
        rate, taken = amount / seconds, (there - before) / (now - began)
        return taken * TIMES < rate and amount - there >= max(self._lag, self._seconds * rate)
