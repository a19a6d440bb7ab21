"""What hosts have written down of transfers, as people read it: a line for each line of a log or an audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import units
from .paths import printable

HEAD = ("n", "at", "what")
NAMING = ("host", "user", "text")


def log_lines(ends: Iterable[Mapping[str, Any]]) -> list[str]:
    """From the ends of what `transfer.log` returns."""
    return [printable(line) for end in ends for line in _logged(f"{end['host']} ({end['role']})", end)]


def _logged(who: str, end: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{who}: {line}" for line in end["lines"])
    if not end["lines"]:
        yield f"{who}: nothing recorded"
    if end["more"]:
        yield f"{who}: there are further lines: after= leaves out the first ones"


def audit_lines(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """From the hosts of what `transfer.audit` returns."""
    told = [printable(line) for host, page in sorted(hosts.items()) for line in _audited(host, page)]
    return told or ([f"nothing recorded on {units.count(len(hosts), 'host')}"] if hosts else [])


def _audited(host: str, page: Mapping[str, Any]) -> Iterator[str]:
    for line in page["lines"]:
        told = {name.replace("_", " "): _said(value) for name, value in line.items() if name not in HEAD}
        details = ", ".join(f"{name} {said}" for name, said in told.items() if said)
        yield f"{host}: {line['at']}  {line['what']}{': ' if details else ''}{details}"
    if page["more"]:
        yield f"{host}: there are further lines: after={page['lines'][-1]['n'] if page['lines'] else 0} shows them"


def _said(value: Any) -> str:
    """A detail in short: of several their names, of a document what names it."""
    if isinstance(value, Mapping):
        return next((str(value[name]) for name in NAMING if value.get(name)), "")
    if isinstance(value, list):
        return units.some([_said(each) for each in value]) if value else ""
    return "" if value is None else str(value)
