"""What a measurement was made on."""

import datetime
import hashlib
import os
import platform
import shutil
import subprocess
import time
from importlib import metadata
from pathlib import Path

from datamover.version import VERSION

CHECKOUT = Path(__file__).resolve().parents[1]
BUSY = 0.5
"""Processors that others keep at work, beyond which figures are noise."""
MOMENT = 1.0
PACKAGES = ("netcat-openbsd", "socat", "rsync", "openssh-client", "openssl", "pigz", "tar", "b3sum")
LIBRARIES = ("blake3", "zstandard", "cryptography")
ENGINE = ("_utils/datamover", "bench")
EVERYTHING = ("_modules", "_runners", "_utils", "bench", "lab")
"""Folders with the sources of what is measured: the engine alone, or whole commands in the lab."""


def about(scale, runs, destination, sources=ENGINE):
    """The head of a record of what these sources do."""
    return {
        "machine": machine(),
        "code": digest_of_code(sources),
        "scale": scale,
        "runs": runs,
        "destination": destination,
        "version": VERSION,
        "date": datetime.date.today().isoformat(),
        "load": others_at_work(),
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := library(name))},
        "packages": packages(),
    }


def others_at_work(seconds=MOMENT):
    """How many processors others kept at work, over a moment in which we do nothing."""
    before, began = idle_seconds(), time.monotonic()
    time.sleep(seconds)
    idle = (idle_seconds() - before) / (time.monotonic() - began)
    return round(max(0.0, os.cpu_count() - idle), 2)


def idle_seconds():
    """Of all processors together, since the machine began."""
    numbers = field("/proc/stat", "cpu ", " ").split()
    return (int(numbers[3]) + int(numbers[4])) / os.sysconf("SC_CLK_TCK")


def machine():
    return {
        "processor": field("/proc/cpuinfo", "model name", ":"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "system": field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
    }


def field(path, name, sign):
    """The value after the first line's name in a file of names and values; "unknown" without it."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(sign)[2].strip()
    return "unknown"


def digest_of_code(sources=ENGINE):
    """One digest over what is measured and the bench, without what only tells."""
    files = sorted(path for folder in sources for path in (CHECKOUT / folder).rglob("*.py"))
    whole = b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in files if path.name not in TELLING)
    return hashlib.sha256(whole).hexdigest()[:16]


TELLING = ("tables.py", "page.py", "plot.py", "clonepage.py", "fanpage.py", "chain_model.py", "__main__.py")


def library(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def packages():
    """{Debian package: version} of the peers, where dpkg knows."""
    if not shutil.which("dpkg-query"):
        return {}
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES]
    told = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return dict(line.split(maxsplit=1) for line in told.splitlines() if len(line.split()) == 2)
