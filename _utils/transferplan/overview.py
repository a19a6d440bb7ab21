"""What one user may see of all transfers, on one page: the list, one of them closely, and what a doctor found.

Who works on the master itself sees everything. Anybody else, as external authentication names them, sees the transfers
that they asked for, and those whose hosts are all among the ones that `transfer_viewers` of the master's configuration
opens to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from . import inventory, paths, records
from .errors import BadOption, Refused
from .request import DESTINATION, SOURCE
from .whose import UNKNOWN

VIEWERS = "transfer_viewers"
ANYBODY = "*"
MOST_SHOWN = 50
LONGEST_TEXT = 400
KEPT = ("transfer", "state", "attempt", "asked_by", "waits")
END_KEYS = ("path", "phase", "alive", "rests", "age", "bytes_done", "bytes_total", "error")


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks; `hosts` are patterns of the minions whose transfers they may see."""

    name: str
    everything: bool = False
    hosts: tuple[str, ...] = ()

    def sees_host(self, host: str) -> bool:
        return self.everything or any(fnmatchcase(host, pattern) for pattern in self.hosts)

    def sees(self, transfer: Mapping[str, Any]) -> bool:
        """Whether this entry of the list (inventory.transfers) is for their eyes."""
        own = self.name not in ("", UNKNOWN) and transfer["asked_by"].get("user") == self.name
        hosts = hosts_of(transfer)
        return self.everything or own or (bool(hosts) and all(map(self.sees_host, hosts)))

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "everything": self.everything, "hosts": list(self.hosts)}


def viewer(name: str, on_master: bool, table: Any) -> Viewer:
    """Who looks, with what the table opens to them; Refused if it is no table of minions by names of users."""
    opened = _patterns(table or {}, name)
    return Viewer(paths.printable(name), on_master or ANYBODY in opened, opened)


def _patterns(table: Any, name: str) -> tuple[str, ...]:
    if not isinstance(table, Mapping):
        raise Refused([_no_table(f"it is {table!r}")])
    opened = [(user, table[user]) for user in (ANYBODY, name) if user in table]
    wrong = [user for user, minions in opened if not _is_names(minions)]
    if wrong:
        raise Refused(_no_table(f"what it says of {user} is no list") for user in wrong)
    return tuple(dict.fromkeys(str(pattern) for _, minions in opened for pattern in minions))


def _is_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _no_table(why: str) -> Any:
    text = f"{VIEWERS} in the master's configuration must map names of users to lists of minions, such as ann: ['db*']"
    return BadOption.reason(paths.printable(f"{text}; {why}"))


def hosts_of(transfer: Mapping[str, Any]) -> list[str]:
    """Every host that takes part in a transfer of the list, as far as its ends tell."""
    told = ((end["host"], *(peer["host"] for peer in end.get("peers", ()))) for end in transfer["ends"])
    return sorted({name for names in told for name in names})


def page(listing: Mapping[str, Any], looks: Viewer) -> dict[str, Any]:
    """The part of a list of transfers (looking.listed) that this viewer sees, in the form of the page."""
    seen = [each for each in listing["transfers"] if looks.sees(each)]
    shown = _shown(seen)
    return {
        "viewer": looks.as_dict(),
        "transfers": [_entry(each) for each in shown],
        "more": len(seen) - len(shown) + (listing["more"] if looks.everything else 0),
        "silent": [host for host in listing["silent"] if looks.sees_host(host)],
    }


def _shown(seen: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All that is not over, and of the rest the newest, as many as one can look at."""
    over = [each for each in seen if each["state"] == inventory.FINISHED]
    left_out = over[max(0, MOST_SHOWN - (len(seen) - len(over))) :]
    hidden = {each["transfer"] for each in left_out}
    return [each for each in seen if each["transfer"] not in hidden]


def _entry(transfer: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: transfer[name] for name in KEPT if name in transfer}
    began = min((str(end["wall"]) for end in transfer["ends"] if end.get("wall")), default=None)
    return tame({**kept, "began": began, "ends": list(_ends(transfer["ends"]))})


def of_waiting(transfer: Mapping[str, Any]) -> dict[str, Any]:
    """One that waits closely: nothing of it has begun."""
    entry = _entry(transfer)
    return {**{name: entry[name] for name in ("transfer", "state", "ends", "waits")}, "outcome": None, "missing": []}


def _ends(told: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The source, then the destinations in its order; who is silent is there with its name alone."""
    by_member = {(end["role"], end["host"]): end for end in told}
    known = sorted(told, key=lambda end: end["role"] != SOURCE)
    order = dict.fromkeys([*_named(known, SOURCE), *_named(known, DESTINATION)])
    for role, host in order:
        end = by_member.get((role, host), {})
        yield {"host": host, "role": role, **{key: end.get(key) for key in END_KEYS}}


def _named(told: Sequence[Mapping[str, Any]], role: str) -> Iterator[tuple[str, str]]:
    """The ends of this role, as the peer lists put them, with who tells of itself."""
    yield from ((role, peer["host"]) for end in told for peer in end.get("peers", ()) if peer["role"] == role)
    yield from ((role, end["host"]) for end in told if end["role"] == role)


def end_of(record: records.Record) -> dict[str, Any]:
    """One end of a transfer closely, from its record."""
    status = record.status
    progress = status.progress
    return tame(
        {
            "host": record.spec.host,
            "role": record.spec.role,
            "path": paths.encode_path(record.spec.path),
            "phase": status.phase,
            "alive": status.alive,
            "limit": status.limit,
            "phases": status.phases,
            "stages": status.stages,
            "curve": status.curve,
            "bytes_done": progress.bytes_done,
            "bytes_total": progress.bytes_total,
            "bytes_verified": progress.bytes_verified,
            "files_done": progress.files_done,
            "files_total": progress.files_total,
            "estimated": progress.estimated,
        }
    )


def findings(found: Iterable[Mapping[str, Any]], looks: Viewer) -> list[Mapping[str, Any]]:
    """What a doctor found on the hosts that this viewer sees."""
    return [each for each in found if looks.sees_host(each["host"])]


def tame(value: Any) -> Any:
    """The value with every text printable and bounded: minions wrote it, and a browser shows it."""
    if isinstance(value, str):
        return paths.printable(value)[:LONGEST_TEXT]
    if isinstance(value, Mapping):
        return {paths.printable(str(key)): tame(item) for key, item in value.items()}
    return [tame(item) for item in value] if isinstance(value, (list, tuple)) else value
