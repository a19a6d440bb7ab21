"""The place of a copy that waits for busy hosts, as this master keeps it for whoever goes on when its runner has died.

The order of those who wait is kept by the hosts (`datamover.host.seats`). What is kept here is that a copy waits, since
when and how long, in its record among those of `background`. It is kept until the source is told to go: what a runner
prepares before that undoes itself without it.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from datamover.host import documents
from transferplan.course import State
from transferplan.waits import Wait


class Place:
    """The place of one copy, in the directory of its record. Where it is `ours`, a hand on our terminal ends it."""

    def __init__(self, record: Path, ours: bool):
        self.ours = ours
        self._file = record / "waits.json"
        self._mark = record / "given-up"
        self.wait = self._read()

    def _read(self) -> Wait | None:
        return Wait.noted(documents.load(self._file))

    def keep(self, state: State) -> None:
        """As long as it waits, its place is kept, in the order that its hosts know."""
        wait = self._wait_of(state) if state.waits else None
        if wait == self.wait:
            return
        if wait is None:
            return self.leave()
        self.wait = wait
        documents.save(self._file, asdict(wait))

    def _wait_of(self, state: State) -> Wait:
        """What was noted of its queues stays until its hosts have told again."""
        since = self.wait.since if self.wait else time.time()
        queues = state.queues or (self.wait.queues if self.wait else ())
        return Wait(state.request.asked_at, since, state.request.settings.wait, queues)

    def leave(self) -> None:
        """It waits no more."""
        self.wait = None
        self._file.unlink(missing_ok=True)

    def is_over(self, now: float) -> bool:
        """Whether its time to wait is over."""
        return self.wait is not None and self.wait.is_over(now)

    @property
    def given_up(self) -> bool:
        """Whether somebody has cancelled it."""
        return self._mark.exists()

    def give_up(self) -> None:
        self._mark.touch(mode=0o600)
