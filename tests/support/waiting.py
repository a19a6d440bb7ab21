"""Waiting for what nobody announces."""
import time

PAUSE = 0.05


def eventually(condition, timeout=10):
    """Return the first true value of `condition()`, or what it gave last when `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(PAUSE)
