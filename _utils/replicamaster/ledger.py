"""What was repaired by itself, and what waits for a person: durable on the master, one file under one lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datamover.host import documents, flock
from replicaplan.errors import LedgerUnreadable, RepairForbidden
from replicaplan.repair import Attempt, Ledger

FORMAT = 1
"""Of the file. One from before it was noted is of this one too."""
KEPT = 500
TURN = 300.0


class Book:
    """The ledger in a directory."""

    def __init__(self, directory: str):
        self._directory = Path(directory)

    def read(self) -> Ledger:
        """What is in it now; LedgerUnreadable if that cannot be told, for guards that know of no repair hold none back.
        """
        try:
            loaded = documents.load(self._file)
            found = {} if loaded is None else loaded
            self._check_format(found)
            return Ledger(tuple(map(_attempt, found.get("attempts", ()))), _proposals(found.get("proposals", {})))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            what = f"{self._file} is damaged ({ascii(str(error))[1:-1]})"
            raise LedgerUnreadable(
                f"{what}: put an older copy in its place, or move it away. "
                "Without it what was repaired and proposed is forgotten, and cooldown and daily begin anew."
            ) from error

    def _check_format(self, found: Mapping[str, Any]) -> None:
        if found.get("format", FORMAT) != FORMAT:
            what = f"{self._file} is of format {found['format']}, and this version reads format {FORMAT}"
            raise LedgerUnreadable(f"{what}: run the one that wrote it; moved away, what was repaired is forgotten.")

    @contextlib.contextmanager
    def only_one(self, cluster: str) -> Iterator[None]:
        """Nobody else repairs in this cluster meanwhile; RepairForbidden if somebody does."""
        held = self._held(f"{cluster.encode().hex()}.lock", 0)
        if held is None:
            raise RepairForbidden(f"A repair of {cluster} is under way; there is one at a time.")
        with held:
            yield

    @contextlib.contextmanager
    def turn_to_look(self, host: str) -> Iterator[None]:
        """One looks at a host, one more waits to look after it: of a flood of alerts none is lost, and few ask anybody.

        RepairForbidden tells all others that somebody will look after they came.
        """
        waiting = self._held(f"{host.encode().hex()}.waits", 0)
        if waiting is None:
            raise RepairForbidden(f"Somebody waits already to look how {host} is; it will be found out then.")
        with waiting:
            looking = self._held(f"{host.encode().hex()}.looks", TURN)
        if looking is None:
            raise RepairForbidden(f"Somebody has looked how {host} is for longer than {TURN:g} s.")
        with looking:
            yield

    def _held(self, name: str, patience: float) -> flock.Held | None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return flock.hold(self._directory / name, patience)

    def begun(self, attempt: Attempt) -> None:
        """Before anything is changed: an attempt counts, however it ends."""
        self._change(lambda known: replace(known, attempts=(*known.attempts, attempt)[-KEPT:]))

    def ended(self, attempt: Attempt, result: str) -> None:
        def change(known: Ledger) -> Ledger:
            attempts = (replace(each, result=result) if each == attempt else each for each in known.attempts)
            return replace(known, attempts=tuple(attempts))

        self._change(change)

    def propose(self, name: str, proposal: Mapping[str, Any]) -> bool:
        """Whether this is a new proposal."""
        before = self._change(lambda known: replace(known, proposals={**known.proposals, name: dict(proposal)}))
        return name not in before.proposals

    def proposal(self, name: str) -> Mapping[str, Any]:
        """A proposal; RepairForbidden if there is none of this name."""
        found = self.read().proposals.get(name)
        if found is None:
            raise RepairForbidden(f"There is no proposal {name}; replica.proposals lists those there are.")
        return found

    def withdraw(self, host: str) -> None:
        """Nothing is proposed for this host any more: it is well, or its repair has begun."""
        if any(each["host"] == host for each in self.read().proposals.values()):
            self._change(
                lambda known: replace(
                    known, proposals={name: each for name, each in known.proposals.items() if each["host"] != host}
                )
            )

    @property
    def _file(self) -> Path:
        return self._directory / "ledger.json"

    def _change(self, change: Callable[[Ledger], Ledger]) -> Ledger:
        """What was in it before, read under the lock under which it is changed."""
        held = self._held("ledger.lock", 30.0)
        if held is None:
            raise RepairForbidden(f"{self._file} is locked by somebody for longer than it should be.")
        with held:
            before = self.read()
            documents.save(self._file, {"format": FORMAT, **asdict(change(before))})
            return before


def _attempt(found: Mapping[str, Any]) -> Attempt:
    """Of what a newer version may have noted too, what this one knows."""
    attempt = Attempt(**{name: found[name] for name in Attempt.__dataclass_fields__ if name in found})
    _check({"host": str, "cluster": str, "at": (int, float), "result": str, "down": bool}, asdict(attempt))
    return attempt


def _proposals(found: Mapping[str, Any]) -> Mapping[str, Any]:
    for each in found.values():
        _check({"host": str, "cluster": str, "at": (int, float), "reasons": list, "donor": str}, each)
    return found


def _check(kinds: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    for name, kind in kinds.items():
        if not isinstance(found[name], kind):
            raise TypeError(f"{name} cannot be {found[name]!r}")
