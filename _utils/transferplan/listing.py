"""What minions list of their transfers, page after page.

A minion tells first what lives, then what is dead or rests, then the last of each place that are over, then the older
ones, each the newest first. So all that is not over has been told when the last run of a page is over; only until then
another page must be asked for. What was not over is named in that question, and left out wherever it stands by then:
was it only counted, one that ends between two pages would hide another that moves up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import inventory
from .inventory import Run

MOST_PAGES = 200
"""A minion that always has another one is stopped at some number."""
MOST_NAMED = 100

Page = Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """What has been told by now: runs and how many there are beyond them, by host. `asks`: from whom another page is
    needed, because the last run told was still one of those that are `wanted`; and with which arguments.
    """

    wanted: Callable[[Run], bool] = inventory.is_unfinished
    runs: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    beyond: Mapping[str, int] = field(default_factory=dict)
    asks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pages: int = 0

    def plus(self, pages: Mapping[str, Page]) -> Listing:
        """With a further page of each of these hosts."""
        runs = {**self.runs, **{host: (*self.runs.get(host, ()), *page["runs"]) for host, page in pages.items()}}
        wanted = (host for host, page in pages.items() if self.pages < MOST_PAGES and self._needs_another(host, page))
        beyond = {**self.beyond, **{host: page["more"] for host, page in pages.items()}}
        asks = {host: _beyond(runs[host]) for host in wanted}
        return replace(self, runs=runs, beyond=beyond, asks=asks, pages=self.pages + 1)

    def _needs_another(self, host: str, page: Page) -> bool:
        """Not if it brought nothing new: who tells the same again has no other."""
        told = _names(self.runs.get(host, ()))
        new = [run for run in page["runs"] if (run["transfer"], run["role"]) not in told]
        return bool(page["more"] and new and self.wanted(page["runs"][-1]))

    def absent(self) -> dict[str, list[str]]:
        """The ends of unfinished transfers that may be among what hosts have not told: transfers by host."""
        told = {(host, *name) for host, runs in self.runs.items() for name in _names(runs)}
        found: dict[str, dict[str, None]] = {}
        for each in inventory.transfers(self.known):
            if each["state"] != inventory.FINISHED:
                for host, role in _named(each["ends"]):
                    if self.beyond.get(host) and (host, each["transfer"], role) not in told:
                        found.setdefault(host, {})[each["transfer"]] = None
        return {host: list(transfers)[:MOST_NAMED] for host, transfers in found.items()}

    def with_absent(self, pages: Mapping[str, Page]) -> Listing:
        """With what these hosts told of the transfers that were named to them."""
        runs = {host: (*self.runs[host], *page["runs"]) for host, page in pages.items()}
        beyond = {host: max(0, self.beyond[host] - len(page["runs"])) for host, page in pages.items()}
        return replace(self, runs={**self.runs, **runs}, beyond={**self.beyond, **beyond})

    @property
    def known(self) -> list[Run]:
        """Every run once, with its host; one that came to its end between two pages may have been told twice."""
        told = ((host, run) for host, runs in self.runs.items() for run in runs)
        return list({(host, run["transfer"], run["role"]): {**run, "host": host} for host, run in told}.values())

    @property
    def more(self) -> int:
        """How many older runs were not told."""
        return sum(self.beyond.values())


def _beyond(told: Sequence[Run]) -> dict[str, Any]:
    """The arguments with which a minion tells what comes after these."""
    unfinished = {f"{run['transfer']}-{run['role']}" for run in told if inventory.is_unfinished(run)}
    over = _names(run for run in told if not inventory.is_unfinished(run))
    return {"without": sorted(unfinished), "after": len(over)}


def _names(runs: Iterable[Run]) -> set[tuple[str, str]]:
    return {(run["transfer"], run["role"]) for run in runs}


def _named(ends: Iterable[Run]) -> set[tuple[str, str]]:
    return {(peer["host"], peer["role"]) for end in ends for peer in end.get("peers", ())}
