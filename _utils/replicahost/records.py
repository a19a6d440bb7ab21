"""What was installed and settled on this host, and the old data that each installation has kept."""

import os
import time

from replicaplan.errors import ReplicaRefused

from . import datadir, holds, notes


def _record(state_dir):
    return holds.directory(state_dir).parent / "installed.json"


def last(state_dir):
    """What was installed last and settled; None if nothing was."""
    return notes.load(_record(state_dir))


def save(state_dir, undo, told):
    """Note an installation before its hold is over, so that it cannot get lost; where that does not end, it is none."""
    undo.register("record", path=str(_record(state_dir)), before=last(state_dir))
    older = {data: logs for data, logs in _there(state_dir).items() if data not in _noted(told)}
    record = {**told, "settled_at": int(time.time()), "older": [*older], "older_logs": older}
    notes.save(_record(state_dir), record)


def _noted(known):
    """{old data: the logs of it that lay elsewhere}, the last first; logs without data stand for themselves."""
    logs = known.get("kept_logs") or []
    own = {known["kept"]: logs} if known.get("kept") else {each: [] for each in logs}
    return {**own, **{each: known.get("older_logs", {}).get(each, []) for each in known.get("older", ())}}


def _there(state_dir):
    """The same, of what is still there."""
    found = {}
    for data, noted in _noted(last(state_dir) or {}).items():
        logs = [each for each in noted if os.path.isdir(each)]
        found |= {data: logs} if os.path.isdir(data) else {each: [] for each in logs}
    return found


def old_data(state_dir):
    """Where the old data of installations that were settled still is, the last one's first."""
    return [*_there(state_dir)]


def drop_old(state_dir, confirm):
    """Remove the old data of an installation, and its logs; `confirm` repeats its path."""
    if holds.under_way(state_dir, holds.INSTALLATION):
        raise ReplicaRefused(["An installation is under way: its old data may be needed until it is settled."])
    there = _there(state_dir)
    if not there:
        raise ReplicaRefused(["There is no old data of an installation on this host."])
    if confirm not in there:
        raise ReplicaRefused([f"confirm has to name what is removed: {' or '.join(there)}, not {confirm!r}."])
    places = (confirm, *there[confirm])  # what is left if this ends between them can still be named
    for each in places:
        datadir.check_removable(each)
    sizes = [datadir.size_of(each) for each in places]
    for each in places:
        datadir.remove(each)
    freed, files = (sum(part) for part in zip(*sizes, strict=True))
    return {"removed": confirm, "logs": there[confirm], "bytes": freed, "files": files}
