"""What a minion tells about itself and about one place, as its `transfer.facts` answers it.

`unreadable`, `special` and `mounts_below` list at most 20 each; `counts` says how many there are.
`trouble` names what could not be found out; a fact that is not known is a reason to refuse.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import shapes

Path = bytes
FAMILIES = {4: "inet", 6: "inet6"}


@dataclass(frozen=True)
class Interface:
    """`speed` is in Mbit/s, 0 where the kernel does not tell."""

    name: str
    address: str
    prefix: int
    family: str
    speed: int = 0

    def __post_init__(self) -> None:
        version = ipaddress.ip_interface(f"{self.address}/{self.prefix}").version
        if self.family != FAMILIES[version]:
            raise ValueError(f"{self.address} is not of family {self.family}")

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix} on {self.name}"


@dataclass(frozen=True)
class Firewall:
    """Which firewall decides about incoming packets (`backend`), and in which chains it would drop ours.

    `outbound` are chains that drop by policy what the host sends; `forbidden` is why nothing may be opened.
    """

    backend: str
    drops: bool
    chains: tuple[Mapping[str, Any], ...] = ()
    outbound: tuple[Mapping[str, Any], ...] = ()
    variant: str = ""
    trouble: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ports:
    free: bool
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unreadable:
    path: Path
    why: str


@dataclass(frozen=True)
class Source:
    """What stands at the source: counted until the time for it was over, then `estimated` (at least this much).

    `largest` is the size of its largest file.
    `identity` is its device and inode. `excluded` counts what the patterns leave out, a directory as one.
    """

    exists: bool
    kind: str | None = None
    readable: bool = False
    entries: int = 0
    files: int = 0
    directories: int = 0
    bytes: int = 0
    disk_bytes: int = 0
    largest: int = 0
    excluded: int = 0
    estimated: bool = False
    real: Path | None = None
    special: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    mounts_below: tuple[Path, ...] = ()
    newest_mtime_age: float | None = None
    identity: tuple[int, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How much stands at the final name, of what the patterns take; looked up for update=True."""

    entries: int
    bytes: int
    disk_bytes: int
    estimated: bool
    directories: int = 0


@dataclass(frozen=True)
class Destination:
    """What stands at the final name and around it.

    `blocked_by` is what is no directory on the way there; `nearest` is the closest directory above that exists; `above`
    are device and inode of that one and of all above it.
    """

    exists: bool
    parent: Path
    parent_exists: bool
    parent_writable: bool
    read_only: bool
    bytes_free: int
    bytes_total: int
    inodes_free: int
    inodes_total: int
    reserved_bytes: int
    reserved_inodes: int
    nearest: Path
    kind: str | None = None
    empty: bool = False
    is_mount: bool = False
    fs_type: str = ""
    rename_noreplace: bool | None = None
    real: Path | None = None
    locked_by: str | None = None
    blocked_by: Path | None = None
    above: tuple[tuple[int, ...], ...] = ()
    standing: Standing | None = None


@dataclass(frozen=True)
class Rest:
    """A transfer that rests at the place and can be gone on with; `bytes` of it are on the disk already."""

    transfer: str
    role: str = ""
    attempt: int = 1
    bytes: int = 0


@dataclass(frozen=True)
class Ticket:
    """A transfer that waits for this host, and since when, by the clock of the master that asked for it."""

    transfer: str
    at: float


@dataclass(frozen=True)
class Pace:
    """A transfer that came here from this host before: how much moved, and how long all of it took."""

    host: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Server:
    """The database server that a socket leads to. `replication` are its connections to primaries; None if the account
    may not see them. `redo_rate` is how many bytes a second it has written to its redo log since it was started.
    """

    version: str
    vendor: str
    datadir: Path
    user: str
    privileges: tuple[str, ...]
    redo_rate: int = 0
    replication: tuple[Mapping[str, Any], ...] | None = None

    def __post_init__(self) -> None:
        if self.vendor not in ("mariadb", "percona", "mysql"):
            raise ValueError(f"vendor {self.vendor[:40]!a} is none that is known")


@dataclass(frozen=True)
class Backup:
    """What a host has for hot backups: tools with their versions, what unpacks them, at a source the server itself."""

    tools: Mapping[str, str]
    unpackers: tuple[str, ...]
    server: Server | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Facts:
    host: str
    version: str
    python: str
    uid: int
    systemd: bool
    interfaces: tuple[Interface, ...]
    digests: tuple[str, ...]
    firewall: Firewall
    ports: Ports
    policy: Policy
    salt: str = ""
    hostname: str = ""
    boottime: float = 0.0
    codecs: tuple[str, ...] = ("zlib",)
    cpus: int = 1
    load: tuple[float, ...] = ()
    memory_available: int = 0
    source: Source | None = None
    destination: Destination | None = None
    running: tuple[str, ...] = ()
    queued: tuple[Ticket, ...] = ()
    resumable: tuple[Rest, ...] = ()
    paces: tuple[Pace, ...] = ()
    max_transfers: int = 0
    trouble: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    backup: Backup | None = None
    unpacks: tuple[str, ...] = ()

    def speed_at(self, address: str) -> int:
        """What the link with this address carries, in Mbit/s; 0 where it does not tell."""
        return next((each.speed for each in self.interfaces if each.address == address), 0)

    @classmethod
    def from_payload(cls, payload: Any, host: str) -> Facts:
        """The facts in a minion's answer; BadAnswer if it is not of this form."""
        return shapes.read(cls, payload, f"What {host} told about itself")
