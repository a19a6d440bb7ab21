"""JSON documents on disk: replaced whole and durably, or not at all."""
import hashlib
import json
import os
from pathlib import Path


def save(path, document):
    """Write `document` to `path` so that a crash leaves the old or the new one, never a part."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    with open(part, "wb", opener=_private) as file:
        file.write(json.dumps(document, indent=1).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    flush_directory(path.parent)


def load(path):
    """The document in `path`; None if there is none."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None


def digest(document):
    """What makes two documents the same: SHA-256 over their canonical form, as hex."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def flush_directory(path):
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
