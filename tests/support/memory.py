"""How much memory Python itself hands out meanwhile."""

import contextlib
import tracemalloc


@contextlib.contextmanager
def traced():
    """Gives a function that tells the peak in bytes, above what was there before, until the block ended."""
    tracemalloc.start()
    before, peaks = tracemalloc.get_traced_memory()[0], []

    def peak():
        return (peaks[0] if peaks else tracemalloc.get_traced_memory()[1]) - before

    try:
        yield peak
        peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
