"""Ports of this host: how people write a range of them, and who listens on one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from .errors import BadPorts

HIGHEST = 65535

_RANGE = re.compile(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?")


@dataclass(frozen=True)
class Listener:
    """A socket that waits for connections. The process is None where this user may not know it."""

    address: str
    port: int
    pid: int | None = None
    process: str | None = None
    user: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse(text: str | int) -> range:
    """The ports of `4400` or `4400-4499`."""
    found = _RANGE.fullmatch(str(text))
    if not found:
        raise BadPorts(f"{text!r} names no ports: write one as 4400, a range as 4400-4499.")
    low, high = int(found[1]), int(found[2] or found[1])
    if not 1 <= low <= high <= HIGHEST:
        raise BadPorts(f"{text!r} names no ports: they run from 1 to {HIGHEST}, the lower one first.")
    return range(low, high + 1)


def listeners(ports: Iterable[int]) -> list[Listener]:
    """Every tcp listener on one of the ports, in the order of the ports."""
    wanted = set(ports)
    found = {
        (connection.laddr.port, connection.laddr.ip, connection.pid)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in wanted
    }
    ordered = sorted(found, key=lambda each: (each[0], each[1], each[2] or 0))
    return [Listener(address, port, pid, *_who(pid)) for port, address, pid in ordered]


def _who(pid: int | None) -> tuple[str | None, str | None]:
    """Name and user of a process; never its arguments, which may hold secrets."""
    try:
        process = psutil.Process(pid) if pid else None
        return (process.name(), process.username()) if process else (None, None)
    except psutil.Error:
        return None, None
