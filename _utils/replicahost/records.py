"""What was installed and settled on this host, and the old data that each installation has kept."""

import os
import time

from datamover.host import documents
from replicaplan.errors import NothingToUndo, ReplicaRefused

from . import datadir, holds


def _record(state_dir):
    return holds.directory(state_dir).parent / "installed.json"


def last(state_dir):
    """What was installed last and settled; None if nothing was."""
    return documents.load(_record(state_dir))


def save(state_dir, undo, told):
    """Note an installation before its hold is over, so that it cannot get lost; where that does not end, it is none."""
    undo.register("record", path=str(_record(state_dir)), before=last(state_dir))
    older = [path for path in old_data(state_dir) if path != told["kept"]]
    documents.save(_record(state_dir), {**told, "settled_at": int(time.time()), "older": older})


def old_data(state_dir):
    """Where the old data of installations that were settled still is, the last one's first."""
    known = last(state_dir) or {}
    return [path for path in (known.get("kept"), *known.get("older", ())) if path and os.path.isdir(path)]


def drop_old(state_dir, confirm):
    """Remove the old data of an installation; `confirm` repeats its path."""
    if holds.directory(state_dir).joinpath("installation").exists():
        raise ReplicaRefused(["An installation is under way: its old data may be needed until it is settled."])
    there = old_data(state_dir)
    if not there:
        raise NothingToUndo("There is no old data of an installation on this host.")
    if confirm not in there:
        raise ReplicaRefused([f"confirm has to name what is removed: {' or '.join(there)}, not {confirm!r}."])
    freed, files = datadir.size_of(confirm)
    datadir.remove(confirm)
    return {"removed": confirm, "bytes": freed, "files": files}
