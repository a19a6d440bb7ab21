"""Waiting for what nobody announces."""
import time

PAUSE = 0.05
PATIENCE = 120
"""Seconds after which only what hangs is not there yet, however busy the machine."""


def eventually(condition, timeout=PATIENCE):
    """Return the first true value of `condition()`, or what it gave last when `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(PAUSE)
