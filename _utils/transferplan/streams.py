"""How many connections carry the data side by side, where nobody says so.

One connection keeps two cores busy at each end: one reads and digests, one encrypts or writes; a further stream uses
one more. Beyond a few the reading is what everything waits for. Streams that find no idle core only cost: each is a
thread that the others must wait for. So:

* little data, or a single file whose digest is made as it passes (level flight: it stays in one order): one.
* otherwise as many as the end with fewer idle cores can feed, at most four. Idle are those that the load of the last
  minute leaves.
* on a routed way two at least: there a lost packet or a narrow window slows one connection, not the way.
"""

from __future__ import annotations

from collections.abc import Iterable

from .facts import Facts, Source

AUTO = "auto"
LITTLE = 256 * 1024 * 1024
FED_AT_MOST = 4
ROUTED_AT_LEAST = 2


def choose(asked: str | int, verify: str, found: Source, everyone: Iterable[Facts], routed: bool) -> int:
    """The number of streams; `asked` is a number or AUTO."""
    if asked != AUTO:
        return int(asked)
    if _is_little(found) or (found.kind in ("file", "socket") and verify == "flight"):
        return 1
    fed = max(1, min(FED_AT_MOST, *(idle_cores(each) - 1 for each in everyone)))
    return max(fed, ROUTED_AT_LEAST) if routed else fed


def _is_little(found: Source) -> bool:
    return found.disk_bytes < LITTLE and not found.estimated


def idle_cores(facts: Facts) -> int:
    """Cores that the load of the last minute leaves."""
    return max(0, facts.cpus - round(facts.load[0] if facts.load else 0))
