"""What is kept of a copy that waits for busy hosts, so that somebody can go on for a runner that died."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from . import units
from .errors import Reason, TooManyTransfers
from .paths import printable

WAITING = "waiting"
READY = 1
OVER_AT_ONCE = 2


@dataclass(frozen=True)
class Queue:
    """What a busy host told last: how many transfers take part there, how many wait before this one, and how many may
    take part (0 if it did not tell).
    """

    host: str
    role: str
    running: int
    waiting: int
    most: int

    @classmethod
    def told(cls, host: str, role: str, answer: Mapping[str, Any]) -> Queue:
        running, waiting = (_length(answer.get(name)) for name in ("running", "waiting"))
        most = answer.get("most")
        return cls(host, role, running, waiting, most if isinstance(most, int) else 0)

    def news(self) -> dict[str, Any]:
        """What the event `queued` tells."""
        return {"host": self.host, "role": self.role, "running": self.running, "waiting": self.waiting}

    def __str__(self) -> str:
        before = f", {self.waiting} {'waits' if self.waiting == 1 else 'wait'} before this one" if self.waiting else ""
        return printable(f"{self.host} takes part in {units.count(self.running, 'transfer')}{before}")


def _length(told: Any) -> int:
    return len(told) if isinstance(told, (list, tuple)) else 0


@dataclass(frozen=True)
class Wait:
    """A copy waits `since` then, for `seconds` at most; its place is that of one that was `asked_at`. All by the clock
    of the master. `queues` are those that it has to wait in, as its hosts told last.
    """

    asked_at: float
    since: float
    seconds: float
    queues: tuple[Queue, ...] = ()

    @classmethod
    def noted(cls, document: Mapping[str, Any] | None) -> Wait | None:
        """What was noted; None if nothing was, or by a version that notes otherwise."""
        if not document or document.keys() != _names(cls):
            return None
        if any(each.keys() != _names(Queue) for each in document["queues"]):
            return None
        return cls(**{**document, "queues": tuple(Queue(**each) for each in document["queues"])})

    def lasted(self, now: float) -> float:
        return max(0.0, now - self.since)

    def is_over(self, now: float) -> bool:
        return self.lasted(now) > self.seconds

    def reason(self) -> Reason:
        """Why it is not begun after its time."""
        return TooManyTransfers.reason(
            f"it was to wait {units.span(self.seconds)} at most for busy hosts; that is over, and the runner that "
            "waited had died: ask for it again"
        )

    def text(self, followed: bool, now: float) -> str:
        """How it stands, with or without a runner that follows it."""
        if self.is_over(now) and not followed:
            return f"the {units.span(self.seconds)} that it might wait are over, and its runner is dead"
        queues = "; ".join(map(str, self.queues)) or "no busy host has told yet"
        runner = "its runner lives" if followed else "its runner is dead"
        return f"waits for {units.span(self.lasted(now))}, {units.span(self.seconds)} at most: {queues}; {runner}"

    def advice(self, transfer: str, followed: bool, now: float) -> str:
        """What can be done about it."""
        if self.is_over(now) and not followed:
            return "ask for it again"
        goes_on = "follows it" if followed else "or transfer.tend goes on with it"
        attach = f"salt-run transfer.attach {transfer} {goes_on}"
        return f"{attach}, salt-run transfer.cancel {transfer} gives its place up"


def in_line(waiting: Mapping[Any, Wait], now: float) -> list[Any]:
    """Of those that wait, in their order, the ones that need a runner now: as many as may begin at each of the hosts
    that they wait for, and one that stands ready; then a few of those whose time is over, to be told so.
    """
    before: Counter[str] = Counter()
    near, over = [], []
    for transfer, wait in waiting.items():
        if wait.is_over(now):
            over.append(transfer)
            continue
        if all(not each.most or before[each.host] < each.most + READY for each in wait.queues):
            near.append(transfer)
        before.update({each.host for each in wait.queues})
    return near + over[:OVER_AT_ONCE]


def _names(kind: type) -> set[str]:
    return {each.name for each in fields(kind)}
