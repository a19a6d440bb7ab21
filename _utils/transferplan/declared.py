"""What the state `transfer.copied` says: from what stands at the place and what became of a copy, to a state's result.

`result` is True (all is as declared), False (it is not, and why) or None (a test run: it would be changed).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import settings, units, updating
from .display import reason_lines
from .errors import DestinationParent, PlanError
from .options import COMMAND, Settings
from .paths import encode_path, printable
from .profiles import PROFILE
from .request import DESTINATION, SOURCE, parse_place
from .status import PUBLISHED

RUNNING = "running"


@dataclass(frozen=True)
class Outcome:
    """What a state returns beside its name."""

    result: bool | None
    comment: str
    changes: Mapping[str, Any]

    def named(self, name: str) -> dict[str, Any]:
        return {"name": name, "result": self.result, "comment": self.comment, "changes": dict(self.changes)}


def failed(*sentences: str) -> Outcome:
    return Outcome(False, printable("\n".join(sentences)), {})


def final_name(name: str, source: str) -> str:
    """The final name: a name with a slash at its end is a directory to copy into, as for `transfer.copy`."""
    return name.rstrip("/") + "/" + str(source).rstrip("/").rpartition("/")[2] if name.endswith("/") else name


def misdeclared(name: str, source: Any, options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the declaration itself, before anybody is asked."""
    asked, troubles = _sound(options)
    troubles += settings.contradictions(asked)
    if asked.overwrite and not asked.update:
        troubles.append("overwrite=True would replace it at every run; update=True changes only what differs")
    if not name.startswith("/"):
        troubles.append(f"{name} is no absolute path")
    try:
        parse_place(source, "source")
    except PlanError as error:
        troubles.append(error.text)
    return troubles


def wants(standing: bool, options: Mapping[str, Any]) -> bool:
    """Whether there is anything to do: what stands there is left alone unless it shall be brought up to date."""
    return not standing or _sound(options)[0].update


def _sound(options: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """The options and what is wrong with them, as far as a minion can tell: profiles are known to the master alone."""
    return settings.sound([(COMMAND, {**options, PROFILE: None})])


def present(name: str, source: str, runs: Iterable[Mapping[str, Any]]) -> Outcome:
    """What stands there is left as it is; the minion's own records tell whether it was copied there."""
    host, path = source.partition(":")[0], encode_path(os.fsencode(name))
    for run in runs:
        ours = run["role"] == DESTINATION and run["phase"] == PUBLISHED and run["path"] == path
        if ours and {"host": host, "role": SOURCE} in run["peers"]:
            return Outcome(True, printable(f"transfer {run['transfer']} brought it from {host}, proved"), {})
    return Outcome(True, printable(f"{name} is there; update=True would compare it with {source}"), {})


def foreseen(plan: Mapping[str, Any]) -> Outcome:
    """What a test run says, from what `transfer.pull` answered to test=True in the end."""
    if plan["result"] != "planned":
        return _hindered(plan["reasons"])
    summary = plan["plan"]
    if update := summary["hops"][0]["update"]:
        lines = [f"{summary['source']} would be compared", *updating.lines(update)]
        return Outcome(None, printable("\n".join(lines)), {})
    about = "at least " if summary["estimated"] else ""
    size = f"{about}{units.count(summary['files'], 'file')}, {units.size(summary['bytes'])}"
    changes = {"source": summary["source"], "files": summary["files"], "bytes": summary["bytes"]}
    return Outcome(None, printable(f"{summary['source']} would be copied: {size}"), changes)


def _hindered(reasons: Sequence[Mapping[str, Any]]) -> Outcome:
    """In a test run another state has not yet made what it would make: a directory may still come."""
    if {reason["name"] for reason in reasons} == {DestinationParent.name}:
        return Outcome(None, "\n".join(["would be copied once this is no longer so:", *reason_lines(reasons)]), {})
    return failed(*reason_lines(reasons))


def ended(told: Mapping[str, Any]) -> Outcome:
    """What a run says, from the result of the copy."""
    if told["result"] != "ok":
        advice = [f"it may be going on: salt-run transfer.attach {told['transfer']}"] * (told["result"] == "unknown")
        return failed(*reason_lines(told["reasons"]), *advice)
    (end,) = told["destinations"].values()
    receipt = told["receipt"]
    tallies = {name: end[name] for name in updating.TALLIES[:3] if end.get(name)}
    if any(end.get(name) for name in updating.TALLIES) and not tallies:
        return Outcome(True, printable(f"nothing differs from {told['source']['place']}"), {})
    counts = {name: receipt[name] for name in ("files", "directories", "links", "bytes")}
    changes = {"source": told["source"]["place"], **counts, **tallies, **_proof(told)}
    return Outcome(True, printable(f"copied from {told['source']['place']}, proved by {receipt['level']}"), changes)


def _proof(told: Mapping[str, Any]) -> dict[str, Any]:
    receipt = told["receipt"]
    root = f"{receipt['algorithm']}:{receipt['root']}"
    return {"transfer": told["transfer"], "level": receipt["level"], "root": root}


def untold(told: Any, minion: str) -> str:
    """Why what came back to this minion is no answer of `transfer.pull`; empty if it is one."""
    if is_forbidden(told):
        permit = f"peer_run: {{'{re.escape(minion)}$': [transfer.pull]}}"
        return f"the master does not permit it: its configuration needs {permit}, or a pattern for its like"
    if not isinstance(told, Mapping) or "result" not in told:
        return f"the master did not answer: {told!s:.300}"
    return ""


def is_forbidden(told: Any) -> bool:
    return told == {} or told is None
