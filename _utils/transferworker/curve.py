"""How far a transfer was at which moment: few enough points to be told in every status, from its beginning on."""

MOST_POINTS = 120
FIRST_GAP = 0.5


class Curve:
    """Points (seconds, bytes), one gap apart: when there are too many, every other one goes and the gap doubles."""

    def __init__(self):
        self._points = []
        self._gap = FIRST_GAP

    def add(self, at, count):
        if self._points and at - self._points[-1][0] < self._gap:
            return
        self._put(at, count)

    def end(self, at, count):
        """Nothing moves any more. What came since the last point belongs to it where that is less than a gap."""
        if len(self._points) > 1 and at - self._points[-1][0] < self._gap:
            self._points.pop()
        if self._points:
            self._put(at, count)

    def _put(self, at, count):
        self._points.append((round(at, 2), count))
        if len(self._points) > MOST_POINTS:
            del self._points[1::2]
            self._gap *= 2

    def points(self):
        return [list(point) for point in self._points]
