"""The logs of a server, of its own writes and of its primary's, that lie outside of its data directory: which these
are, what belongs to them, and why they could not be moved aside when its data is replaced.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .facts import Facts
from .places import is_below

# As a running server tells it, and as its configuration does while it is down; a running one says log_bin=ON.
KINDS = {"binary log": ("log_bin_basename", "log_bin"), "relay log": ("relay_log_basename", "relay_log")}
INDEX = {"binary log": "log_bin_index", "relay log": "relay_log_index"}
NO_PATHS = ("", "ON", "OFF", "0", "1")
FILES = r"\.(?:[0-9]+(?:\.idx)?|index|state|~rec~)"


@dataclass(frozen=True)
class Log:
    """What the names of its files begin with, and the named channels of which a relay log has files of their own."""

    kind: str
    base: str
    channels: Sequence[str] = ()

    @property
    def directory(self) -> str:
        return posixpath.dirname(self.base)

    def holds(self, name: str) -> bool:
        """Whether a file of its directory belongs to it. An error log of the same first name does not."""
        channel = "|".join(re.escape(f"-{each}") for each in self.channels)
        return bool(re.fullmatch(f"{re.escape(posixpath.basename(self.base))}(?:{channel})?{FILES}", name))


def outside(variables: Facts, datadir: str, channels: Sequence[str] = ()) -> list[Log]:
    """The logs that a renamed data directory would not take along."""
    found = ((kind, _base(variables, kind)) for kind in KINDS)
    return [
        Log(kind, posixpath.normpath(posixpath.join(datadir, base)), tuple(channels) if kind == "relay log" else ())
        for kind, base in found
        if base and _is_outside(datadir, base)
    ]


def _is_outside(datadir: str, base: str) -> bool:
    """Whether its files are: those of a base that is the data directory itself lie beside that."""
    return not is_below(datadir, posixpath.dirname(base))


def _base(variables: Facts, kind: str) -> str:
    """A server ignores what looks like an extension, as in mysql-bin.log."""
    values = (str(variables.get(name) or "") for name in KINDS[kind])
    directory, name = posixpath.split(next((value for value in values if value not in NO_PATHS), ""))
    return posixpath.join(directory, name.partition(".")[0])


def against_changes(told: Facts, host: str) -> list[str]:
    """Why a server that runs is another one when it is started anew: then the new one logs where nobody looks, and the
    old one would go on behind that.
    """
    configured = told.get("configured") or {}
    return [*_against_changes(told, configured, host)] if configured else []


def _against_changes(told: Facts, configured: Facts, host: str) -> Iterator[str]:
    datadir, anew = posixpath.normpath(told["datadir"]), "when it is started anew: start it anew first, and come back."
    other = posixpath.normpath(configured.get("datadir") or datadir)
    if other != datadir:
        yield f"{host} works in {datadir}, and in {other} {anew}"
    for kind, index in INDEX.items():
        now, then = (_elsewhere(variables, datadir, kind) for variables in (told["variables"], configured))
        if now != then:
            yield f"{host} has its {kind} {_at(now)}, and {_at(then)} {anew}"
        place = str(configured.get(index) or "")
        if place and not is_below(datadir, place) and place.removesuffix(".index") != then:
            yield f"{host} has {index}={place} {anew}"


def _elsewhere(variables: Facts, datadir: str, kind: str) -> str:
    """Where a log is, if that is not the data directory."""
    return next((log.base for log in outside(variables, datadir) if log.kind == kind), "")


def _at(base: str) -> str:
    return f"at {base}" if base else "in its data directory or nowhere"


def against_logs(told: Facts, host: str) -> list[str]:
    """Why logs of this server could not be moved aside, and come back, with its old data."""
    found = told.get("logs") or ()
    names = [reason for kind in KINDS for reason in _against_names(told, host, kind)]
    names += against_changes(told, host)
    return [*names, *(against_files(found, told["user"], host) if found else ())]


def against_files(found: Sequence[Facts], user: str, host: str) -> list[str]:
    """What the files of its logs, and the directories of them, say against it."""
    return [reason for each in found for reason in _against_files(each, user, host)] + _against_sharing(found, host)


def _against_sharing(found: Sequence[Facts], host: str) -> list[str]:
    bases = [each["base"] for each in found]
    one = len({*bases}) < len(bases)
    return [f"{host} has one name for its binary log and its relay log, {bases[0]}."] if one else []


def _against_names(told: Facts, host: str, kind: str) -> Iterator[str]:
    """What the configuration says of it."""
    variables, datadir = told["variables"], told["datadir"]
    base = _base(variables, kind)
    name, option = INDEX[kind], KINDS[kind][1]
    parts = base.split("/")
    taken = posixpath.normpath(base) == posixpath.normpath(datadir)
    if base and _is_outside(datadir, base) and (".." in parts or not parts[-1] or taken):
        yield (
            f"{host} has its {kind} at {base}: let {option} be a file's path without '..' that is not the data "
            "directory's, or a name without a path, and start the server anew."
        )
    index = str(variables.get(name) or "")
    if base and index and not is_below(datadir, index) and index.removesuffix(".index") != base:
        yield (
            f"{host} has {name}={index}, which is neither in its data directory {datadir} nor {base}.index: such a "
            "server is not replaced."
        )


def _against_files(log: Facts, user: str, host: str) -> Iterator[str]:
    """What its files and their directory say of it."""
    directory, leads = posixpath.dirname(log["base"]), log["directory_is"]
    whose = f"the {log['kind']} of {host}"
    if not log["directory_exists"]:
        yield f"{directory}, where {whose} is to be, is no directory."
        return
    if leads != directory:
        yield f"{directory}, where {whose} is, is reached by a symbolic link: let its option name {leads}."
    if not log["writable"]:
        yield f"{directory}, where {whose} is, cannot be written to by {user}, as whom the server runs, and by root."
    if log["strange"]:
        more = ", ..." if len(log["strange"]) > 1 else ""
        yield (
            f"{directory}/{log['strange'][0]}{more} has the name of a file of {whose}, but is a link, a mount, no file "
            f"at all, or not of {user}: another server's logs are not moved aside. Move it away."
        )
    if log["open_by"]:
        pids = " and ".join(map(str, log["open_by"]))
        yield f"Files of {whose}, {log['base']}.*, are open in process {pids}, which is not its server: end that first."


def moved(logs: Sequence[Facts]) -> list[str]:
    """What will be moved aside, in words."""
    return [f"{each['kind']} {each['base']}.* ({each['files']} files, {each['bytes']} bytes)" for each in logs]
