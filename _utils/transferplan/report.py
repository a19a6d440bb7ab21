"""How a transfer ended, in one document with stable keys; the receipt that proves it; the exit status.

A copy is proved when the signed verdicts of both ends tell the same manifest root, computed by the source over what it
read and by the destination over what it holds, at no less than the level that was asked for. Each destination is
judged by its own verdict, by whatever way its data came, and whatever became of the source after it had sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import bottleneck, course
from .course import State
from .errors import OutOfSight, Reason, Unproved
from .paths import encode_path, printable, quoted
from .request import DESTINATION, SOURCE, Endpoint, Member, Request
from .status import CANCELLED, PUBLISHED, Skipped, Status, Verdict

BEFORE = {*course.ASKING, "leaving"}
VAIN = ("cancelled", "no-go")
UNREACHABLE = "peer-unreachable"
LEVELS = ("flight", "readback")
COUNTS = ("files", "directories", "links", "entries", "bytes", "sparse_bytes", "trusted")
SUMS = ("moved_bytes", "held_bytes", "resent_bytes", "wire_bytes")


@dataclass(frozen=True)
class Exit:
    """One way in which `transfer.copy` ends."""

    result: str
    retcode: int
    meaning: str


EXITS: tuple[Exit, ...] = (
    Exit("ok", 0, "The copy is at its final name, and the receipt proves it."),
    Exit("failed", 2, "The copy is not there, or is not proved; the reasons say why."),
    Exit("refused", 3, "It was not begun and nothing was changed; every reason is listed."),
    Exit("cancelled", 4, "Somebody ended it; nothing is at the final name."),
    Exit("partial", 5, "Some destinations have their copy, others do not."),
    Exit("unknown", 6, "The runner no longer sees it; it may be going on. `transfer.status` tells more."),
)
RETCODES: Mapping[str, int] = {each.result: each.retcode for each in EXITS}
_BY_OUTCOME = {
    course.REFUSED: "refused",
    course.GIVEN_UP: "failed",
    course.CANCELLED: "cancelled",
    course.LEFT: "unknown",
    course.WAITS_ON: "unknown",
}


def result(state: State) -> dict[str, Any]:
    """What `transfer.copy` returns for a course that has ended."""
    ends = state.request.ends()
    word = _BY_OUTCOME.get(state.outcome) or joined([_result_at(state, member) for member in _destinations(state)])
    return {
        "transfer": state.request.transfer,
        "attempt": state.request.attempt,
        "result": word,
        "source": _end(state, *next(iter(ends.items()))),
        "destinations": {member.host: _destination(state, member, ends[member]) for member in _destinations(state)},
        "receipt": receipt(state),
        "bottleneck": _bottleneck(state),
        "phases": phases(state),
        "reasons": [reason.as_dict() for reason in _all_reasons(state)],
        "retcode": RETCODES[word],
    }


def refusal(transfer: str, src: Any, dst: Any, reasons: Iterable[Reason]) -> dict[str, Any]:
    """The same for a request that could not even be read; a place that was not given has no name."""
    given = dst if isinstance(dst, (list, tuple)) else [dst]
    places = [place for place in given if place is not None]
    return {
        "transfer": transfer,
        "attempt": 1,
        "result": "refused",
        "source": {"place": "" if src is None else quoted(str(src))},
        "destinations": {printable(str(place)): {"place": quoted(str(place))} for place in places},
        "receipt": None,
        "bottleneck": None,
        "phases": {},
        "reasons": [reason.as_dict() for reason in reasons],
        "retcode": RETCODES["refused"],
    }


def together(results: Sequence[Mapping[str, Any]], request: Request) -> dict[str, Any]:
    """One result of several transfers, one for each destination; those that were not begun any more are cancelled."""
    told = [(host, end, each["transfer"]) for each in results for host, end in each["destinations"].items()]
    ends = {host: {**end, "transfer": transfer} for host, end, transfer in told}
    rest = {place.host: _untold(str(place), place.host, "cancelled") for place in request.destinations}
    rest = {host: end for host, end in rest.items() if host not in ends}
    word = joined([end["outcome"] for end in (*ends.values(), *rest.values())])
    slowest = [each["bottleneck"] for each in results if each["bottleneck"]]
    return {
        "transfer": None,
        "attempt": request.attempt,
        "result": word,
        "source": results[-1]["source"],
        "destinations": {**ends, **rest},
        "receipt": _joint_receipt([each["receipt"] for each in results if each["receipt"]], len(request.destinations)),
        "bottleneck": max(slowest, key=lambda each: each["seconds"], default=None),
        "phases": _added([each["phases"] for each in results]),
        "reasons": [reason for each in results for reason in each["reasons"]],
        "retcode": RETCODES[word],
    }


def _joint_receipt(receipts: Sequence[Mapping[str, Any]], wanted: int) -> dict[str, Any] | None:
    """What several receipts prove together. There is one root only if the source was the same each time."""
    if not receipts:
        return None
    proved_on = [host for each in receipts for host in each["proved_on"]]
    roots = {each["source_root"] for each in receipts}
    root = roots.pop() if len(roots) == 1 else None
    return {
        **receipts[0],
        "proved": len(proved_on) == wanted and root is not None,
        "proved_on": proved_on,
        "level": min((each["level"] for each in receipts), key=_rank),
        "root": root if len(proved_on) == wanted else None,
        "source_root": root,
        "destination_roots": {host: told for each in receipts for host, told in each["destination_roots"].items()},
        **_added([{name: each[name] for name in (*SUMS, "read_bytes", "reread_bytes")} for each in receipts]),
    }


def _added(some: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sums of equal names."""
    total: dict[str, Any] = {}
    for each in some:
        total |= {name: round(total.get(name, 0) + value, 3) for name, value in each.items()}
    return total


