"""Carries a backup to several places, and from one of those to who is still missing; what nobody waits for is ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import saltface
from replicaplan.errors import CopyFailed

REPORTED = ("transfer", "receipt", "phases", "bottleneck", "destinations")
"""What the report of a clone has of a transfer."""


@dataclass(frozen=True)
class Copied:
    """How the backup arrived: what the report tells of it, the replicas that it did not reach, and why in sentences.

    `transfer` is what can be gone on with for them; empty if nothing can.
    """

    told: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    why: str = ""
    transfer: str = ""


@dataclass(frozen=True)
class Courier:
    """Copies with the runner functions `transfer.copy`, `transfer.resume` and `transfer.cancel` of this mapping."""

    runner: Mapping[str, Callable[..., Any]]
    options: Mapping[str, Any]

    def copy(self, source: str, places: Sequence[str]) -> Copied:
        """From the source to all of them; CopyFailed if it arrives nowhere, or somebody interrupts it."""
        options = {"type": "xtrabackup", **self.options}
        told = self._run("copy", src=source, dst=list(places), quiet=True, **options)
        if told.get("result") == "unknown":
            raise CopyFailed(f"The backup for {', '.join(places)} was interrupted. {self._cancelled(told['transfer'])}")
        why = _why(told)
        if told.get("result") not in ("ok", "partial"):
            raise CopyFailed(f"The backup did not arrive at {', '.join(places)}: {why}")
        missing = {host: end for host, end in told.get("destinations", {}).items() if end["outcome"] != "ok"}
        silent = {end.get("transfer") or told["transfer"] for end in missing.values() if end["outcome"] == "unknown"}
        why = " ".join([why, *map(self._cancelled, sorted(silent))])
        return Copied(_reported(told), tuple(missing), why, "" if silent else told.get("transfer") or "")

    def complete(self, copied: Copied, sibling: str) -> Copied:
        """From a replica that has the backup to those that lost it; what then still fails is given up there."""
        with saltface.Signals() as signals:
            told = self._run("resume", copied.transfer, source=sibling, quiet=True)
        if signals.take() and told.get("result") != "ok":
            raise CopyFailed(
                f"The backup for {', '.join(copied.missing)} was interrupted on its way from {sibling}. "
                f"{self._cancelled(copied.transfer)}"
            )
        ends = told.get("destinations", {})
        done = told.get("result") == "ok"
        missing = () if done else tuple(host for host in copied.missing if ends.get(host, {}).get("outcome") != "ok")
        report = {**copied.told, "completed": {"source": sibling, **_reported(told)}}
        if not missing:
            return Copied(report)
        why = f"{copied.why} From {sibling}: {_why(told)} {self._cancelled(copied.transfer)}"
        return Copied(report if ends else copied.told, missing, why)

    def _cancelled(self, transfer: str) -> str:
        """End a copy that nobody waits for any more, so that it arrives nowhere later; a sentence about that."""
        told = self._run("cancel", transfer)
        if told.get("retcode") == 0:
            return f"Its transfer {transfer} was cancelled."
        return (
            f"Its transfer {transfer} could not be cancelled everywhere ({_why(told)}): "
            f"salt-run transfer.cancel {transfer} ends it; else what arrives has to be removed before the next clone."
        )

    def _run(self, name: str, *arguments: Any, **options: Any) -> Mapping[str, Any]:
        """What a runner function returned, whether it was to be shown or not."""
        told: Mapping[str, Any] = self.runner[f"transfer.{name}"](*arguments, **options)
        shown: Mapping[str, Any] = told.get("data", told) if "outputter" in told else told
        return shown


def _why(told: Mapping[str, Any]) -> str:
    return " ".join(each.get("text", str(each)) for each in told.get("reasons", ()))


def _reported(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in REPORTED if told.get(name)}
