"""Staging that no record of this host knows: found beside all final names on record, and where somebody says."""

import contextlib
import os
import time

from datamover.disk import safepath
from datamover.disk.staging import PREFIX, Staging
from datamover.errors import MoverError

from . import resting
from .residue import Residue, in_runs
from .residues import TRANSFER

MOST_PLACES = 1000
SWEEP = "nobody can go on with it: look at it, then transfer.sweep unknown=True removes it"
LEAVE = "not this host's to remove: "
ANY_NAME = b"any"


def find(runs, host, places=()):
    """Residues of staging directories without a record; what another host or state_dir made is only told."""
    for directory in sorted({*_directories(runs), *places})[:MOST_PLACES]:
        for path in _staging_in(directory):
            transfer = os.path.basename(path).removeprefix(PREFIX).decode(errors="replace")
            if TRANSFER.fullmatch(transfer) and not runs.of(transfer):
                yield _stray(runs, host, directory, transfer, path)


def _directories(runs):
    return in_runs(runs, _directory)


def _directory(run):
    if run.role == "destination":
        yield os.path.dirname(safepath.decode_path(run.spec["path"]))


def _staging_in(directory):
    try:
        with os.scandir(directory) as entries:
            return sorted(each.path for each in entries if each.name.startswith(PREFIX))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stray(runs, host, directory, transfer, path):
    others = _others(host, directory, transfer)
    about = {
        "what": "staging without a record",
        "transfer": transfer,
        "path": safepath.encode_path(path),
        "age": max(0, round(time.time() - os.lstat(path).st_mtime)),
        "bytes": resting.disk_bytes(path),
        "advice": f"{LEAVE}{others}" if others else SWEEP,
    }
    return Residue(about, None if others else lambda: _removed(runs, host, directory, transfer))


def _others(host, directory, transfer):
    """Why it may not be removed here; empty if it may. A directory on shared storage may be another host's."""
    try:
        with _opened(directory, transfer) as staging:
            return _owner(host, staging) if staging else ""
    except (MoverError, OSError, LookupError, ValueError, TypeError) as error:
        return f"it does not tell who made it ({error})"


@contextlib.contextmanager
def _opened(directory, transfer):
    staging = Staging.reopen(os.path.join(directory, ANY_NAME), transfer)
    with contextlib.closing(staging) if staging else contextlib.nullcontext():
        yield staging


def _owner(host, staging):
    about = staging.about
    if about is None:
        return ""  # only just begun, or all but removed
    if about["host"] != host:
        return f"{ascii(about['host'])} made it, look there"
    return f"its record is {about['run']}" if os.path.exists(about["run"]) else ""


def _removed(runs, host, directory, transfer):
    if runs.of(transfer) or _others(host, directory, transfer):
        return False
    with _opened(directory, transfer) as staging:
        if staging:
            staging.remove()
    return True
