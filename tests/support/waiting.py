"""Waiting for what nobody announces."""
import time
from pathlib import Path

PAUSE = 0.05
PATIENCE = 120
"""Seconds after which only what hangs is not there yet, however busy the machine."""


def eventually(condition, timeout=PATIENCE, pause=PAUSE):
    """Return the first true value of `condition()`, or what it gave last when `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(pause)


def is_waited_for(lock):
    """Whether somebody waits for a lock that another one holds. Trying it would get in the way of who tries it."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f":{lock.stat().st_ino} " in line for line in lines)
