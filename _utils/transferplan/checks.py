"""Every ground on which facts speak against a transfer: each check yields a reason for all that it finds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from . import errors, paths, space, units, updating
from .errors import Reason
from .facts import Destination, Facts, Source
from .options import Settings
from .request import Endpoint
from .version import VERSION

OLDEST_PYTHON = (3, 10)
SPECIAL = {
    "setuid": ("entry with setuid or setgid", "entries with setuid or setgid"),
    "capabilities": ("file with capabilities", "files with capabilities"),
    "fifos": ("FIFO", "FIFOs"),
    "devices": ("device", "devices"),
}
KINDS = {
    "file": "a file",
    "directory": "a directory",
    "symlink": "a symbolic link",
    "fifo": "a FIFO",
    "socket": "a socket",
    "chardev": "a character device",
    "blockdev": "a block device",
}
NEITHER = "neither a file nor a directory"
SHOWN = 5


def host(facts: Facts, transfer: str = "") -> Iterator[Reason]:
    """Whether a minion can take part at all, and permits it."""
    if facts.uid != 0:
        yield errors.UnfitHost.reason(
            f"{facts.host} runs its salt-minion as user {facts.uid}: "
            "a transfer needs root to read everything and to keep owners"
        )
    if _python(facts.python) < OLDEST_PYTHON:
        yield errors.UnfitHost.reason(
            f"{facts.host} runs Salt on Python {facts.python}: "
            f"salt-transfer needs {'.'.join(map(str, OLDEST_PYTHON))} or later"
        )
    yield from _crowd(facts, transfer)
    for sentence in facts.policy.reasons:
        yield errors.PolicyForbids.reason(f"{facts.host} forbids it: {sentence}")
    for sentence in facts.trouble:
        yield errors.MinionTrouble.reason(f"{facts.host}: {sentence}")


def _crowd(facts: Facts, transfer: str) -> Iterator[Reason]:
    others = sorted(set(facts.running) - {transfer})
    waiting = _waiting_before(facts, {transfer, *others}, transfer)
    if facts.max_transfers and len(others) + waiting >= facts.max_transfers:
        queue = f", {waiting} more wait before this one" if waiting else ""
        yield errors.TooManyTransfers.reason(
            f"{facts.host} takes part in {len(others)} transfers already ({_some(others, len(others))}){queue} and its "
            f"max_transfers is {facts.max_transfers}: give wait=1h to wait for them, or cancel one"
        )


def _waiting_before(facts: Facts, known: set[str], transfer: str) -> int:
    """How many wait for this host and come before this transfer; without a ticket of its own, all that wait."""
    own = [(ticket.at, ticket.transfer) for ticket in facts.queued if ticket.transfer == transfer]
    others = [(each.at, each.transfer) for each in facts.queued if each.transfer not in known]
    return len([each for each in others if not own or each < own[0]])


def version_mismatch(name: str, version: str) -> Reason:
    return errors.VersionMismatch.reason(
        f"{name} has salt-transfer {version}, this master {VERSION}: bring both to one version, "
        f"for example with salt {name} saltutil.sync_all"
    )


def _python(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


def _link(place: Endpoint, found: Source) -> Iterator[Reason]:
    target = f", {Endpoint(place.host, found.real)}" if found.real else ""
    yield errors.SourceMissing.reason(f"{place} is a symbolic link: name what it points to{target}")


def _pattern(place: Endpoint) -> str:
    """What to do instead, for who wrote a pattern as to a shell."""
    if not set(b"*?[") & set(place.path):
        return ""
    return ", and patterns are not taken here: name the directory, and choose by include= what of it travels"


def source(place: Endpoint, found: Source, settings: Settings) -> Iterator[Reason]:
    """Whether the source can be read as a whole and may travel as it is."""
    if not found.exists:
        yield errors.SourceMissing.reason(f"{place} does not exist{_pattern(place)}")
    elif found.kind == "symlink":
        yield from _link(place, found)
    elif found.kind not in ("file", "directory"):
        kind = KINDS.get(found.kind or "", NEITHER)
        yield errors.SourceMissing.reason(f"{place} is {kind}: name a file or a directory")
    else:
        yield from _unreadable(place, found)
        yield from _special(place, found, settings.special)
        yield from _selection(place, found, settings)


def _selection(place: Endpoint, found: Source, settings: Settings) -> Iterator[Reason]:
    given = [name for name in ("include", "exclude") if getattr(settings, name)]
    choose, leave = ("choose", "leave") if len(given) > 1 else ("chooses", "leaves")
    if given and found.kind == "file":
        yield errors.BadOption.reason(f"{place} is a file: {' and '.join(given)} {choose} what of a directory travels")
    elif given and found.entries == 1 and not found.estimated:
        yield errors.BadOption.reason(
            f"{place} would be copied as an empty directory: {' and '.join(given)} {leave} out all that is in it"
        )


def _unreadable(place: Endpoint, found: Source) -> Iterator[Reason]:
    if found.unreadable:
        total = max(found.counts.get("unreadable", 0), len(found.unreadable))
        listed = [f"{paths.display(each.path) or place} ({each.why})" for each in found.unreadable]
        entries = units.count(total, "entry", "entries")
        yield errors.SourceUnreadable.reason(f"{place} holds {entries} that cannot be read: {_some(listed, total)}")
    elif not found.readable:
        yield errors.SourceUnreadable.reason(f"{place} cannot be read")


def _special(place: Endpoint, found: Source, asked_for: Sequence[str]) -> Iterator[Reason]:
    barred = [word for word in SPECIAL if count_of(found, word) and word not in asked_for]
    remedy = ",".join(word for word in SPECIAL if word in {*barred, *asked_for})
    for word in barred:
        listed = [paths.display(path) for path in found.special.get(word, ())]
        number = count_of(found, word)
        counted = units.count(number, *SPECIAL[word])
        policies = ", where the policies of both minions permit devices" if word == "devices" else ""
        yield errors.SpecialEntries.reason(
            f"{place} holds {counted} ({_some(listed, number)}): special={remedy} lets them travel{policies}"
        )


def count_of(found: Source, word: str) -> int:
    return max(found.counts.get(word, 0), len(found.special.get(word, ())))


def _some(listed: Sequence[str], total: int) -> str:
    rest = total - len(listed[:SHOWN])
    return ", ".join(listed[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def destination(
    place: Endpoint, found: Destination, kind: str | None, settings: Settings, transfer: str
) -> Iterator[Reason]:
    """Whether something of this kind can appear at the final name."""
    yield from _occupied(place, found, kind, settings.overwrite or settings.update)
    yield from _parent(place, found)
    if found.locked_by not in (None, transfer):
        yield errors.PlaceLocked.reason(
            f"{place} is held by transfer {found.locked_by}: wait for it, or end it with "
            f"salt-run transfer.cancel {found.locked_by}"
        )


def _occupied(place: Endpoint, found: Destination, kind: str | None, may_change: bool) -> Iterator[Reason]:
    if found.is_mount:
        yield errors.MountPoint.reason(
            f"{place} is a mount point, which cannot be replaced: dst={place}/ copies into it"
        )
    elif found.exists and (sentence := _clash(place, found, kind, may_change)):
        yield errors.DestinationExists.reason(sentence)


def _clash(place: Endpoint, found: Destination, kind: str | None, may_change: bool) -> str:
    """Why what stands at the final name is in the way; empty if it is not."""
    if found.kind not in ("file", "directory"):
        return f"{place} is {KINDS.get(found.kind or '', NEITHER)}: remove it or choose another name"
    if found.kind == "directory" and kind == "file":
        return f"{place} is a directory: dst={place}/ copies the file into it"
    if found.kind == "file" and kind == "directory":
        return f"{place} is a file, the source is a directory: choose another name"
    if may_change or (found.kind == "directory" and found.empty):
        return ""
    if found.kind == "directory":
        return (
            f"{place} is a directory that is not empty: dst={place}/ copies into it, update=True changes what differs, "
            "overwrite=True replaces it"
        )
    return f"{place} exists: update=True changes what differs, overwrite=True replaces it"


def _parent(place: Endpoint, found: Destination) -> Iterator[Reason]:
    parent = Endpoint(place.host, found.parent)
    if found.blocked_by:
        yield errors.DestinationParent.reason(
            f"{Endpoint(place.host, found.blocked_by)} is no directory, so nothing can be put below it: "
            "choose another place"
        )
    elif not found.parent_exists:
        shown = shlex.quote(paths.printable(found.parent.decode("utf-8", "backslashreplace")))
        yield errors.DestinationParent.reason(
            f"{parent} is no directory that exists: choose another place, or create it first, "
            f"for example with salt {place.host} file.mkdir {shown}"
        )
    if found.read_only:
        yield errors.DestinationUnusable.reason(f"{Endpoint(place.host, found.nearest)} is on a read-only file system")
    elif found.parent_exists and not found.parent_writable:
        yield errors.DestinationUnusable.reason(f"{parent} cannot be written by the minion")
    if found.rename_noreplace is False:
        yield errors.DestinationUnusable.reason(
            f"{parent} is on a file system ({found.fs_type or 'unknown'}) that cannot rename without replacing: "
            "choose a place on another one"
        )


def room(
    place: Endpoint, found: Destination, from_source: Source, settings: Settings, held: int = 0
) -> Iterator[Reason]:
    """Whether the destination has space and inodes enough beside the bytes that are `held` already."""
    where = str(Endpoint(place.host, found.parent if found.parent_exists else found.nearest))
    kept = space.reserve(settings.reserve, found)
    needed = updating.room(settings, from_source, found).less(held)
    estimated = updating.is_estimate(settings, from_source, found)
    sentences = space.shortages(where, needed, kept, found, estimated)
    yield from (errors.NoSpace.reason(sentence) for sentence in sentences)


def ports(facts: Facts, settings: Settings) -> Iterator[Reason]:
    """Whether there is a port to listen on."""
    if not facts.ports.free:
        sought = f"port {settings.port}" if settings.port else f"ports {settings.ports[0]}-{settings.ports[1]}"
        why = "; ".join(facts.ports.trouble) or "taken"
        yield errors.NoPort.reason(
            f"{facts.host} has nothing free among {sought} ({why}): choose others with port or ports"
        )
