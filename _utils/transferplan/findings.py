"""What a doctor's visit finds on all hosts: what each tells of itself, and what only shows beside the master."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import units
from .paths import printable
from .version import VERSION

MOST_SKEW = 60.0
KEYS = ("host", "what", "transfer", "role", "path", "age", "bytes", "advice")


def gathered(visits: Mapping[str, Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """Every finding of every host (what its `transfer.doctor` told, heard at `now` of the master's clock)."""
    return [_tame({"host": host, **each}) for host, visit in visits.items() for each in _of(visit, now)]


def _of(visit: Mapping[str, Any], now: float) -> Iterator[Mapping[str, Any]]:
    yield from visit["findings"]
    yield from ({"what": "could not be looked at", "advice": sentence} for sentence in visit["trouble"])
    if visit["version"] != VERSION:
        yield {
            "what": f"salt-transfer {visit['version']}, the master has {VERSION}",
            "advice": "transfers with this host are refused: bring both to one version, e.g. saltutil.sync_all",
        }
    skew = visit["clock"] - now
    if abs(skew) > MOST_SKEW:
        yield {
            "what": f"its clock is {units.span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the master's",
            "advice": "harmless to transfers, whose deadlines count from boot; but ages and times of files are wrong",
        }


def _tame(finding: Mapping[str, Any]) -> dict[str, Any]:
    """The finding in the order of KEYS, with nothing in it that could steer a terminal."""
    known = {key: finding[key] for key in KEYS if finding.get(key) is not None}
    return {key: printable(value) if isinstance(value, str) else value for key, value in known.items()}


def lines(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each, for people."""
    return [*map(_advised, findings)] or ["nothing is left over"]


def swept(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """From what a sweep tells of each host: a line for each that it removed, and for each that is still there with what
    would remove it; at last on how many hosts there is nothing.
    """
    told = [line for host, each in sorted(hosts.items()) for line in _swept(host, each)]
    clean = sum(not any(each.get(name) for name in ("found", "trouble")) for each in hosts.values())
    return [*told, *([f"nothing to remove on {units.count(clean, 'host')}"] if clean else [])]


def _swept(host: str, told: Mapping[str, Any]) -> Iterator[str]:
    found, removed = ([_tame({"host": host, **each}) for each in told.get(name, ())] for name in ("found", "removed"))
    yield from (f"{_line(each)}: removed" for each in removed)
    yield from (_advised(each) for each in found if each not in removed)
    yield from (printable(f"{host}: {sentence}") for sentence in told.get("trouble", ()))


def _advised(finding: Mapping[str, Any]) -> str:
    return f"{_line(finding)}: {finding.get('advice', '')}"


def _line(finding: Mapping[str, Any]) -> str:
    parts = [finding["what"], *(str(finding[key]) for key in ("transfer", "path") if key in finding)]
    if "age" in finding:
        parts.append(f"{units.span(finding['age'])} old")
    if "bytes" in finding:
        parts.append(units.size(finding["bytes"]))
    return f"{finding['host']}: {', '.join(parts)}"
