"""Openings that an administrator forbids on this host, whoever asks: kept in one small file of the state directory.

An entry forbids what it covers: sources inside its network (all, if it names none) to ports inside its range (all,
if it names none). A file that cannot be read forbids everything.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import ports
from .errors import BadPinhole, BadPorts, ForbidUnreadable, PinholeForbidden
from .pinholes import plain_address

FILE = "forbidden.json"
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One thing that is forbidden; empty words mean any."""

    source: str = ""
    ports: str = ""
    reason: str = ""

    def __post_init__(self):
        try:
            object.__setattr__(self, "source", str(ipaddress.ip_network(self.source)) if self.source else "")
        except ValueError as error:
            raise BadPinhole(f"{self.source!r} is neither an address nor a network: {error}.") from None
        if self.ports:
            ports.parse(self.ports)

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.ports

    def covers(self, source: str, port: int) -> bool:
        return self._covers_source(source) and (not self.ports or port in ports.parse(self.ports))

    def covers_everybody(self, wanted: range) -> bool:
        """Whether nobody may come in by any of these ports."""
        banned = ports.parse(self.ports) if self.ports else wanted
        return not self.source and wanted[0] in banned and wanted[-1] in banned

    def _covers_source(self, source: str) -> bool:
        return not self.source or ipaddress.ip_address(source) in ipaddress.ip_network(self.source)

    def sentence(self) -> str:
        where = f"ports {self.ports}" if self.ports else "every port"
        why = f": {self.reason}" if self.reason else "."
        return f"An administrator forbade pinholes to {where} for {self.source or 'every source'} on this host{why}"


def refusals(entries: Iterable[Entry], sources: Iterable[str], port: int) -> list[str]:
    """A sentence for each entry that covers one of the sources to this port."""
    plain = [plain_address(source) for source in sources]
    return [entry.sentence() for entry in entries if any(entry.covers(source, port) for source in plain)]


def closed(state_dir: str | Path, wanted: range) -> list[str]:
    """A sentence for whatever forbids every pinhole to these ports; a file that cannot be read does."""
    try:
        return [entry.sentence() for entry in read(state_dir) if entry.covers_everybody(wanted)]
    except ForbidUnreadable as error:
        return [str(error)]


def check(state_dir: str | Path, sources: Iterable[str], port: int) -> None:
    """PinholeForbidden, with every reason, if an administrator of this host forbade this."""
    found = refusals(read(state_dir), sources, port)
    if found:
        raise PinholeForbidden(" ".join(found), reasons=found)


# The file.


def read(state_dir: str | Path) -> list[Entry]:
    """What is forbidden; nothing, if there is no file."""
    path = Path(state_dir) / FILE
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, BadPinhole, BadPorts) as error:
        raise ForbidUnreadable(f"{path} cannot be read, so no pinhole is opened: {error}", path=str(path)) from error


def parse(text: str) -> list[Entry]:
    document = json.loads(text)
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']!r}, this version reads {FORMAT}")
    return [Entry(**entry) for entry in document["forbidden"]]


def add(state_dir: str | Path, entry: Entry) -> list[Entry]:
    """Forbid one thing more, in place of an entry for the same; returns all that is forbidden then."""
    return _change(state_dir, lambda entries: [*_without(entries, entry), entry])


def remove(state_dir: str | Path, entry: Entry) -> list[Entry]:
    """Forbid it no longer; returns all that is forbidden then."""
    return _change(state_dir, lambda entries: _without(entries, entry))


def _without(entries: list[Entry], entry: Entry) -> list[Entry]:
    return [each for each in entries if each.key != entry.key]


def _change(state_dir: str | Path, change: Callable[[list[Entry]], list[Entry]]) -> list[Entry]:
    os.makedirs(state_dir, mode=0o700, exist_ok=True)
    with _locked(state_dir) as directory:
        entries = change(read(state_dir))
        _write(directory, {"format": FORMAT, "forbidden": [asdict(entry) for entry in entries]})
    return entries


@contextmanager
def _locked(state_dir: str | Path) -> Iterator[int]:
    """A descriptor of the directory, locked: two administrators at once lose nothing."""
    directory = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield directory
    finally:
        os.close(directory)


def _write(directory: int, document: dict[str, Any]) -> None:
    """Replace the file whole, and not return before it would survive a cut of power."""
    new = f"{FILE}.new"

    def private(name, flags):
        return os.open(name, flags | os.O_NOFOLLOW, 0o600, dir_fd=directory)

    with open(new, "w", encoding="utf-8", opener=private) as file:
        json.dump(document, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, FILE, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)
