"""Lines for people: the plan, how far a copy has come, how it ended.

Nothing in them can steer a terminal: whatever is not printable is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import units, updating
from .paths import printable
from .request import DESTINATION, SOURCE, Member
from .status import Progress, Status

SMOOTHING = 5.0


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
    rows = [
        ("copy", f"{summary['source']}  ({_what(summary)})"),
        *_choice(summary),
        *(("to", place) for place in summary["destinations"]),
        *(("update", line) for line in updating.lines(summary["update"])),
        ("room", _room(summary)),
        ("way", _way(summary)),
        ("firewall", _firewall(summary)),
        *_flow(summary),
        ("proof", f"{summary['digest']}, {summary['verify']}"),
        *(("note", warning) for warning in summary["warnings"]),
    ]
    return [printable(f"{title:>8}  {text}") for title, text in rows]


def _flow(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How the data is made smaller, and held back."""
    compress = summary["compress"]
    if compress["codec"] != "none":
        yield "compress", f"{compress['codec']}, {compress['why']}"
    if summary["limit"]:
        yield "limit", units.rate(summary["limit"])


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


def _room(summary: Mapping[str, Any]) -> str:
    return f"{units.size(summary['bytes_free'])} free there, {units.size(summary['reserve_bytes'])} of it stay free"


def _way(summary: Mapping[str, Any]) -> str:
    low, high = summary["ports"]
    port = f"port {low}" if low == high else f"a port of {low}-{high}"
    how = "encrypted" if summary["encrypt"] else "NOT encrypted"
    return f"{summary['addresses']['source']} to {summary['addresses']['destination']}, {port}, {how}"


def _firewall(summary: Mapping[str, Any]) -> str:
    if summary["firewall"] == "none":
        return "no firewall is opened"
    if summary["firewall"] == "firewalld":
        return "firewalld: opened for the source alone, at runtime, for as long as it takes; its daemon holds the timer"
    return f"{summary['firewall']}: opened for the source alone, for as long as it takes"


def reason_lines(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each reason of a result."""
    return [printable(f"[{reason['code']} {reason['name']}] {reason['text']}") for reason in reasons]


def event_line(what: str, details: Mapping[str, Any]) -> str:
    """An event of the course (a course.Tell), for those who want to see every step."""
    who = f"{details['host']} ({details['role']}): " if "host" in details else ""
    return printable(f"{who}{details.get('phase', what)}")


def progress_line(statuses: Mapping[Member, Status], pace: Pace) -> str:
    """How far the copy has come; empty before anything is known. The pace is that of `measure`."""
    told = _leading(statuses)
    if told is None:
        return ""
    status, counted = told
    parts = [
        f"{status.phase:<10}",
        _share(status, counted),
        f"{units.size(_done(status))} of {_about(counted)}{units.size(counted.bytes_total)}",
        _files(status, counted),
        *_speed(counted.bytes_total - _done(status), pace),
    ]
    return printable("  ".join(parts))


def measure(statuses: Mapping[Member, Status], pace: Pace, now: float) -> Pace:
    """The pace with what is known now."""
    told = _leading(statuses)
    return pace.after(now, _done(told[0])) if told else pace


def _leading(statuses: Mapping[Member, Status]) -> tuple[Status, Progress] | None:
    """The destination's status (the source's while there is none), and the counters that know the totals best."""
    by_role = {member.role: status for member, status in statuses.items()}
    status = by_role.get(DESTINATION) or by_role.get(SOURCE)
    if status is None:
        return None
    return status, max((each.progress for each in by_role.values()), key=lambda counted: counted.bytes_total)


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


def result_lines(result: Mapping[str, Any]) -> list[str]:
    """How it ended, with the receipt; from report.result()."""
    head = f"{result['result']}: {result['source']['place']} to {_places(result)}"
    lines = [printable(head), *reason_lines(result["reasons"])]
    receipt = result["receipt"]
    if receipt and receipt["proved"]:
        lines += [printable(line) for line in _receipt_lines(receipt)]
        lines += [printable(line) for line in _update_lines(result)]
        lines += [printable(line) for line in _speed_lines(result)]
        lines += _slowest_line(result["bottleneck"])
    return [*lines, *_cleanup_lines(result), printable(f"transfer {result['transfer']}")]


def _places(result: Mapping[str, Any]) -> str:
    return ", ".join(end["place"] for end in result["destinations"].values())


def _receipt_lines(receipt: Mapping[str, Any]) -> Iterator[str]:
    links = f", {units.count(receipt['links'], 'link')}" if receipt["links"] else ""
    directories = units.count(receipt["directories"], "directory", "directories")
    files = units.count(receipt["files"], "file")
    yield f"proved by {receipt['level']}: {files}, {directories}{links}, {units.size(receipt['bytes'])}"
    yield f"{receipt['algorithm']} root {receipt['root']}, the same on both ends"
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
    """How much less travelled than was moved, if it was less."""
    smaller = end["wire_bytes"] < end["moved_bytes"]
    return f"; {units.size(end['wire_bytes'])} travelled, compressed" if smaller else ""


def _slowest_line(bottleneck: Mapping[str, Any] | None) -> Iterator[str]:
    if bottleneck:
        yield printable(f"slowest, {units.span(bottleneck['seconds'])}: {bottleneck['text']}")


def _cleanup_lines(result: Mapping[str, Any]) -> list[str]:
    """What could not be undone, at whichever end."""
    ends = [result["source"], *result["destinations"].values()]
    return [printable(f"{end['host']}: {sentence}") for end in ends for sentence in end.get("cleanup", ())]
