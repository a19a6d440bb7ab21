"""Who asked for a transfer, as far as Salt tells its runners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .paths import printable

LONGEST_NAME = 100
REACTOR = "Reactor"
UNKNOWN = "UNKNOWN"
COMMAND_LINE, ORCHESTRATION, REACTION, MASTER = "salt-run", "orchestration", "reactor", "master"
PEER = "peer_run"


def asked_by(opts: Mapping[str, Any], user: Any, given: Mapping[str, Any], sudo_user: str | None) -> dict[str, str]:
    """`user`: the name Salt knows (of a login, of external authentication, of sudo); `via`: which way it came.

    `user` is what Salt puts into a runner as `__user__`, `given` are the keywords it adds to those of the caller.
    """
    publisher = given.get("__pub_user")
    name = publisher if _is_name(publisher) else user if _is_name(user) else opts.get("user") or UNKNOWN
    if sudo_user and str(name) in ("root", UNKNOWN):
        name = f"sudo_{sudo_user}"
    return {"user": printable(str(name))[:LONGEST_NAME], "via": _via(opts, str(user), given)}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value not in ("", UNKNOWN)


def _via(opts: Mapping[str, Any], user: str, given: Mapping[str, Any]) -> str:
    """An orchestration is told by its job id, a reaction by the name it acts in; the rest by where the runner runs."""
    if given.get("__orchestration_jid__"):
        return ORCHESTRATION
    if user == REACTOR:
        return REACTION
    return COMMAND_LINE if opts.get("__cli") == COMMAND_LINE else MASTER
