"""Lines for people: the plan, how far a copy has come, how it ended.

Nothing in them can steer a terminal: whatever is not printable is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import bottleneck, flows, report, units, updating
from .options import CHAIN
from .paths import printable
from .request import DESTINATION, SOURCE, Member
from .status import ENDED, Progress, Status

SMOOTHING = 5.0
MOST_LINES = 12
NOTHING = Progress(0, 0, 0, 0, 0, False)


@dataclass(frozen=True)
class Pace:
    """How fast something grows: its rate over the last seconds, smoothed. `after` takes each new figure."""

    at: float | None = None
    count: int = 0
    rate: float = 0.0

    def after(self, now: float, count: int) -> Pace:
        if self.at is None or count < self.count:
            return Pace(now, count)
        passed = now - self.at
        if passed <= 0:
            return self
        recent = (count - self.count) / passed
        weight = 1.0 if self.rate == 0.0 else 1.0 - math.exp(-passed / SMOOTHING)
        return Pace(now, count, self.rate + weight * (recent - self.rate))

    def seconds_for(self, rest: int) -> float | None:
        return rest / self.rate if self.rate > 0 else None


def plan_lines(summary: Mapping[str, Any]) -> list[str]:
    """The plan on one screen, from Plan.summary()."""
    why = f" ({summary['digest_why']})" if summary["digest_why"] else ""
    rows = [
        ("copy", f"{summary['source']}  ({_what(summary)})"),
        *(("", line) for line in flows.lines(summary["stream"])),
        *_choice(summary),
        *_there(summary),
        *_flow(summary),
        ("proof", f"{summary['digest']}{why}, {summary['verify']}"),
        *_probes(summary),
        ("time", summary["forecast"]["text"]),
        *(("note", warning) for warning in summary["warnings"]),
    ]
    return [*map(_row, rows)]


def part_lines(summary: Mapping[str, Any]) -> list[str]:
    """Whose turn it is, of a plan that is part of one that was told."""
    return [_row(("to", hop["place"])) for hop in summary["hops"]]


def _row(row: tuple[str, str]) -> str:
    title, text = row
    return printable(f"{title:>8}  {text}")


def _flow(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How the data is made smaller, and held back."""
    compress = summary["compress"]
    if compress["codec"] != "none":
        yield "compress", f"{compress['codec']}, {compress['why']}"
    if summary["limit"]:
        yield "limit", units.rate(summary["limit"])


