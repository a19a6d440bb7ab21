"""What a minion's own configuration grants to transfers: how much is kept, and for how long; how many run at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """`keep_runs` in seconds; of the others 0 means as much as there is."""

    keep_runs: float
    keep_runs_bytes: int = 0
    keep_partial_bytes: int = 0
    max_transfers: int = 0
