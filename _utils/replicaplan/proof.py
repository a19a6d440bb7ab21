"""Whether two servers were shown to be equal: what was found of both goes in, checks and sentences come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .channels import against_replicating
from .positions import gtids

TOLD = 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and how it was found."""

    what: str
    ok: bool
    text: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def of_replication(told: Mapping[str, Any], primary: str, primary_id: Any) -> list[Check]:
    """That the replica replicates this primary alone and wholly, and cannot be written to."""
    channels = told["channels"]
    against = against_replicating(channels)
    followed = ", ".join(each["primary"] for each in channels)
    read_only = told["variables"].get("read_only")
    return [
        Check("threads", not against, " ".join(against) or f"both threads run, following {followed}"),
        _of_source(channels, primary, primary_id),
        Check("read_only", read_only == "ON", f"read_only is {read_only}"),
    ]


def _of_source(channels: Sequence[Mapping[str, Any]], primary: str, primary_id: Any) -> Check:
    """What arrives shows that somebody is followed; that it is this primary, and all of it, the channel has to tell."""
    strange = [each["primary_id"] for each in channels if str(each["primary_id"]) != str(primary_id)]
    filters = sorted({name for each in channels for name in each["filters"]})
    against = [
        *([f"it follows {len(channels)} primaries"] if len(channels) > 1 else []),
        *(f"it follows server {number}, and {primary} is server {primary_id}" for number in strange),
        *([f"it applies only a part: {', '.join(filters)}"] if filters else []),
    ]
    good = f"it follows {primary} (server {primary_id}), without filters"
    return Check("source", bool(channels) and not against, "; ".join(against) or (good if channels else "it has none"))


def of_arrival(gtid: str, trouble: str = "") -> Check:
    """That what the primary logged after the start has been applied; if nobody writes there, the last before it."""
    if not gtid and not trouble:
        return Check("arrival", False, "the primary has logged nothing yet, so nothing could arrive: write there first")
    return Check("arrival", not trouble, trouble or f"the primary's {gtid} has been applied")


def of_counts(primary: Mapping[str, Any], replica: Mapping[str, Any]) -> list[Check]:
    """That both were counted at one position, and are equal there."""
    same_place = not primary["mark"]["gtid"] or _gtids(primary) == _gtids(replica)
    equal = primary["root"] == replica["root"]
    where = _where(primary)
    apart = f"the primary was counted at {where}, the replica at {_where(replica)}"
    rows = f"{primary['tables']} tables with {primary['rows']} rows and {primary['objects']} definitions"
    words = f"{rows} are equal at {where}" if equal else f"they differ at {where}"
    return [
        Check("position", same_place, f"both were counted at {where}" if same_place else apart),
        Check("content", equal, words),
    ]


def _where(count: Mapping[str, Any]) -> str:
    mark = count["mark"]
    return str(mark["gtid"] or f"{mark['file']}:{mark['position']}")


def _gtids(count: Mapping[str, Any]) -> Mapping[str, Any]:
    return gtids(count["mark"]["gtid"])


def of_writes(own: Mapping[str, Any], primary: Mapping[str, Any], server_id: Any) -> Check:
    """That the replica has logged nothing that its primary does not know."""
    known = {gtid.rpartition("-")[0]: int(gtid.rpartition("-")[2]) for gtid in _listed(primary["state"])}
    errant = [
        gtid
        for gtid in _listed(own["state"])
        if gtid.split("-")[1] == str(server_id) and known.get(gtid.rpartition("-")[0], -1) < int(gtid.split("-")[2])
    ]
    return Check("own writes", not errant, f"own transactions: {', '.join(errant) or 'none'}")


def _listed(state: str) -> list[str]:
    return [word.strip() for word in state.split(",") if word.strip()]


def differences(primary: Iterable[Sequence[Any]], replica: Iterable[Sequence[Any]]) -> list[str]:
    """Sentences about the entries of two counts that are not the same."""
    one, other = _by_name(primary), _by_name(replica)
    found = [
        sentence
        for key in sorted({*one, *other}, key=repr)
        if (sentence := _difference(key, one.get(key), other.get(key)))
    ]
    more = [f"and {len(found) - TOLD} more."] if len(found) > TOLD else []
    return found[:TOLD] + more


def _by_name(entries: Iterable[Sequence[Any]]) -> dict[tuple[Any, ...], Sequence[Any]]:
    return {tuple(entry[:3]): entry[3:] for entry in entries}


def _difference(key: tuple[Any, ...], one: Sequence[Any] | None, other: Sequence[Any] | None) -> str:
    kind, first, second = key
    what = f"table {first}.{second}" if kind == "row" else f"{first} {second}"
    if one == other:
        return ""
    if one is None or other is None:
        found = "was counted" if kind == "row" else "is"
        return f"{what!r} {found} only on the {'replica' if one is None else 'primary'}."
    if kind == "row" and one[0] != other[0]:
        return f"{what!r} has {one[0]} rows on the primary and {other[0]} on the replica."
    return f"{what!r} differs."


def report(checks: Sequence[Check], counts: Mapping[str, Any], differing: Sequence[str]) -> dict[str, Any]:
    """The proof as it is kept: what was compared, how, and with what result."""
    reasons = [f"{check.what}: {check.text}" for check in checks if not check.ok]
    return {
        "proved": not reasons and not differing,
        "reasons": [*reasons, *differing],
        "checks": [check.as_dict() for check in checks],
        "compared": {name: counts.get(name) for name in ("mark", "root", "tables", "rows", "objects", "seconds")},
        "unproved": counts.get("unproved", []),
        "unproved_in_all": counts.get("unproved_in_all", 0),
    }
