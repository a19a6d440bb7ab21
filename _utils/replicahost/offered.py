"""Where a backup that shall be installed may lie: beside the data directory, and in nobody's data.

A clone that was settled still has the files of its backup: data in use would pass for a prepared backup.
"""

import os
from pathlib import Path

from .traces import servers_in


def against_place(prepared, target, old_data):
    """Why what lies there is not to take the place of a data directory; `old_data` is what drop_old would remove."""
    return [*_against_data(prepared, target, old_data), *_against_servers(prepared), *_against_rename(prepared, target)]


def _against_data(prepared, target, old_data):
    whose = {target: "the data directory itself"} | dict.fromkeys(old_data, "the old data of an installation")
    return [
        f"{prepared} is, holds or lies in {data}, {what}: it is no backup that could take its place."
        for data, what in whose.items()
        if _touch(prepared, data)
    ]


def _touch(one, other):
    """Whether one is the other, holds it, or lies in it, by whatever path."""
    return _is_in(one, other) or _is_in(other, one)


def _is_in(inner, outer):
    own = Path(os.path.realpath(inner))
    return os.path.exists(outer) and any(each.exists() and each.samefile(outer) for each in (own, *own.parents))


def _against_servers(prepared):
    pids = servers_in(prepared)
    return [f"A server works in {prepared}: process {' and '.join(map(str, pids))}."] if pids else []


def _against_rename(prepared, target):
    parent = os.path.dirname(target)
    if not os.path.isdir(parent) or not os.path.isdir(prepared):
        return []
    if os.path.dirname(prepared) == parent or os.stat(parent).st_dev == os.stat(prepared).st_dev:
        return []
    return [f"{prepared} lies on another file system than {target}: put it beside it, such as {target}.new."]
