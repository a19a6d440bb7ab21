"""What people read of replicas: how a clone, a proof or a repair ended, and what waits for them.

Nothing in these lines can steer a terminal: whatever is not printable is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from replicaplan import repair
from transferplan import units
from transferplan.paths import printable

NOBODY = "no replicas are named: replica_repair in the master's configuration has no cluster"
NOTHING = "nothing waits for a person"

Answer = Mapping[str, Any]


def step_line(what: str, details: Mapping[str, Any]) -> str:
    """A step of a clone or a repair, while it goes on."""
    told = (f"{name} {' '.join(map(str, each)) if isinstance(each, list) else each}" for name, each in details.items())
    return printable(", ".join((f"replica: {what}", *told)))


def clone_lines(answer: Answer) -> list[str]:
    """From what `replica.clone` returns."""
    if answer["result"] == "planned":
        return [*map(printable, _planned(answer))]
    if "copy" not in answer:
        return [*map(printable, _unfinished(answer["result"], answer))]
    head = f"{answer['result']}: {answer['source']} was cloned to {units.some([*answer['replicas']])}"
    reasons = (f"  {reason}" for reason in answer["reasons"])
    return [*map(printable, (head, *reasons, *_report(answer)))]


def prove_lines(answer: Answer) -> list[str]:
    """From what `replica.prove` returns."""
    if "proved" not in answer:
        return [*map(printable, _unfinished(answer["result"], answer))]
    found = "is" if answer["proved"] else "is not"
    return [
        printable(f"{answer['result']}: {answer['replica']} {found} proved equal to {answer['primary']}"),
        *(printable(f"  NOT SO: {reason}") for reason in answer["reasons"]),
        *(printable(f"  {check['what']}: {check['text']}") for check in answer["checks"] if check["ok"]),
        *map(printable, _unproved(answer)),
    ]


def recover_lines(answer: Answer) -> list[str]:
    """From what `replica.recover` and `replica.approve` return."""
    return [*map(printable, _recovered(answer))]


def patrol_lines(answer: Answer) -> list[str]:
    """From what `replica.patrol` returns; the reasons of all are those of each."""
    if "hosts" not in answer:
        return recover_lines(answer)
    return [line for each in answer["hosts"].values() for line in recover_lines(each)] or [NOBODY]


def proposal_lines(answer: Answer) -> list[str]:
    """From what `replica.proposals` returns."""
    if "proposals" not in answer:
        return recover_lines(answer)
    waiting = [line for name, each in answer["proposals"].items() for line in _proposal(name, each)]
    ran = [f"{_when(each)}  {each['host']} of {each['cluster']}: {each['result']}" for each in answer["attempts"]]
    return [*map(printable, (*(waiting or [NOTHING]), *ran))]


def _planned(answer: Answer) -> Iterator[str]:
    yield f"planned: {answer['source']} to {', '.join(answer['replicas'])}; nothing was changed"
    for host, address in answer["addresses"].items():
        yield f"  {host} would reach its primary at {address}"
    for host, moved in answer["logs"].items():
        yield f"  {host} has logs outside of its data directory, which would be moved aside: {', '.join(moved)}"


def _unfinished(head: str, answer: Answer) -> Iterator[str]:
    """What was refused, forbidden or failed."""
    yield head
    yield from (f"  {reason}" for reason in answer["reasons"])
    evidence = (answer.get("error") or {}).get("evidence") or {}
    if settled := evidence.get("settled"):
        yield f"  done before, and left as they are: {', '.join(settled)}"
        yield f"  not rebuilt: {', '.join(evidence.get('left', ()))}"


def _report(report: Answer) -> Iterator[str]:
    """What a clone did at each replica, and how long it took."""
    for host, each in report["replicas"].items():
        yield f"  {host}: proved equal to {report['primary']}, {_content(each['proof'])}; {_places(each)}"
        yield from (f"  {line}" for line in (*_unproved(each["proof"]), *_notes(each)))
    steps = {name: seconds for name, seconds in report["seconds"].items() if name != "total"}
    took = ", ".join(f"{name} {units.span(seconds)}" for name, seconds in steps.items())
    backup = f"; the backup was transfer {transfer}" if (transfer := report["copy"].get("transfer")) else ""
    yield f"  {units.span(report['seconds']['total'])} in all: {took}{backup}"


def _content(proof: Answer) -> str:
    return next((str(check["text"]) for check in proof["checks"] if check["what"] == "content"), "")


def _places(replica: Answer) -> str:
    old = f"the old in {replica['kept']}" if replica["kept"] else "no old data is kept"
    logs = f", the old logs in {' and '.join(replica['kept_logs'])}" if replica.get("kept_logs") else ""
    return f"data in {replica['datadir']}, {old}{logs}"


def _notes(replica: Answer) -> Iterable[str]:
    return [f"  {replica['note']}"] if replica.get("note") else []


def _unproved(proof: Answer) -> Iterable[str]:
    named = [f"{schema}.{table} ({engine})" for schema, table, engine in proof["unproved"]]
    if not named:
        return []
    return [f"  not compared: {units.some(named, proof['unproved_in_all'])}; lock_others=True compares them too"]


def _recovered(answer: Answer) -> Iterator[str]:
    yield from _unfinished(f"{answer['result']}: {answer['host']}" if "host" in answer else answer["result"], answer)
    if answer["result"] == repair.BROKEN:
        yield f"  it would be rebuilt from {answer['donor']}"
    if "proposal" in answer:
        yield _approve(answer["proposal"])
    if "report" in answer:
        yield from _report(answer["report"])


def _proposal(name: str, proposal: Answer) -> Iterator[str]:
    whose = f"{proposal['host']} of {proposal['cluster']}, from {proposal['donor']}"
    yield f"{name}  {whose}, proposed {_when(proposal)}: {' '.join(proposal['reasons'])}"
    yield _approve(name)


def _approve(name: str) -> str:
    return f"  salt-run replica.approve {name} carries it out"


def _when(noted: Answer) -> str:
    return datetime.fromtimestamp(noted["at"], timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
