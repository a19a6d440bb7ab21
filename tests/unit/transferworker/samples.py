"""Specs as a plan makes them, for tests to vary."""

TRANSFER = "0123456789abcdef" * 2

SETTINGS = {
    "digest": "sha256",
    "verify": "readback",
    "encrypt": True,
    "streams": 1,
    "compress": "none",
    "limit": 0,
    "nice": "normal",
    "block_size": 4 * 1024 * 1024,
    "overwrite": False,
    "update": False,
    "compare": "time",
    "delete": False,
    "delete_limit": "50%",
    "in_place": False,
    "owners": "names",
    "special": [],
    "include": [],
    "exclude": [],
    "lease": 30,
    "stall_timeout": 300,
    "keep_partial": 0,
    "reserve_bytes": 0,
    "reserve_inodes": 0,
}


def spec(role="destination", **changes):
    """A correct spec; a change named like `settings__lease` goes into a part of it."""
    peer = "source" if role == "destination" else "destination"
    listen = {"addresses": ["127.0.0.1"], "port": 0, "ports": [4400, 4499]}
    made = {
        "format": 1,
        "project": "salt-transfer",
        "version": "0.1.0",
        "transfer": TRANSFER,
        "attempt": 1,
        "dataset": TRANSFER,
        "generation": 1,
        "epoch": 1,
        "leaf": 0,
        "role": role,
        "host": "alpha",
        "path": "/srv/data",
        "source_kind": "directory",
        "expect": {"bytes": 1000, "entries": 10, "estimated": False, "held": 0},
        "listen": listen if role == "destination" else None,
        "peers": [{"host": "beta", "role": peer, "addresses": ["127.0.0.1"]}],
        "firewall": {"backend": "none", "chains": []},
        "asked_by": {"user": "root", "via": "salt-run"},
        "given": {},
        "settings": dict(SETTINGS),
    }
    for name, value in changes.items():
        part, _, key = name.partition("__")
        if key:
            made[part] = {**made[part], key: value}
        else:
            made[part] = value
    return made