def _probes(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was found out by probing; that a probe failed is told in a note."""
    for probed in summary["probes"]:
        if probed["reason"] is None:
            yield "probe", f"{probed['before']} to {probed['after']}: {_measured(probed)}"
    if summary["probes"] and summary["fanout"] == CHAIN:
        yield "", "each was probed from the source: what lies between the destinations is not known"


def _measured(probed: Mapping[str, Any]) -> str:
    rate = units.rate(probed["rate"]) if probed["rate"] else "too little to tell a rate"
    return f"{rate}, {probed['round_trip'] * 1000:.3g} ms for a round trip"


def _what(summary: Mapping[str, Any]) -> str:
    about = "at least " if summary["estimated"] else ""
    files = units.count(summary["files"], "file")
    return f"{summary['kind']}, {about}{files}, {units.size(summary['bytes'])}"


def _choice(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The patterns, and how much they leave out as far as it was looked at."""
    if summary["include"]:
        yield "only", ", ".join(summary["include"])
    if summary["exclude"]:
        yield "without", ", ".join(summary["exclude"])
    if summary["include"] or summary["exclude"]:
        about = "at least " if summary["estimated"] else ""
        left_out = units.count(summary["excluded"], "entry stays", "entries stay")
        yield "", f"{about}{left_out} here, with all that is below"


def _there(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is said of the destinations: of a single one in lines of their own, of several in a line for each."""
    if not summary["fanout"]:
        (hop,) = summary["hops"]
        yield "to", hop["place"]
        yield from (("update", line) for line in updating.lines(hop["update"]))
        yield "room", f"{_room(hop)}; {units.size(hop['reserve_bytes'])} of it stay free"
        yield "way", f"{_way(hop)}, {_protection(summary)}"
        yield "firewall", _firewall(hop)
        return
    for hop in summary["hops"]:
        yield "to", f"{hop['place']}  (from {hop['after']}, {_way(hop)})"
        yield from (("", line) for line in updating.lines(hop["update"]))
        yield "", f"{_room(hop)}; {_opened(hop)}"
    yield summary["fanout"], f"{_FANOUTS[summary['fanout']]}, {_protection(summary)}"


_FANOUTS = {
    "chain": "each passes on to the next what has landed; the source is read once",
    "serial": "one after the other, each from the source",
}


def _way(hop: Mapping[str, Any]) -> str:
    low, high = hop["ports"]
    port = f"port {low}" if low == high else f"a port of {low}-{high}"
    return f"{hop['addresses']['source']} to {hop['addresses']['destination']}, {port}"


def _protection(summary: Mapping[str, Any]) -> str:
    return "encrypted" if summary["encrypt"] else "NOT encrypted"


def _room(hop: Mapping[str, Any]) -> str:
    return f"{units.size(hop['bytes_free'])} free there, {units.size(hop['bytes_free_after'])} free afterwards"


def _opened(hop: Mapping[str, Any]) -> str:
    return "no firewall opened" if hop["firewall"] == "none" else f"{_where(hop)} opened for {hop['after']} alone"


def _firewall(hop: Mapping[str, Any]) -> str:
    if hop["firewall"] == "none":
        return "no firewall is opened"
    if hop["firewall"] == "firewalld":
        return "firewalld: opened for the source alone, at runtime, for as long as it takes; its daemon holds the timer"
    return f"{_where(hop)}: opened for the source alone, for as long as it takes"


def _where(hop: Mapping[str, Any]) -> str:
    """Where in the ruleset."""
    return ", ".join(hop["chains"]) or str(hop["firewall"])


def reason_lines(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each reason of a result."""
    return [printable(f"[{reason['code']} {reason['name']}] {reason['text']}") for reason in reasons]


def event_line(what: str, details: Mapping[str, Any]) -> str:
    """An event of the course (a course.Tell), for those who want to see every step."""
    who = f"{details['host']} ({details['role']}): " if "host" in details else ""
    return printable(f"{who}{details.get('phase', what)}")


def queue_line(details: Mapping[str, Any]) -> str:
    """That a host is waited for, from the event `queued`."""
    waiting = f", {details['waiting']} wait before this one" if details["waiting"] else ""
    running = units.count(details["running"], "transfer")
    return printable(f"waits for {details['host']}, which takes part in {running}{waiting}")


def progress_lines(
    statuses: Mapping[Member, Status], paces: Mapping[Member, Pace], streams: int = 1, level: str = "readback"
) -> list[str]:
    """How far the copy has come, a line for each destination; none before anything is known. Paces from `measure`;
    over so many streams, proved at this level. What matters most comes first: a narrow screen cuts off the rest.
    """
    leading = _leading(statuses)
    shown, more = _most_telling(leading)
    source = next((status for member, status in statuses.items() if member.role == SOURCE), None)
    counted = _counted(statuses)
    lines = []
    for member, status in shown.items():
        course = _course(status, counted, paces.get(member, Pace()))
        fields = (*course, *_slowest(source, status, streams, level), *_amount(status, counted))
        lines.append("  ".join(fields))
    if len(leading) > 1:
        width = max(len(member.host) for member in shown)
        lines = [f"{member.host:<{width}}  {line}" for member, line in zip(shown, lines, strict=True)]
    return [printable(line) for line in (*lines, *more)]


def _course(status: Status, counted: Progress, pace: Pace) -> Iterator[str]:
    yield f"{status.phase:<10}"
    yield _share(status, counted)
    if status.phase not in ENDED:
        yield from _speed(counted.bytes_total - _done(status), pace)


def _slowest(source: Status | None, status: Status, streams: int, level: str) -> Iterator[str]:
    """What has held a destination up the most until now; nothing where nothing is left to do or nobody has told."""
    if source is None or status is source or status.phase in ENDED or not (source.stages and status.stages):
        return
    ours, theirs = (bottleneck.End(each.host, each.stages) for each in (source, status))
    if found := bottleneck.find(ours, theirs, streams, level):
        yield f"slowest: {bottleneck.in_short(found)}"


def _amount(status: Status, counted: Progress) -> Iterator[str]:
    yield f"{units.size(_done(status))} of {_about(counted)}{units.size(counted.bytes_total)}"
    yield _files(status, counted)


def measure(
    statuses: Mapping[Member, Status], paces: Mapping[Member, Pace], heard_at: Mapping[Member, float]
) -> dict[Member, Pace]:
    """The paces with what each host said last, at the time it was heard: what others say meanwhile changes no pace."""
    leading = _leading(statuses)
    return {
        member: paces.get(member, Pace()).after(heard_at[member], _done(status)) for member, status in leading.items()
    }


def _leading(statuses: Mapping[Member, Status]) -> dict[Member, Status]:
    """The statuses of the destinations; that of the source while there are none."""
    destinations = {member: status for member, status in statuses.items() if member.role == DESTINATION}
    return destinations or dict(statuses)


def _most_telling(leading: Mapping[Member, Status]) -> tuple[dict[Member, Status], list[str]]:
    """As many as fit below each other, those that lag behind the most, and a word about the others."""
    if len(leading) <= MOST_LINES:
        return dict(leading), []
    lagging = sorted(leading, key=lambda member: (leading[member].phase in ENDED, _done(leading[member])))
    shown = set(lagging[: MOST_LINES - 1])
    hidden = [leading[member] for member in leading if member not in shown]
    over = sum(status.phase in ENDED for status in hidden)
    rest = f"and {len(hidden)} more, farther ahead" + (f"; {over} of them have ended" if over else "")
    return {member: status for member, status in leading.items() if member in shown}, [rest]


def _counted(statuses: Mapping[Member, Status]) -> Progress:
    """The counters that know the totals best."""
    told = (each.progress for each in statuses.values())
    return max(told, key=lambda counted: counted.bytes_total, default=NOTHING)


def _done(status: Status) -> int:
    verifying = status.phase in ("verifying", "sealed", "publishing") and status.progress.bytes_verified
    return status.progress.bytes_verified if verifying else status.progress.bytes_done


def _files(status: Status, counted: Progress) -> str:
    done, total = status.progress.files_done, counted.files_total
    return f"{done:,} of {units.count(total, 'file')}" if total else units.count(done, "file")


def _share(status: Status, counted: Progress) -> str:
    if not counted.bytes_total:
        return "   "
    return f"{min(100, 100 * _done(status) // counted.bytes_total):3d} %"


def _about(counted: Progress) -> str:
    return "about " if counted.estimated else ""


def _speed(rest: int, pace: Pace) -> Iterator[str]:
    if pace.rate > 0:
        yield units.rate(pace.rate)
    left = pace.seconds_for(rest)
    if left is not None and rest > 0:
        yield f"{units.span(left)} left"


def result_lines(result: Mapping[str, Any], noted: bool = False) -> list[str]:
    """How it ended, with the receipt; from report.result(). Its id comes last, if somebody can be asked about it: its
    minions, or the master where it has `noted` it.
    """
    way = " to ".join(filter(None, (result["source"]["place"], _places(result))))
    head = f"{result['result']}: {way}" if way else result["result"]
    lines = [printable(head), *map(printable, _each_line(result)), *reason_lines(result["reasons"])]
    receipt = result["receipt"]
    if receipt and receipt["proved_on"]:
        lines += [printable(line) for line in _receipt_lines(receipt, _became(result))]
        lines += [printable(line) for line in _update_lines(result)]
        lines += [printable(line) for line in _speed_lines(result)]
        lines += _slowest_line(result["bottleneck"])
    known = result["transfer"] and (noted or report.was_begun(result))
    return [*lines, *_cleanup_lines(result), *([printable(f"transfer {result['transfer']}")] if known else [])]


def answer_lines(answer: Mapping[str, Any]) -> list[str]:
    """Whatever a function of the runner returns, in short; a result of a copy as `result_lines` tell it, and a plan."""
    if "receipt" in answer:
        return result_lines(answer)
    if "plan" in answer:
        return plan_lines(answer["plan"])
    return [printable(str(answer["result"])), *reason_lines(answer["reasons"])]


def _places(result: Mapping[str, Any]) -> str:
    return ", ".join(end["place"] for end in result["destinations"].values())


def _each_line(result: Mapping[str, Any]) -> Iterator[str]:
    """How it ended at each of several destinations, those without a copy first."""
    ends = list(result["destinations"].values())
    if len(ends) > 1:
        for end in sorted(ends, key=lambda end: end.get("outcome") == "ok"):
            yield f"  {end.get('outcome') or 'nothing'}: {end['place']}{_by_way_of(end)}"


def _by_way_of(end: Mapping[str, Any]) -> str:
    """From whom it came, or without whom it went on, if that was not as planned."""
    lost = (end.get("chain") or {}).get("lost")
    came_from = (end.get("chain") or {}).get("predecessors") or []
    if len(came_from) > 1:
        return f", from {' then '.join(str(each.get('host', '?')) for each in came_from)}"
    return f", which went on without {', '.join(map(str, lost))}" if lost else ""


def _became(result: Mapping[str, Any]) -> list[str]:
    """What became of a stream at each destination; nothing for files and trees."""
    return [f"{host}: {line}" for host, end in result["destinations"].items() for line in flows.result_lines(end)]


def _receipt_lines(receipt: Mapping[str, Any], became: list[str]) -> Iterator[str]:
    links = f", {units.count(receipt['links'], 'link')}" if receipt["links"] else ""
    directories = units.count(receipt["directories"], "directory", "directories")
    files = units.count(receipt["files"], "file")
    if became:
        yield f"proved by {receipt['level']}: {units.size(receipt['bytes'])} in one stream, made once"
    else:
        yield f"proved by {receipt['level']}: {files}, {directories}{links}, {units.size(receipt['bytes'])}"
    proved = len(receipt["proved_on"])
    where = "both ends" if proved == 1 else f"the source and {proved} destinations"
    yield f"{receipt['algorithm']} root {receipt['source_root']}, the same on {where}"
    yield from became
    if receipt["excluded"]:
        yield f"{units.count(receipt['excluded'], 'entry', 'entries')} left out by include and exclude"
    if receipt["skipped"]:
        yield f"{units.count(receipt['skipped'], 'entry', 'entries')} left out, listed as skipped"


def _update_lines(result: Mapping[str, Any]) -> Iterator[str]:
    for host, end in result["destinations"].items():
        yield from (f"{host}: {line}" for line in updating.result_lines(end))


def _speed_lines(result: Mapping[str, Any]) -> Iterator[str]:
    for host, end in result["destinations"].items():
        seconds = end.get("seconds", {})
        if seconds.get("total"):
            moving = seconds.get("move") or seconds["total"]
            yield (
                f"{host}: {units.span(seconds['total'])} in all; moved {units.size(end['moved_bytes'])} in "
                f"{units.span(moving)} ({units.rate(end['moved_bytes'] / moving)}){_travelled(end)}"
            )
        if held := end.get("held_bytes"):
            yield f"{host}: {units.size(held)} were there already, {units.size(end['resent_bytes'])} were sent again"
        if lost := sum(max(0, stream["connections"] - 1) for stream in end.get("streams", ())):
            yield f"{host}: {units.count(lost, 'connection')} lost and made again"


def _travelled(end: Mapping[str, Any]) -> str:
    """How much less travelled than was moved, if the figures show that it was less."""
    travelled, moved = units.size(end["wire_bytes"]), units.size(end["moved_bytes"])
    smaller = end["wire_bytes"] < end["moved_bytes"] and travelled != moved
    return f"; {travelled} travelled, compressed" if smaller else ""


def _slowest_line(bottleneck: Mapping[str, Any] | None) -> Iterator[str]:
    if bottleneck:
        yield printable(f"slowest, {units.span(bottleneck['seconds'])}: {bottleneck['text']}")


def _cleanup_lines(result: Mapping[str, Any]) -> list[str]:
    """What could not be undone, at whichever end."""
    ends = [result["source"], *result["destinations"].values()]
    return [printable(f"{end['host']}: {sentence}") for end in ends for sentence in end.get("cleanup", ())]
