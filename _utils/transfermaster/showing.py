"""One page about all transfers, for whoever looks at it: only what that user may see, and nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import saltface
from transferplan import course, errors, overview, records, report
from transferplan.overview import Viewer
from transferplan.waits import WAITING

from . import asking, joining, looking, noted


def page(opts: Mapping, looks: Viewer, transfer: str | None, minions: Any, doctor: bool) -> dict[str, Any]:
    """The list; one transfer closely, if one is named; what a doctor finds, if asked for."""
    listing = _listed(opts, minions)
    body = overview.page(listing, looks)
    reasons = [errors.Reason(**each) for each in listing["reasons"]] if looks.everything else []
    if transfer is not None:
        body["shown"] = _closely(opts, _visible(opts, listing, looks, transfer, minions))
    if doctor:
        seen = [host for host in asking.hosts(opts, minions) if looks.sees_host(host)]
        visit = looking.examined(opts, seen if not looks.everything else minions, ())
        body["findings"] = overview.findings(visit["findings"], looks)
        body["examined"] = visit["hosts"]
        body["silent"] = sorted({*body["silent"], *visit["silent"]})
    return asking.concluded(body, reasons)


def _listed(opts: Mapping, minions: Any) -> Mapping[str, Any]:
    """What minions know, and what waits here and has not begun there. The latter is looked at first: what begins
    meanwhile is on a minion's list then.
    """
    waiting = noted.entries(opts)
    listing = looking.listed(opts, minions)
    begun = {each["transfer"] for each in listing["transfers"]}
    return {
        **listing,
        "transfers": [*listing["transfers"], *(each for each in waiting if each["transfer"] not in begun)],
    }


def _visible(
    opts: Mapping, listing: Mapping[str, Any], looks: Viewer, transfer: str, minions: Any
) -> Mapping[str, Any]:
    """The entry of this transfer. One that is not for this viewer is as unknown as one that does not exist."""
    asking.refuse_no_transfer(transfer)
    for each in listing["transfers"]:
        if each["transfer"] == transfer and looks.sees(each):
            return each
    raise errors.Refused([looking.nobody_knows(transfer, asking.hosts(opts, minions))])


def _closely(opts: Mapping, entry: Mapping[str, Any]) -> dict[str, Any]:
    if entry["state"] == WAITING:
        return overview.of_waiting(entry)
    told = asking.ends(opts, "record", entry["transfer"], overview.hosts_of(entry), asking.LOOK_TIMEOUT)
    known = joining.read(told.payloads)
    return {
        "transfer": entry["transfer"],
        "state": entry["state"],
        "ends": [overview.end_of(each) for each in known],
        **_outcome(opts, entry["transfer"], known),
    }


def _outcome(opts: Mapping, transfer: str, known: list[records.Record]) -> dict[str, Any]:
    """How it ended, exactly as whoever attaches to it is told; nothing as long as it runs, or an end is missing."""
    try:
        found = records.gather(transfer, known)
    except errors.Refused as refused:
        return {"outcome": None, "missing": [reason.text for reason in refused.reasons]}
    if any(record.runs for record in known):
        return {"outcome": None, "missing": []}
    request = records.present(found, saltface.master_layers(opts), {})
    state = course.seen(request, {record.member: record.status for record in found.records})
    result = report.beside(report.result(state), [peer.host for peer in found.missing])
    return {"outcome": overview.tame(result), "missing": []}
