"""The way out of the source for one bulk stream: payloads get smaller where that helps, and leave in their turn."""

import time


class Outlet:
    """For the thread of one stream. `compressor` may be None."""

    def __init__(self, compressor, policy, throttle, times, clock=time.monotonic):
        self.times = times
        self._compressor = compressor
        self._policy = policy
        self._throttle = throttle
        self._clock = clock
        self._sent_at = clock()

    def smaller(self, load):
        """(piece, prefix and payload) of a load as they shall travel."""
        if self._compressor is None:
            return load.piece, load.data
        return self._compressor.smaller(load.piece, load.data)

    def send(self, link, data, raw):
        """Send all of `data`, which stands for `raw` bytes of payload."""
        # What waits there still kept the way busy while we were busy too.
        busy = self._clock() - self._sent_at if link.backlog else 0.0
        before, turns = link.held, 0.0
        for part in self._throttle.slices(data):
            with self.times.on("limit"):
                turns += self._throttle.await_turn(len(part))
            link.stop.check()  # The limit is the host's: its wait does not end with this link.
            link.send(part)
        self._sent_at = self._clock()
        self._policy.sent(raw, len(data), turns + link.held - before, busy)
