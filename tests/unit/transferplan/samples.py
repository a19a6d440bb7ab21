"""Two hosts and a directory to copy, told as minions tell them; every test changes only what it is about."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

from transferplan import plan, request
from transferplan.request import DESTINATION, SOURCE, Member
from transferplan.version import VERSION

# A busy machine is no reason for a test to fail.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TRANSFER = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
ALPHA = Member("alpha", SOURCE)
BETA = Member("beta", DESTINATION)
GAMMA = Member("gamma", DESTINATION)
DELTA = Member("delta", DESTINATION)
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
        "codecs": ["zstd", "zlib"],
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
        "blocked_by": None,
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


def gamma(found: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return host("gamma", "10.77.1.13", **{"destination": found or destination(), **changes})


def delta(found: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return host("delta", "10.77.1.14", **{"destination": found or destination(), **changes})


ROOT = "ab" * 32


def verdict(**changes: Any) -> dict[str, Any]:
    return {
        "result": "published",
        "error": None,
        "path": "/srv/data",
        "level": "readback",
        "algorithm": "blake3",
        "block_size": 4 * 1024 * 1024,
        "root": ROOT,
        "files": 1000,
        "directories": 3,
        "links": 0,
        "entries": 1003,
        "bytes": 10 * GIB,
        "sparse_bytes": 0,
        "moved_bytes": 10 * GIB,
        "wire_bytes": 4 * GIB,
        "seconds": {"move": 10.0, "verify": 2.0, "publish": 0.1, "total": 12.4},
        "stages": {"read": 3.0, "network": 6.0, "write": 1.0},
        "cpu_seconds": 12.0,
        "peak_memory": 50_000_000,
        "skipped": [],
        "skipped_more": 0,
        "retried_entries": 0,
        "streams": [{"bytes": 10 * GIB, "wire_bytes": 4 * GIB, "pieces": 20_480, "connections": 1}],
        "cleanup": [],
        **changes,
    }


def failure(code: int = 70, name: str = "source-changed", text: str = "/srv/data/x changed while it was read") -> Any:
    told = {"code": code, "name": name, "retryable": True, "text": text, "evidence": {}}
    return verdict(result="failed", error=told, root=None)


def status(member: Member, phase: str = "moving", done: int = 0, **changes: Any) -> dict[str, Any]:
    told = changes.get("verdict")
    return {
        "transfer": TRANSFER,
        "attempt": 1,
        "role": member.role,
        "host": member.host,
        "phase": told["result"] if told else phase,
        "seq": 7,
        "alive": not told,
        "progress": {
            "bytes_total": 10 * GIB,
            "bytes_done": done,
            "files_total": 1000,
            "files_done": 0,
            "bytes_verified": 0,
            "estimated": False,
        },
        "phases": {"prepared": 0.0, "armed": 0.2, "moving": 0.5},
        "wall": "2026-01-01T00:00:00.000+00:00",
        "events": [],
        "verdict": None,
        **changes,
    }


def specs(**options: Any) -> dict[Member, dict[str, Any]]:
    """What both ends were asked to prepare."""
    return plan.make(asked(**options), {ALPHA: alpha(), BETA: beta()}).specs()


def record(spec: dict[str, Any], phase: str = "moving", **changes: Any) -> dict[str, Any]:
    """What the end of this spec tells of itself; without `verdict` it lives."""
    member = Member(spec["host"], spec["role"])
    told = {"transfer": spec["transfer"], "attempt": spec["attempt"], **changes}
    return {"spec": spec, "status": status(member, phase, **told)}


def failed_records(**options: Any) -> dict[Member, dict[str, Any]]:
    """The records of a transfer that failed at both ends."""
    return {member: record(spec, verdict=failure()) for member, spec in specs(**options).items()}


def verified(member: Member, **changes: Any) -> dict[str, Any]:
    """What `transfer.verify` of a minion tells when all is as it was."""
    counts = dict.fromkeys(("missing", "kind", "content", "metadata", "extra", "unreadable"), 0)
    counts |= changes.pop("counts", {})
    return {
        "transfer": TRANSFER,
        "role": member.role,
        "host": member.host,
        "path": "/srv/data",
        "verified": not any(counts.values()),
        "algorithm": "blake3",
        "root": ROOT,
        "sealed_root": ROOT,
        "entries": 1003,
        "bytes": 10 * GIB,
        "trusted": 0,
        "counts": counts,
        "troubles": [],
        "more": 0,
        **changes,
    }
