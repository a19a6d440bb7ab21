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
    return [_line(each) for each in findings] or ["nothing is left over"]


def _line(finding: Mapping[str, Any]) -> str:
    parts = [finding["what"], *(str(finding[key]) for key in ("transfer", "path") if key in finding)]
    if "age" in finding:
        parts.append(f"{units.span(finding['age'])} old")
    if "bytes" in finding:
        parts.append(units.size(finding["bytes"]))
    return f"{finding['host']}: {', '.join(parts)}: {finding.get('advice', '')}"
