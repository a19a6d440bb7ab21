"""The events of a transfer on the master's bus: the only place that knows their tags and what they carry.

Every tag of a transfer is `salt/transfer/<transfer>/<what>`; `salt/replica/<what>` is about replicas, and told in
[databases](databases.md). Every event of a transfer carries `format`, `project`, `transfer`, `attempt`,
`what` and `seq`, which counts from 1 within one run of the runner. Events are hints for people and reactors: they can
be lost, and any minion can fire one that looks the same. What must be true is asked of `transfer.status`.

They come from the runner that follows a transfer, by looking now and then: a phase that is over between two looks is
not told, and when the runner dies nothing more is, until somebody attaches. What a host did stands in its audit trail
(`transfer.audit`) whoever looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import statement
from .version import PROJECT

FORMAT = 1
PREFIX = "salt/transfer"
LARGEST = 8 * 1024
MOST_ITEMS = 20
LONGEST_TEXT = 300
_SMALL = (str, int, float)


@dataclass(frozen=True)
class Kind:
    """One kind of event: what its data has beside what every event has, and when it is fired."""

    what: str
    keys: tuple[str, ...]
    meaning: str


KINDS: tuple[Kind, ...] = (
    Kind(
        "asked",
        ("source", "destinations", "asked_by"),
        "A copy was asked for, or another attempt at one; the minions are being asked for facts.",
    ),
    Kind(
        "joined",
        ("other", "how"),
        "The same copy rests or runs already: the transfer `other` is resumed or attached to in place of this one.",
    ),
    Kind(
        "queued",
        ("host", "role", "running", "waiting"),
        "This host takes part in as many transfers as it may; so many wait before this one.",
    ),
    Kind("refused", ("reasons",), "It cannot be carried out; nothing was changed."),
    Kind(
        "planned",
        ("source", "destinations", "bytes", "entries", "estimated", "digest", "verify", "encrypt", "warnings"),
        "Nothing speaks against it; this is what will be done.",
    ),
    Kind("prepared", ("host", "role"), "A worker is up on this host, with its key and its port."),
    Kind("armed", ("host", "role"), "That worker knows who takes part, and its pinhole is open."),
    Kind("started", ("host", "role"), "The source was told to begin."),
    Kind("phase", ("host", "role", "phase"), "A worker has come to another phase."),
    Kind(
        "progress",
        (
            "host",
            "role",
            "phase",
            "bytes_total",
            "bytes_done",
            "files_total",
            "files_done",
            "bytes_verified",
            "estimated",
        ),
        "A worker's counters have changed.",
    ),
    Kind(
        "pinhole",
        ("host", "role", "change", "port", "sources", "why"),
        "A worker opened its pinhole, opened it again because somebody took it away (why), could not renew it "
        "(why), or closed it: change is opened, reopened, not renewed or closed. `sources` are told when it is opened "
        "or reopened.",
    ),
    Kind("withdrawn", ("host", "role"), "It was given up before it began; this host has undone what it prepared."),
    Kind(
        "finished",
        ("result", "retcode", "source", "destinations", "receipt", "reasons"),
        "The runner is done with it (report.brief of the result).",
    ),
)
TABLE: Mapping[str, Kind] = {kind.what: kind for kind in KINDS}


@dataclass(frozen=True)
class Event:
    tag: str
    data: Mapping[str, Any]


def tag(transfer: str, what: str) -> str:
    return f"{PREFIX}/{transfer}/{what}"


def make(transfer: str, seq: int, what: str, details: Mapping[str, Any], attempt: int = 1) -> Event:
    """The event; of `details` it takes what its kind carries, shortened to what a bus can bear."""
    head = {
        "format": FORMAT,
        "project": PROJECT,
        "transfer": transfer,
        "attempt": attempt,
        "what": what,
        "seq": seq,
    }
    body = {key: _bounded(details[key]) for key in TABLE[what].keys if key in details}
    data = {**head, **body}
    if len(statement.canonical(data)) > LARGEST:
        data = {**head, **{key: value for key, value in body.items() if isinstance(value, _SMALL)}, "cut": True}
    return Event(tag(transfer, what), data)


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[: LONGEST_TEXT - 3] + "..."
    if isinstance(value, (list, tuple)):
        return [_bounded(item) for item in value[:MOST_ITEMS]]
    if isinstance(value, Mapping):
        return {key: _bounded(item) for key, item in value.items()}
    return value
