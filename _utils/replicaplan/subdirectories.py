"""What a server has in directories below its data directory: a backup does not bring them along, and without them the
server would not start on it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from .facts import Facts
from .places import is_below

DIRECTORIES = (
    "innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory", "aria_log_dir_path", "tmpdir",
    "innodb_tmpdir", "slave_load_tmpdir",
)
FILES = (
    "log_bin_basename", "log_bin", "log_bin_index", "relay_log_basename", "relay_log", "relay_log_index", "log_error",
    "master_info_file", "relay_log_info_file", "socket", "pid_file",
)


def against_subdirectories(told: Facts, host: str) -> list[str]:
    """Why this server would not start in a data directory that only has what a backup brings."""
    datadir, configured = told["datadir"], told.get("configured") or {}
    found: dict[str, str] = {}
    for option, directory in (*_directories(told["variables"]), *_directories(configured)):
        place = posixpath.normpath(posixpath.join(datadir, directory))
        if is_below(datadir, place) and place != posixpath.normpath(datadir):
            found.setdefault(place, option)
    return [
        f"{host} has {option} in {place}, a directory in its data directory {datadir}, which no backup brings along: "
        f"let it be elsewhere, or in {datadir} itself, and start the server anew."
        for place, option in found.items()
    ]


def _directories(variables: Facts) -> Iterator[tuple[str, str]]:
    """(option, directory) of all that a server has to have."""
    for option in DIRECTORIES:
        for each in _value(variables, option).split(":"):
            yield option, each
    for option in FILES:
        yield option, posixpath.dirname(_value(variables, option))
    for each in _value(variables, "innodb_data_file_path").split(";"):
        yield "innodb_data_file_path", posixpath.dirname(each.partition(":")[0])


def _value(variables: Facts, option: str) -> str:
    return str(variables.get(option) or "")
