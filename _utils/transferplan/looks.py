"""What people see of transfers that they look at: a line for each that is listed, a line for each end of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import display, findings, inforce, units, written
from .inventory import FINISHED
from .paths import decode_path, printable, quoted
from .paths import display as shown_path
from .request import DESTINATION, SOURCE
from .status import CANCELLED, ENDED

NOTHING = "no transfer to tell of"
IDLE = "nothing runs"
UNEXAMINED = "nobody answered: what is left over is not known"
IN_VAIN = "nothing was cancelled: it had ended before, and what is published stays"


def list_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.list` returns, the newest first."""
    told = [*map(_listed, answer.get("transfers", ())), *map(_waiting, answer.get("waiting", ()))]
    more = answer.get("more", 0)
    rest = [f"and {units.count(more, 'older one that is', 'older ones that are')} over: older=True lists them"]
    nothing = [] if told or answer["reasons"] else [NOTHING]
    return [*map(printable, told), *nothing, *(rest if more else []), *_afterwards(answer)]


def start_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.start` and `transfer.pull` return."""
    if answer["result"] != "running":
        return display.answer_lines(answer)
    return [printable(f"goes on in the background: salt-run transfer.status {answer['transfer']} tells how far it is")]


def tend_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.tend` returns."""
    taken_up = {*answer.get("taken_up", ())}
    told = [f"{each}  {'is gone on with' if each in taken_up else 'waits on'}" for each in answer.get("waiting", ())]
    return [*(told or ([] if answer["reasons"] else ["nothing waits"])), *_afterwards(answer)]


def status_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.status` returns."""
    waits = [_waiting(answer["waiting"])] if answer.get("waiting") else []
    waits += [_preparing(answer["preparing"])] if answer.get("preparing") else []
    ended = display.answer_lines(answer["outcome"]) if answer.get("outcome") else []
    return [*map(printable, (*map(_end, _ends(answer)), *waits)), *ended, *_afterwards(answer)]


def cancel_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.cancel` returns: of one that ended before nothing is cancelled, and one that waited has no
    ends.
    """
    phases = {str(end.get("phase")) for end in answer.get("ends", ())}
    in_vain = [IN_VAIN] if phases and CANCELLED not in phases and not answer["reasons"] else []
    waited = [] if phases or answer["reasons"] else ["it waits no more: its place is given up"]
    return [*in_vain, *waited, *map(printable, map(_end, _ends(answer))), *_afterwards(answer)]


def verify_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.verify` returns; what differs is among the reasons."""
    same = [f"{end['host']}:{_path(end)} is as it was proved" for end in answer.get("ends", ()) if end["verified"]]
    return [*map(printable, same), *_afterwards(answer)]


def limit_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.limit` returns."""
    changed = [f"{end['host']}: {_rate(end['limit'])} from now on{_instead(end)}" for end in answer.get("ends", ())]
    return [*map(printable, changed), *_afterwards(answer)]


def _instead(end: Mapping[str, Any]) -> str:
    """What was in force before; nothing where an older version does not tell."""
    before = end.get("before")
    return "" if before is None else f", {_rate(before)} before"


def _rate(limit: int) -> str:
    return units.rate(limit) if limit else "no limit"


def settings_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.settings` returns: what is in force, and all that is wrong."""
    tables = [("for every transfer", answer.get("settings", {}))]
    tables += [(f"on {host}", told["settings"]) for host, told in answer.get("hosts", {}).items()]
    return [*(line for title, told in tables if told for line in inforce.lines(title, told)), *_afterwards(answer)]


def doctor_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.doctor` returns; of hosts that nobody could look at nothing is said."""
    found = findings.lines(answer["findings"]) if answer.get("hosts") else []
    return [*found, *_afterwards(answer)]


def sweep_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.sweep` returns."""
    return [*findings.swept(answer.get("hosts", {})), *_afterwards(answer)]


def log_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.log` returns."""
    return [*written.log_lines(_ends(answer)), *_afterwards(answer)]


def audit_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.audit` returns."""
    return [*written.audit_lines(answer.get("hosts", {})), *_afterwards(answer)]


def metrics_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.metrics` returns: where it was written, or all of it."""
    if answer.get("file"):
        return [printable(f"written to {answer['file']}"), *_afterwards(answer)]
    return [*map(printable, answer.get("text", "").splitlines()), *_afterwards(answer)]