def beside(result: dict[str, Any], missing: Sequence[str]) -> dict[str, Any]:
    """A result with destinations of which nobody has told, if there are any."""
    if not missing:
        return result
    unknown = {host: _untold(host, host, "unknown") for host in missing}
    word = joined([result["result"], "unknown"])
    lost = OutOfSight.reason(f"of {', '.join(missing)} nobody has told: ask again when it is up")
    return {
        **result,
        "result": word,
        "destinations": {**result["destinations"], **unknown},
        "reasons": [*result["reasons"], lost.as_dict()],
        "retcode": RETCODES[word],
    }


def _untold(place: str, host: str, outcome: str) -> dict[str, Any]:
    return {"place": place, "host": host, "phase": None, "result": None, "outcome": outcome}


def brief(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What the event `finished` carries of a result."""
    return {
        **{key: outcome[key] for key in ("result", "retcode", "receipt", "reasons")},
        "source": outcome["source"]["place"],
        "destinations": {end["place"]: end.get("result") for end in outcome["destinations"].values()},
    }


def was_begun(outcome: Mapping[str, Any]) -> bool:
    """Whether minions may know of the transfer that has this result: they were told to prepare it, if not by this
    attempt. Of one that was only looked at not even its stages are known.
    """
    stages = outcome["phases"].keys()
    return outcome["attempt"] > 1 or bool(stages - BEFORE) or not (stages or outcome["result"] == "refused")


def _destinations(state: State) -> list[Member]:
    return [member for member in state.members if member.role == DESTINATION]


def _source(state: State) -> Member:
    return next(member for member in state.members if member.role == SOURCE)


def _verdict(state: State, member: Member) -> Verdict | None:
    status = state.statuses.get(member)
    return status.verdict if status else None


def _result_at(state: State, member: Member) -> str:
    """The result at one destination."""
    verdict, source = _verdict(state, member), _verdict(state, _source(state))
    if verdict is None:
        return "unknown"
    if verdict.result != PUBLISHED:
        return "cancelled" if verdict.result == CANCELLED and member not in state.stopped else "failed"
    if source is None:
        return "unknown"
    return "failed" if unproved(source, verdict, state.request.settings.verify) else "ok"


def joined(results: list[str]) -> str:
    """One word for several destinations."""
    words = set(results)
    if len(words) == 1:
        return words.pop()
    if words & {"ok", "partial"}:
        return "partial"
    return "unknown" if "unknown" in words else "failed"


def unproved(source: Verdict, destination: Verdict, level: str) -> str:
    """What keeps two verdicts from proving the copy; empty if they prove it. A source has a root when it has sealed."""
    if destination.result != PUBLISHED:
        return "the destination does not report success"
    if not source.root:
        return "the source tells no root that it sealed"
    if destination.level not in LEVELS or LEVELS.index(destination.level) < LEVELS.index(level):
        return f"the level {level} was asked for, the destination tells {destination.level or 'none'}"
    for name in ("algorithm", "block_size", "entries", "bytes", "trusted"):
        if getattr(source, name) != getattr(destination, name):
            return f"their {name} differ: {getattr(source, name)} and {getattr(destination, name)}"
    if source.root != destination.root:
        return f"their roots differ: {source.root} and {destination.root}"
    return ""


def receipt(state: State) -> dict[str, Any] | None:
    """The proof, or as much of it as there is: what both ends tell of what they hold. None if neither has a verdict."""
    source = _verdict(state, _source(state))
    verdicts = {member.host: _verdict(state, member) for member in _destinations(state)}
    known = [verdict for verdict in (source, *verdicts.values()) if verdict]
    if not known:
        return None
    asked = state.request.settings.verify
    proved = [host for host, each in verdicts.items() if each and source and not unproved(source, each, asked)]
    all_proved = len(proved) == len(verdicts)
    return {
        "proved": all_proved,
        "proved_on": proved,
        "level": min((each.level for each in verdicts.values() if each), key=_rank, default=""),
        "algorithm": known[0].algorithm,
        "block_size": known[0].block_size,
        "root": source.root if source and all_proved else None,
        "source_root": source.root if source else None,
        "destination_roots": {host: each.root if each else None for host, each in verdicts.items()},
        **{name: getattr(known[0], name) for name in COUNTS},
        **{name: sum(getattr(each, name) for each in verdicts.values() if each) for name in SUMS},
        "read_bytes": source.read_bytes if source else 0,
        "reread_bytes": source.reread_bytes if source else 0,
        "skipped": len(known[0].skipped) + known[0].skipped_more,
        "excluded": source.excluded if source else 0,
        "retried_entries": source.retried_entries if source else 0,
    }


def _bottleneck(state: State) -> dict[str, Any] | None:
    """What held the copy up the most on any way, and what to try; None where it did not come so far."""
    found = [each for member in _destinations(state) if (each := _slowest(state, member, ()))]
    return asdict(max(found, key=lambda each: each.seconds)) if found else None


def _before(state: State, member: Member) -> Member:
    """From whom this destination took its data, as far as that is known."""
    verdict = _verdict(state, member)
    took_from = verdict.chain.get("predecessors") if verdict else None
    host = took_from[-1].get("host") if took_from and isinstance(took_from[-1], Mapping) else None
    return next((each for each in state.members if each.host == host and each != member), _source(state))


def _slowest(state: State, after: Member, behind: tuple[Member, ...]) -> bottleneck.Bottleneck | None:
    """What held this destination up the most on its own way; `behind` are those that waited for it in turn."""
    before = _before(state, after)
    source, destination = _verdict(state, before), _verdict(state, after)
    if not (source and destination):
        return None
    known = before == _source(state) or before in behind
    earlier = None if known else _slowest(state, before, (*behind, after))
    accounts = (bottleneck.End(before.host, source.stages), bottleneck.End(after.host, destination.stages))
    streams, level = max(1, len(destination.streams)), destination.level or state.request.settings.verify
    return bottleneck.find(*accounts, streams, level, earlier.seconds if earlier else 0.0)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


def _all_reasons(state: State) -> list[Reason]:
    """What the course noted, what the workers tell as their errors, why what is published is not proved; each once."""
    reasons = [*state.reasons, *told_errors(state)]
    source = _verdict(state, _source(state))
    for member in _destinations(state):
        verdict = _verdict(state, member)
        if source and verdict and verdict.result == PUBLISHED:
            reasons += _doubts(member, source, verdict, state.request.settings.verify)
    return list(dict.fromkeys(reasons))


def told_errors(state: State) -> list[Reason]:
    """The errors of the workers, without those of an end that only repeats the other's or was stopped because of it."""
    verdicts = [(member, _verdict(state, member)) for member in state.statuses]
    errors = [(member, verdict.error) for member, verdict in verdicts if verdict and verdict.error]
    told = [(member.host, error) for member, error in errors if member not in state.stopped or error.name not in VAIN]
    repeated = {f"{host}: {error.text}" for host, error in told}
    return [_explained(state, error.reason(host)) for host, error in told if error.text not in repeated]


def _explained(state: State, reason: Reason) -> Reason:
    """A closed firewall that the plan warned of is the likely cause of a port that cannot be reached."""
    warning = "; ".join(hop.opening.warning for hop in state.plan.hops if hop.opening.warning) if state.plan else ""
    return replace(reason, text=f"{reason.text}; {warning}") if warning and reason.name == UNREACHABLE else reason


def _doubts(member: Member, source: Verdict, verdict: Verdict, level: str) -> list[Reason]:
    if why := unproved(source, verdict, level):
        return [Unproved.reason(f"the copy on {member} is there but not proved: {why}; compare the two yourself")]
    return []


def _end(state: State, member: Member, asked: Endpoint) -> dict[str, Any]:
    """One end of the transfer: where, how far, and its verdict if there is one."""
    status = state.statuses.get(member)
    place = next((end.place for end in state.plan.ends if end.member == member), asked) if state.plan else asked
    told = as_dict(status.verdict) if status and status.verdict else {"result": None}
    return {"place": str(place), "host": member.host, "phase": printable(status.phase) if status else None, **told}


def _destination(state: State, member: Member, asked: Endpoint) -> dict[str, Any]:
    """The same with the outcome there, in a word as `result` has it for the whole."""
    word = _BY_OUTCOME.get(state.outcome)
    known = _result_at(state, member)
    outcome = known if word is None or (word == "unknown" and _verdict(state, member)) else word
    return {**_end(state, member, asked), "outcome": outcome}


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON carries it."""
    told = {**asdict(verdict), "skipped": [_left_out(each) for each in verdict.skipped]}
    return {key: _tame(value) for key, value in told.items()}


def _left_out(skipped: Skipped) -> dict[str, str]:
    return {"path": encode_path(skipped.path), "why": skipped.why}


def _tame(value: Any) -> Any:
    """The value with every text made printable: it is shown on terminals, and was written by a minion."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(key): _tame(item) for key, item in value.items()}
    return [_tame(item) for item in value] if isinstance(value, (list, tuple)) else value


def phases(state: State) -> dict[str, float]:
    """Seconds that each stage of the course took, and from the beginning to the first byte as far as that is known."""
    stages = list(state.began)
    steps = zip(stages, stages[1:], strict=False)
    spans = {stage: round(state.began[after] - state.began[stage], 3) for stage, after in steps}
    moved = [_moving_after(status) for member, status in state.statuses.items() if member.role == SOURCE]
    if {"asking", "arming"} <= {*state.began} and moved and moved[0] is not None:
        spans["to_first_byte"] = round(state.began["arming"] - state.began["asking"] + moved[0], 3)
    return spans


def _moving_after(status: Status) -> float | None:
    """Seconds from prepared to the first byte, as the worker's clock tells."""
    moving = status.phases.get("moving")
    return moving - status.phases.get("prepared", 0.0) if isinstance(moving, (int, float)) else None
