"""The transfers that minions know, each with one word for where it stands.

Every minion tells of its own end; the ends of a transfer are found by its id. What a silent minion would have said is
not guessed: a transfer whose other end is silent is called by what the known end tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import BadOption, Refused
from .kinds import Choices, wrong
from .request import DESTINATION, SOURCE
from .status import ENDED, FAILED, PUBLISHED

STATES: Mapping[str, str] = {
    "running": "A worker lives at one end at least.",
    "resumable": "It failed at a destination that kept what had arrived, and somebody has a record to send the rest: "
    "transfer.resume goes on with it.",
    "resting": "What had arrived is kept, but the other end did not answer or has no record: bring that minion back.",
    "orphaned": "A worker is dead and nobody has undone after it yet: transfer.status, cancel or sweep does.",
    "finished": "It is over and nothing of it waits: published, cancelled, or failed with nothing kept.",
}

FINISHED = "finished"

Run = Mapping[str, Any]


def transfers(runs: Iterable[Run], states: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The transfers in these runs (what minions' `transfer.list` told, with `host`), the newest first."""
    joined: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: str(run.get("wall")), reverse=True):
        joined.setdefault(run["transfer"], []).append(run)
    found = [_entry(transfer, ends) for transfer, ends in joined.items()]
    return [each for each in found if not states or each["state"] in states]


def _entry(transfer: str, ends: list[Run]) -> dict[str, Any]:
    return {
        "transfer": transfer,
        "state": state(ends),
        "attempt": max(end.get("attempt", 1) for end in ends),
        "asked_by": ends[0].get("asked_by", {}),
        "ends": ends,
    }


def state(ends: Sequence[Run]) -> str:
    """The word for a transfer of which these ends are known."""
    if any(end.get("alive") for end in ends):
        return "running"
    if any(end.get("phase") not in ENDED for end in ends):
        return "orphaned"
    if any(end.get("rests") for end in ends if end.get("role") == DESTINATION):
        return "resumable" if _can_go_on(ends) else "resting"
    return FINISHED


def is_unfinished(run: Run) -> bool:
    """Whether this end alone shows that its transfer is not over: it lives, it is dead and not undone, or it rests."""
    return bool(run.get("alive") or run.get("rests") or run.get("phase") not in ENDED)


def is_last_of_place(run: Run) -> bool:
    """Whether it is not over, or the last one of its place that ended as it did."""
    return is_unfinished(run) or bool(run.get("last"))


def _can_go_on(ends: Sequence[Run]) -> bool:
    """Whether some destination waits for the rest, and there is somebody to send it."""
    by_role = {role: [end.get("phase") for end in ends if end.get("role") == role] for role in (SOURCE, DESTINATION)}
    return FAILED in by_role[DESTINATION] and bool(by_role[SOURCE] or PUBLISHED in by_role[DESTINATION])


def read_states(value: Any) -> tuple[str, ...]:
    """The states that a user names, as a list or separated by commas."""
    kind = Choices(tuple(STATES))
    try:
        return kind.read(value or ())
    except ValueError as error:
        raise Refused([BadOption.reason(f"state must be {kind.takes}, not {wrong(error, value)}")]) from None