def watch_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.watch` returns; how each transfer ended was said when it did."""
    waits = [printable(_shown(each)) for each in answer.get("waiting", ())]
    return [*waits, *([] if waits or answer.get("transfers") or answer["reasons"] else [IDLE]), *_afterwards(answer)]


def overview_lines(answer: Mapping[str, Any]) -> list[str]:
    """From what `transfer.overview` returns: the one that is shown closely, else a line for each."""
    told = _closely(answer["shown"]) if answer.get("shown") else [*map(_shown, answer.get("transfers", ()))]
    found = findings.lines(answer["findings"]) if answer.get("examined") else []
    unexamined = [UNEXAMINED] if "findings" in answer and not answer["examined"] else []
    more = [f"and {units.count(answer['more'], 'older one', 'older ones')}"] if answer.get("more") else []
    nothing = [] if told or answer["reasons"] else [NOTHING]
    return [*map(printable, (*told, *more, *nothing)), *found, *unexamined, *_afterwards(answer)]


def _closely(shown: Mapping[str, Any]) -> Iterator[str]:
    if "waits" in shown:
        yield _shown(shown)
        return
    yield from (_end({**end, "progress": end}) for end in _ends(shown))
    yield from shown.get("missing", ())
    yield from display.answer_lines(shown["outcome"]) if shown.get("outcome") else ()


def _shown(entry: Mapping[str, Any]) -> str:
    """An entry of an overview; of what waits with what can be done about it."""
    if "waits" not in entry:
        return _listed(entry)
    return "  ".join((_named(entry, entry["state"]), _way(entry["ends"]), entry["waits"]["advice"]))


def _afterwards(answer: Mapping[str, Any]) -> list[str]:
    """Who has not told, and what was not as asked; who is named there is not told of twice."""
    named = {word.strip(":,;") for reason in answer["reasons"] for word in reason["text"].split()}
    silent = [host for host in map(printable, answer.get("silent", ())) if host not in named]
    unheard = [f"{host} did not answer: ask again when it is up" for host in silent]
    return [*unheard, *display.reason_lines(answer["reasons"])]


def _listed(entry: Mapping[str, Any]) -> str:
    return "  ".join((_named(entry, _standing(entry)), _way(entry["ends"]), *_amount(entry["ends"])))


def _way(ends: Iterable[Mapping[str, Any]]) -> str:
    source, destinations = (_places(ends, role) for role in (SOURCE, DESTINATION))
    return f"{source} to {destinations}"


def _named(entry: Mapping[str, Any], word: str) -> str:
    return f"{entry['transfer']}  {word:<9}"


def _standing(entry: Mapping[str, Any]) -> str:
    """The state, and of what is over how it ended."""
    if entry["state"] != FINISHED:
        return entry["state"]
    phases = (str(end.get("phase") or "") for end in entry["ends"] if end["role"] == DESTINATION)
    return ", ".join(dict.fromkeys(filter(None, phases))) or FINISHED


def _places(ends: Iterable[Mapping[str, Any]], role: str) -> str:
    """Where the ends of this role are; of those that have not told themselves the host alone."""
    told = {end["host"]: _place(end) for end in ends if end["role"] == role}
    named = {peer["host"]: peer["host"] for end in ends for peer in end.get("peers", ()) if peer["role"] == role}
    return units.some([*{**named, **told}.values()]) if named or told else "?"


def _place(end: Mapping[str, Any]) -> str:
    return end["host"] if end.get("path") is None else f"{end['host']}:{_path(end)}"


def _path(end: Mapping[str, Any]) -> str:
    told = str(end.get("path", ""))
    try:
        return shown_path(decode_path(told))
    except ValueError:
        return told


def _amount(ends: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """How much of it is at the destination that has least."""
    known = [_of(end) for end in ends if end["role"] == DESTINATION]
    if known:
        yield min(known)[1]


def _of(counted: Mapping[str, Any]) -> tuple[int, str]:
    """How many bytes are done, and that in words."""
    done, total = (told if isinstance(told := counted.get(name), int) else 0 for name in ("bytes_done", "bytes_total"))
    return done, f"{units.size(done)} of {units.size(total)}" if total else units.size(done)


def _waiting(asked: Mapping[str, Any]) -> str:
    return f"{_named(asked, 'waiting')}  {_asked_way(asked)}  {asked['advice']}"


def _preparing(asked: Mapping[str, Any]) -> str:
    return f"{_named(asked, 'preparing')}  {_asked_way(asked)}  {asked['text']}"


def _asked_way(asked: Mapping[str, Any]) -> str:
    return f"{quoted(str(asked['src']))} to {quoted(str(asked['dst']))}"


def _ends(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The source, then the destinations, whoever answered first."""
    return sorted(answer.get("ends", ()), key=lambda end: (end["role"] != SOURCE, end["host"]))


def _end(end: Mapping[str, Any]) -> str:
    dead = end.get("alive") is False and end.get("phase") not in ENDED
    why = ((end.get("verdict") or {}).get("error") or {}).get("text")
    said = f"{end['host']} ({end['role']}): {end.get('phase')}{', its worker is dead' if dead else ''}"
    amount = f", {_of(end['progress'])[1]}" if "progress" in end else ""
    return f"{said}{amount}{f': {why}' if why else ''}"
