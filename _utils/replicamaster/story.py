"""What shall be cloned, and what has happened of it so far."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Say = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Wish:
    """What shall be cloned onto what."""

    source: str
    replicas: tuple[str, ...]
    primary: str
    address: str = ""
    port: int = 0
    confirm: tuple[str, ...] = ()
    in_service: bool = False
    discard_own_writes: bool = False
    lock_others: bool = False
    keep_old: bool = True
    lease: int = 600
    memory: Any = 0
    lag: float = 10.0
    timeout: float = 3600


@dataclass
class Story:
    """The seconds of each step, where the backup is, what became of each replica, and why some were left out."""

    say: Say
    arrived: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    replicas: dict[str, Any] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str, **details: Any) -> Any:
        self.say(name, details)
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)

    def undone(self, wish: Wish) -> list[str]:
        """The replicas that were not rebuilt."""
        return [host for host in wish.replicas if host not in self.replicas]
