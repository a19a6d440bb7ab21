"""Two hosts and a directory to copy, told as minions tell them; every test changes only what it is about."""

from __future__ import annotations

from typing import Any

from transferplan import request
from transferplan.request import DESTINATION, SOURCE, Member
from transferplan.version import VERSION

TRANSFER = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
ALPHA = Member("alpha", SOURCE)
BETA = Member("beta", DESTINATION)
GIB = 1024**3
CHAIN = {"backend": "nft", "variant": "", "family": "inet", "table": "filter", "chain": "input", "policy": "drop"}


def asked(src: str = "alpha:/srv/data", dst: str = "beta:/srv/data", **options: Any) -> request.Request:
    return request.parse(src, dst, options, [], TRANSFER)


def interface(address: str, prefix: int = 24, name: str = "eth0") -> dict[str, Any]:
    return {"name": name, "address": address, "prefix": prefix, "family": "inet6" if ":" in address else "inet"}


def host(name: str, address: str, **changes: Any) -> dict[str, Any]:
    return {
        "host": name,
        "version": VERSION,
        "salt": "3008.3",
        "python": "3.11.7",
        "uid": 0,
        "systemd": True,
        "boottime": 12.5,
        "hostname": name,
        "interfaces": [interface(address)],
        "digests": ["blake3", "sha256"],
        "codecs": ["none"],
        "cpus": 2,
        "load": [0.1, 0.2, 0.3],
        "memory_available": 4 * GIB,
        "firewall": {"backend": "nft", "drops": True, "chains": [CHAIN], "variant": "", "trouble": []},
        "ports": {"free": True, "trouble": []},
        "source": None,
        "destination": None,
        "policy": {"reasons": []},
        "running": [],
        "trouble": [],
        **changes,
    }


def source(**changes: Any) -> dict[str, Any]:
    return {
        "exists": True,
        "kind": "directory",
        "readable": True,
        "entries": 1003,
        "files": 1000,
        "directories": 3,
        "bytes": 10 * GIB,
        "disk_bytes": 10 * GIB,
        "estimated": False,
        "special": {"setuid": [], "capabilities": [], "fifos": [], "devices": [], "sockets": []},
        "counts": {"setuid": 0, "capabilities": 0, "fifos": 0, "devices": 0, "sockets": 0},
        "unreadable": [],
        "mounts_below": [],
        "real": "/srv/data",
        "newest_mtime_age": 86400.0,
        **changes,
    }


def destination(**changes: Any) -> dict[str, Any]:
    return {
        "exists": False,
        "kind": None,
        "empty": False,
        "is_mount": False,
        "parent": "/srv",
        "parent_exists": True,
        "parent_writable": True,
        "read_only": False,
        "fs_type": "ext4",
        "bytes_free": 40 * GIB,
        "bytes_total": 100 * GIB,
        "inodes_free": 1_000_000,
        "inodes_total": 2_000_000,
        "reserved_bytes": 0,
        "reserved_inodes": 0,
        "rename_noreplace": True,
        "real": "/srv/data",
        "locked_by": None,
        "nearest": "/srv",
        **changes,
    }


def alpha(found: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return host("alpha", "10.77.1.11", **{"source": found or source(), **changes})


def beta(found: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return host("beta", "10.77.1.12", **{"destination": found or destination(), **changes})
