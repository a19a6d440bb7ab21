"""Whether what a transfer brought is still what was proved: read again where it lies, roots compared here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datamover.errors import CopyDiffers
from transferplan import errors
from transferplan.paths import decode_path, display
from transferplan.request import DESTINATION, SOURCE, Member

from . import asking, looking


def verified(opts: Mapping, transfer: str, minions: Any, timeout: float, source_too: bool) -> dict[str, Any]:
    """What the destination (and the source, if asked for) finds, and whether its root is the one that was sealed."""
    known = asking.ends(opts, "status", transfer, minions, asking.LOOK_TIMEOUT)
    source_root = _sealed_by_the_source(known.payloads)
    wanted = [member for member in known.payloads if member.role == DESTINATION or source_too]
    body = {"transfer": transfer, "source_root": source_root, "ends": [], "silent": list(known.silent)}
    if not any(member.role == DESTINATION for member in wanted):
        return asking.concluded(body, [*known.reasons, _no_destination(opts, transfer, minions, known)])
    silent = looking.named_but_silent(known, (SOURCE, DESTINATION) if source_too else (DESTINATION,))
    told = asking.members_of(opts, "verify", transfer, wanted, timeout)
    ends = [{**payload, "host": member.host, "role": member.role} for member, payload in told.payloads.items()]
    doubts = [reason for end in ends for reason in _doubts(end, source_root)]
    return _concluded({**body, "ends": ends}, [*known.reasons, *told.reasons, *doubts], silent)


def _concluded(body: Mapping[str, Any], reasons: Sequence[errors.Reason], silent: Sequence[str]) -> dict[str, Any]:
    """What was read may speak against the copy; nothing speaks for an end that did not answer."""
    if reasons or not silent:
        return asking.concluded(body, reasons)
    text = f"{', '.join(silent)} did not answer, and nothing was read there; ask again when it is up"
    return {**body, **asking.ending("unknown", [errors.OutOfSight.reason(text)])}


def _sealed_by_the_source(statuses: Mapping[Member, Any]) -> str | None:
    """The root that the source's verdict tells; None where its record is gone."""
    verdicts = [status["verdict"] for member, status in statuses.items() if member.role == SOURCE]
    return verdicts[0]["root"] if verdicts and verdicts[0] else None


def _no_destination(opts: Mapping, transfer: str, minions: Any, known: asking.Told) -> errors.Reason:
    if not known.payloads:
        return looking.nobody_knows(transfer, asking.hosts(opts, minions))
    return errors.OutOfSight.reason(f"the destination of transfer {transfer} has not told of it: is it up?")


def _doubts(end: Mapping[str, Any], source_root: str | None) -> Iterator[errors.Reason]:
    place = f"{end['host']}:{display(decode_path(end['path']))}"
    if not end["verified"]:
        found = ", ".join(f"{count:,} {what}" for what, count in end["counts"].items() if count)
        first = f"; the first is {end['troubles'][0]['path']}: {end['troubles'][0]['why']}" if end["troubles"] else ""
        yield _differs(f"{place} is no longer what was proved: {found or 'its root is another'}{first}")
    elif source_root and end["root"] not in (None, source_root):
        yield _differs(f"{place} has the root {end['root']}; the source sealed {source_root}")


def _differs(text: str) -> errors.Reason:
    return errors.Reason(CopyDiffers.code, CopyDiffers.name, text)
