"""What update=True comes to, once it is known what stands at the destination: a copy, or a change of what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import errors, paths, units
from .errors import Reason
from .facts import Destination, Source
from .options import Settings
from .request import Endpoint
from .space import Room, need

OPTIONS = ("update", "compare", "delete", "delete_limit")
TALLIES = ("created", "changed", "deleted", "unchanged")


def applies(settings: Settings, place: Destination) -> bool:
    """Whether something stands there that can be updated. To nothing, or an empty directory, it is a plain copy."""
    return settings.update and place.exists and not (place.kind == "directory" and place.empty)


def told(settings: Settings, place: Destination) -> dict[str, Any]:
    """What the spec says of it: the options, and whether they come to anything."""
    return {**{name: getattr(settings, name) for name in OPTIONS}, "in_place": applies(settings, place)}


def room(settings: Settings, source: Source, place: Destination) -> Room:
    """What is needed at least: what the source has more than the destination. What differs is known only later."""
    needed = need(source)
    if not applies(settings, place) or place.standing is None:
        return needed
    there = place.standing
    return Room(max(0, needed.bytes - there.disk_bytes), max(0, needed.inodes - there.entries))


def is_estimate(settings: Settings, source: Source, place: Destination) -> bool:
    return source.estimated or applies(settings, place)


def fewest_deleted(settings: Settings, source: Source, place: Destination) -> int:
    """How many entries would be deleted at least, as far as counting alone tells.

    A directory may stay, for what is in it or mounted on it; all else goes that the source does not have, or, where
    overwrite=True permits it, has as a directory.
    """
    there = place.standing
    if not (settings.delete and applies(settings, place)) or there is None or source.estimated:
        return 0
    matching = source.entries - (0 if settings.overwrite else source.directories)
    return max(0, there.entries - there.directories - matching)


def reasons(where: Endpoint, place: Destination, source: Source, settings: Settings) -> Iterator[Reason]:
    """Whether delete=True can be trusted with this source. The worker looks and counts exactly, before any change."""
    yield from _not_whole(where, place, source, settings)
    yield from _beyond_limit(where, place, source, settings)


def _not_whole(where: Endpoint, place: Destination, source: Source, settings: Settings) -> Iterator[Reason]:
    """What is mounted at the source does not travel: what the destination has in its place would be deleted."""
    if not (settings.delete and applies(settings, place) and source.mounts_below):
        return
    listed = ", ".join(map(paths.display, source.mounts_below))
    left_out = ",".join(f"/{paths.display(path)}" for path in source.mounts_below)
    yield errors.MountsBelow.reason(
        f"other file systems are mounted below the source and do not travel ({listed}): delete=True would delete what "
        f"{where} has in their place. Leave them out with exclude={left_out}, or do without delete=True"
    )


def _beyond_limit(where: Endpoint, place: Destination, source: Source, settings: Settings) -> Iterator[Reason]:
    fewest, there = fewest_deleted(settings, source, place), place.standing
    if there is None or there.estimated or fewest <= permitted(settings.delete_limit, there.entries):
        return
    entries = units.count(there.entries, "entry", "entries")
    yield errors.DeletionLimit.reason(
        f"{where} has {entries}, the source {source.entries:,}: delete=True would remove at least {fewest:,}, "
        f"delete_limit={settings.delete_limit} permits less. Look whether the source is the right one and complete, "
        "then raise delete_limit"
    )


def permitted(limit: str | int, entries: int) -> float:
    return limit if isinstance(limit, int) else float(limit.rstrip("%")) / 100 * entries


def summary(settings: Settings, source: Source, place: Destination) -> dict[str, Any] | None:
    """What the plan tells of it; None for a plain copy."""
    if not applies(settings, place):
        return None
    there = place.standing
    return {
        **told(settings, place),
        "standing_entries": there.entries if there else 0,
        "standing_bytes": there.bytes if there else 0,
        "standing_estimated": there is None or there.estimated,
        "fewest_deleted": fewest_deleted(settings, source, place),
    }


def warnings(settings: Settings, where: Endpoint, place: Destination) -> Iterator[str]:
    if applies(settings, place):
        yield f"{where} changes file by file, each at one stroke, but not the tree as a whole"
    elif settings.update:
        yield f"nothing stands at {where} yet: this is a plain copy"


def lines(update: dict[str, Any] | None) -> Iterator[str]:
    """A plan's summary of it, for people."""
    if update is None:
        return
    about = "at least " if update["standing_estimated"] else ""
    standing = f"{units.count(update['standing_entries'], 'entry', 'entries')}, {units.size(update['standing_bytes'])}"
    how = "by size and time" if update["compare"] == "time" else "by digests, all is read on both hosts"
    yield f"what differs {how}; {about}{standing} stand there"
    if update["delete"]:
        fewest = f"at least {update['fewest_deleted']:,}, " if update["fewest_deleted"] else ""
        yield f"deletes what the source does not have: {fewest}at most {update['delete_limit']}"


def result_lines(end: Mapping[str, Any]) -> Iterator[str]:
    """How an update ended at one destination, for people; nothing for a plain copy."""
    if not any(end.get(name) for name in TALLIES):
        return
    if not any(end.get(name) for name in ("created", "changed", "deleted")):
        yield "nothing differed" + ("" if end["moved_bytes"] else ", no payload moved")
    else:
        yield ", ".join(f"{end.get(name, 0):,} {name}" for name in TALLIES)
    if end.get("trusted"):
        files = units.count(end["trusted"], "file")
        yield f"{files} trusted, not proved: equal in size and time, so not read (compare=digest reads them)"
