"""Arguments as people gave them, read before anything is asked of a host; ReplicaRefused says what cannot be meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replicaplan.errors import ReplicaRefused
from transferplan import kinds
from transferplan.options import TABLE

WAIT = kinds.Whole(1, 7 * 86400)
PORT = kinds.Whole(0, 65535)
CLONES_OWN = (
    "src", "dst", "targets", "target_type", "key", "test", "type", "expect", "keep_stream", "quiet", "overwrite",
    "update", "compare", "delete", "delete_limit", "include", "exclude",
)
"""What of a copy a clone says itself: a backup that arrives whole, in a place where nothing is yet."""


def value(name: str, kind: kinds.Kind, given: Any) -> Any:
    """A value of this kind."""
    try:
        return kind.read(given)
    except ValueError as error:
        raise ReplicaRefused([f"{name} has to be {kind.takes}, not {kinds.wrong(error, given)}."]) from None


def truth(name: str, given: Any) -> bool:
    """Words such as no, which an orchestration may bring as text, are not taken for True."""
    return bool(value(name, kinds.Truth(), given))


def minion(name: str, given: Any) -> str:
    """The name of one minion."""
    if not isinstance(given, str) or not given.strip():
        raise ReplicaRefused([f"{name} has to be the name of a minion, not {_short(given)}."])
    return given


def some_minions(name: str, given: Any) -> tuple[str, ...]:
    """Names of minions, at least one."""
    if not (found := minions(name, given)):
        raise ReplicaRefused([f"{name} names no minion."])
    return found


def minions(name: str, given: Any) -> tuple[str, ...]:
    """Names of minions, each once."""
    found = given.split(",") if isinstance(given, str) else given
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) for each in found):
        raise ReplicaRefused([
            f"{name} has to be names of minions, a list or words with commas, not {_short(given)}; "
            "a name that is a number needs quotes."
        ])
    return tuple(dict.fromkeys(each.strip() for each in found if each.strip()))


def copy_options(given: Any) -> dict[str, Any]:
    """Options for the copy of a backup: those that there are, with values that they take, and none of the clone's."""
    if not isinstance(given, Mapping):
        raise ReplicaRefused([f"options has to be a mapping of options of transfer.copy, not {_short(given)}."])
    if against := [reason for name, each in given.items() if (reason := _against(name, each))]:
        raise ReplicaRefused(against)
    return dict(given)


def _against(name: Any, given: Any) -> str:
    if name in CLONES_OWN:
        return f"options: {name} is what a clone says itself; leave it out."
    if name not in TABLE or TABLE[name].scope == "minion":
        return f"options: {_short(name)} is no option of transfer.copy; docs/options.md lists those there are."
    try:
        TABLE[name].kind.read(given)
    except ValueError as error:
        return f"options: {name} must be {TABLE[name].kind.takes}, not {kinds.wrong(error, given)}."
    return ""


def _short(given: Any) -> str:
    return kinds.wrong(ValueError(), given)
