"""Types of transfer that are streams: a hot backup of a database, an archive that is unpacked where it arrives.

A stream is read once and held nowhere: it is proved in flight, nothing of it is kept when it breaks, and it goes to a
place where nothing is. What each type needs of both hosts is checked here, and becomes the `stream` of their specs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from . import checks, errors, paths, units
from .errors import Reason
from .facts import Backup, Destination, Facts, Server, Source
from .options import Settings
from .request import Endpoint, Request
from .streamed import ARCHIVE, BACKUP, FILE, SUFFIXES, becomes, is_stream, suffix_of

TOOLS = {
    "mariadb": ("mariadb-backup", "mariabackup"),
    "percona": ("xtrabackup",),
    "mysql": ("xtrabackup",),
}
UNPACKERS = {"mariadb": "mbstream", "percona": "xbstream", "mysql": "xbstream"}
NEEDED = {
    "mariadb": ("RELOAD", "PROCESS", "LOCK TABLES", "BINLOG MONITOR"),
    "percona": ("RELOAD", "PROCESS", "LOCK TABLES", "REPLICATION CLIENT", "BACKUP_ADMIN"),
    "mysql": ("RELOAD", "PROCESS", "LOCK TABLES", "REPLICATION CLIENT", "BACKUP_ADMIN"),
}
SEEING = {"mariadb": ("SLAVE MONITOR",)}
STOPPING = {
    "mariadb": ("REPLICATION SLAVE ADMIN",),
    "percona": ("REPLICATION_SLAVE_ADMIN",),
    "mysql": ("REPLICATION_SLAVE_ADMIN",),
}
INSTEAD = {
    "BINLOG MONITOR": ("REPLICATION CLIENT", "SUPER"),
    "SLAVE MONITOR": ("REPLICA MONITOR", "REPLICATION CLIENT", "SUPER"),
    "REPLICATION SLAVE ADMIN": ("SUPER",),
    "REPLICATION CLIENT": ("SUPER",),
    "REPLICATION_SLAVE_ADMIN": ("SUPER",),
}
"""Older names, and what grants the same."""
THREADS = 4
PACE = 50 * 1024 * 1024
"""Bytes a second that a backup makes at the least, for what the redo log grows meanwhile."""


# The source


def grown(facts: Facts, asked: Settings) -> Facts:
    """The facts of a source with what its stream takes at the destination: redo is written while a backup runs."""
    server = _server(facts)
    if facts.source is None or asked.type != BACKUP or server is None:
        return facts
    redo = facts.source.disk_bytes // PACE * server.redo_rate
    grown = replace(facts.source, disk_bytes=facts.source.disk_bytes + redo, bytes=facts.source.bytes + redo)
    return replace(facts, source=replace(grown, estimated=True))


def _server(facts: Facts | None) -> Server | None:
    return facts.backup.server if facts and facts.backup else None


def source(place: Endpoint, facts: Facts, asked: Settings) -> Iterator[Reason]:
    """Whether the source can make its stream."""
    assert facts.source is not None
    yield from _AT_SOURCE[asked.type](place, facts, facts.source, asked)


def _plain(place: Endpoint, _facts: Facts, found: Source, asked: Settings) -> Iterator[Reason]:
    yield from checks.source(place, found, asked)


def _backup(place: Endpoint, facts: Facts, found: Source, asked: Settings) -> Iterator[Reason]:
    if facts.backup is None or facts.backup.server is None:
        why = facts.backup.trouble if facts.backup else "nothing was told of it"
        yield errors.SourceMissing.reason(f"{place} leads to no database server that can be backed up: {why}")
        return
    yield from _donor(place, facts.backup, facts.backup.server, asked)
    if not found.exists:
        datadir = Endpoint(place.host, facts.backup.server.datadir)
        yield errors.SourceUnreadable.reason(f"{datadir}, where {place} keeps its data, cannot be seen")


def _archive(place: Endpoint, _facts: Facts, found: Source, asked: Settings) -> Iterator[Reason]:
    yield from checks.source(place, found, asked)
    if found.exists and found.kind != "file":
        yield errors.SourceMissing.reason(f"{place} is no file: type=decompress takes one archive")
    elif not suffix_of(paths.basename(place.path)):
        yield errors.SourceMissing.reason(f"{place} is named like no archive that is known: {', '.join(SUFFIXES)}")


_AT_SOURCE = {FILE: _plain, ARCHIVE: _archive, BACKUP: _backup}


def _donor(place: Endpoint, backup: Backup, server: Server, asked: Settings) -> Iterator[Reason]:
    if not tool(backup, server, asked):
        wanted = TOOLS[server.vendor] if asked.backup_tool == "auto" else (asked.backup_tool,)
        yield errors.UnfitHost.reason(
            f"{place.host} runs {server.vendor} {server.version} and has no {' or '.join(wanted)} to back it up: "
            "install the backup package of that server"
        )
    else:
        yield from _tool_version(place, backup, server, tool(backup, server, asked))
    if missing := lacking(server, asked):
        yield errors.SourceUnreadable.reason(
            f"{server.user} lacks {', '.join(missing)} at {place}: grant it, or name another account in "
            f"replica:user of {place.host}'s configuration or pillar"
        )


def _tool_version(place: Endpoint, backup: Backup, server: Server, name: str) -> Iterator[Reason]:
    version = backup.tools[name]
    if version and series(version) != series(server.version):
        yield errors.UnfitHost.reason(
            f"{name} on {place.host} is {version}, the server at {place} is {server.version}: "
            "a backup needs a tool of the server's own series"
        )
    elif version and numbers(version) < numbers(server.version):
        yield errors.UnfitHost.reason(
            f"{name} on {place.host} is {version}, older than the server at {place}, {server.version}: a backup needs "
            "a tool that is not older than the server"
        )


def lacking(server: Server, asked: Settings) -> list[str]:
    """Privileges that the account lacks for what is asked."""
    needed = NEEDED[server.vendor]
    if server.replication is None or server.replication:
        needed = (*needed, *SEEING.get(server.vendor, ()))
    if asked.stop_replication:
        needed = (*needed, *STOPPING[server.vendor])
    return [name for name in dict.fromkeys(needed) if not {name, *INSTEAD.get(name, ())} & {*server.privileges}]


def overlap(source: Facts, place: Endpoint, destination: Endpoint) -> Iterator[Reason]:
    """A backup must not go to where the donor keeps its data."""
    server = _server(source)
    if server and place.host == destination.host and paths.contains(server.datadir, destination.path):
        datadir = Endpoint(place.host, server.datadir)
        yield errors.PlacesOverlap.reason(f"{destination} lies in {datadir}, the donor's own data: choose another")


def tool(backup: Backup, server: Server, asked: Settings) -> str:
    """The backup tool that fits the server; empty if it is not there."""
    wanted = TOOLS[server.vendor] if asked.backup_tool == "auto" else (asked.backup_tool,)
    return next((name for name in wanted if name in backup.tools), "")


def series(version: str) -> tuple[str, ...]:
    """What of a version must be equal for a backup to be usable."""
    return tuple(version.split("-")[0].split(".")[:2])


def numbers(version: str) -> tuple[int, ...]:
    """A version as what can be compared."""
    return tuple(int(word) for word in version.split("-")[0].split(".") if word.isdigit())


# The destination


def destination(
    place: Endpoint, facts: Facts, source: Facts | None, asked: Settings, request: Request
) -> Iterator[Reason]:
    """Whether what is moved can become what it shall be there."""
    found = facts.destination
    assert found is not None
    if not is_stream(asked):
        kind = source.source.kind if source and source.source else None
        yield from checks.destination(place, found, kind, asked, request.transfer)
        return
    yield from _stream_there(place, facts, source, asked, request)


def _stream_there(
    place: Endpoint, facts: Facts, source: Facts | None, asked: Settings, request: Request
) -> Iterator[Reason]:
    found = facts.destination
    assert found is not None
    if request.attempt > 1:
        yield errors.NotResumable.reason(f"a stream cannot be gone on with (type={asked.type}): copy anew")
    for reason in checks.destination(place, found, becomes(asked), asked, request.transfer):
        yield _only_empty(place, found, asked, reason)
    server = _server(source)
    if asked.type == BACKUP and server and not asked.keep_stream:
        yield from _unpacking(place, facts.backup, server)
    if asked.type == ARCHIVE and source and source.source:
        yield from _format(place, facts, source)


def _only_empty(place: Endpoint, found: Destination, asked: Settings, reason: Reason) -> Reason:
    if reason.code != errors.DestinationExists.code:
        return reason
    there = "is a directory that is not empty" if found.kind == "directory" else "exists"
    wanted = "a name that is not there yet" if becomes(asked) == "file" else "an empty or absent directory"
    return errors.DestinationExists.reason(f"{place} {there}: type={asked.type} needs {wanted}")


def _unpacking(place: Endpoint, backup: Backup | None, server: Server) -> Iterator[Reason]:
    tools = backup.tools if backup else {}
    unpacker = UNPACKERS[server.vendor]
    if not backup or unpacker not in backup.unpackers:
        yield errors.UnfitHost.reason(
            f"{place.host} has no {unpacker} to unpack the backup: install the backup package of {server.vendor}, or "
            "take keep_stream=True"
        )
    for name in TOOLS[server.vendor]:
        if tools.get(name):
            yield from _preparing(place, name, tools[name], server)


def _preparing(place: Endpoint, name: str, version: str, server: Server) -> Iterator[Reason]:
    """Whether a tool that is there could prepare the backup later."""
    if series(version) != series(server.version):
        yield errors.UnfitHost.reason(
            f"{name} on {place.host} is {version}, which cannot prepare a backup of {server.version}: "
            "bring it to the donor's series"
        )
    elif numbers(version) < numbers(server.version):
        yield errors.UnfitHost.reason(
            f"{name} on {place.host} is {version}, older than the donor's {server.version}: bring it to that version, "
            "or the backup cannot be prepared there"
        )


def _format(place: Endpoint, facts: Facts, source: Facts) -> Iterator[Reason]:
    form = format_of(source)
    if form and form not in facts.unpacks:
        yield errors.UnfitHost.reason(
            f"{place.host} cannot unpack {form} (it has {', '.join(facts.unpacks) or 'nothing'}): install zstandard "
            "into Salt's Python there"
        )


def format_of(source: Facts) -> str:
    real = source.source.real if source.source else None
    return SUFFIXES.get(suffix_of(paths.basename(real)), "") if real else ""


# What becomes of it


def told(asked: Settings, source: Facts) -> dict[str, Any]:
    """What the specs say of the stream; nothing where none is."""
    made = _TOLD[asked.type](asked, source) if is_stream(asked) else None
    return {} if made is None else {"stream": {"type": asked.type, **made}}


def _archive_told(asked: Settings, source: Facts) -> dict[str, Any]:
    return {"format": format_of(source), "expect": "" if asked.expect == "nothing" else asked.expect}


def _backup_told(asked: Settings, source: Facts) -> dict[str, Any] | None:
    backup, server = source.backup, _server(source)
    if not backup or not server:
        return None
    return {
        "tool": tool(backup, server, asked),
        "unpacker": UNPACKERS[server.vendor],
        "vendor": server.vendor,
        "server_version": server.version,
        "datadir": paths.encode_path(server.datadir),
        "parallel": THREADS if asked.parallel == "auto" else asked.parallel,
        "slave_info": bool(server.replication),
        "stop_replication": asked.stop_replication,
        "keep_stream": asked.keep_stream,
    }


_TOLD: dict[str, Callable[[Settings, Facts], dict[str, Any] | None]] = {ARCHIVE: _archive_told, BACKUP: _backup_told}


def warnings(asked: Settings, place: Endpoint, source: Facts, there: Facts) -> Iterator[str]:
    server = _server(source)
    if asked.type == ARCHIVE:
        yield f"how much {place} unpacks to is not known before; what must stay free there stays free"
    if server is None:
        return
    if asked.stop_replication and not server.replication:
        yield f"{place} replicates from nobody, so stop_replication=True stops nothing"
    if asked.stop_replication and server.replication:
        yield f"replication at {place} is stopped from the beginning of the backup to its end, and then runs as before"
    if there.backup and not set(TOOLS[server.vendor]) & set(there.backup.tools):
        yield f"{there.host} has no tool that could prepare the backup"


def lines(stream: Mapping[str, Any] | None) -> Iterator[str]:
    """What a plan says of its stream, for people."""
    if stream:
        yield _IN_WORDS[stream["type"]](stream)


def _archive_in_words(stream: Mapping[str, Any]) -> str:
    expected = ", which must be a whole backup" if stream["expect"] else ""
    return f"an archive ({stream['format']}), unpacked while it arrives{expected}"


def _backup_in_words(stream: Mapping[str, Any]) -> str:
    how = "kept as the file it is" if stream["keep_stream"] else f"unpacked by {stream['unpacker']}, not prepared"
    return f"a hot backup by {stream['tool']} of {stream['vendor']} {stream['server_version']}, {how}"


_IN_WORDS = {ARCHIVE: _archive_in_words, BACKUP: _backup_in_words}


def result_lines(end: Mapping[str, Any]) -> Iterator[str]:
    """What became of a stream at one destination, for people."""
    told = end.get("report") or {}
    if "kept_as" not in told:
        return
    counted = units.count(told["files"], "file") if isinstance(told.get("files"), int) else "files that nobody counted"
    if told["kept_as"] == "stream":
        yield f"a stream of {units.size(told['bytes'])} with {counted}, kept as it is"
    else:
        yield f"{counted} unpacked and looked for"
    if "prepared" in told:
        yield "the backup is not prepared: salt MINION xtrabackup.prepare makes it consistent"
    if place := told.get("coordinates"):
        yield f"the donor was at {place['file']}:{place['position']}" + (
            f", GTID {place['gtid']}" * bool(place["gtid"])
        )
