"""Repairs a replica without a hand, if it is broken and all guards permit it. An alert only names a host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from replicaplan import repair
from replicaplan.errors import RepairForbidden, ReplicaError

from .asking import LONG, Hosts
from .ledger import Book

Rebuild = Callable[[repair.Cluster, str, str], Mapping[str, Any]]
Tell = Callable[[str, Mapping[str, Any]], None]
LOOK = 60.0
SETTLING = 60.0
PAUSE = 1.0


def examine(hosts: Hosts, rules: repair.Rules, host: str) -> tuple[repair.Cluster | None, repair.Decision]:
    """What is so now, asked of every server of its cluster; nothing that an alert said is believed."""
    cluster = rules.cluster_of(host)
    told, silent = hosts.ask_all(cluster.hosts, "info", LOOK) if cluster else ({}, {})
    ledger = Book(rules.state).read()
    return cluster, repair.decide(cluster, host, told, silent, ledger, rules, time.time())


def settled(
    hosts: Hosts, rules: repair.Rules, host: str, patience: float = SETTLING
) -> tuple[repair.Cluster | None, repair.Decision]:
    """What is so after systemd did what it was about to do: an alert comes as a server ends, not when all is over."""
    until = time.monotonic() + patience
    while True:
        cluster, decision = examine(hosts, rules, host)
        if decision.verdict != repair.UNSETTLED or time.monotonic() > until:
            return cluster, decision
        _pace()


def _pace() -> None:
    time.sleep(PAUSE)


def recover(
    hosts: Hosts, rules: repair.Rules, host: str, rebuild: Rebuild, tell: Tell, approved: bool = False,
    patience: float = SETTLING,
) -> dict[str, Any]:
    """{"result": healthy, unsettled, forbidden, proposed or repaired, "reasons", "report"}; what fails is raised."""
    if rules.cluster_of(host) is None:
        return _told(repair.FORBIDDEN, host, examine(hosts, rules, host)[1])
    book = Book(rules.state)
    try:
        with book.turn_to_look(host):
            cluster, decision = settled(hosts, rules, host, patience)
        if decision.verdict == repair.HEALTHY:
            book.withdraw(host)
        if cluster is None or decision.verdict != repair.BROKEN:
            return _told(decision.verdict, host, decision)
        if rules.approve and not approved:
            return _propose(rules, host, cluster, decision, tell)
        with book.only_one(cluster.name):
            return _repair(hosts, rules, book, host, rebuild, tell)
    except RepairForbidden as error:
        return {"result": repair.FORBIDDEN, "host": host, "reasons": [error.text]}


def _repair(
    hosts: Hosts, rules: repair.Rules, book: Book, host: str, rebuild: Rebuild, tell: Tell
) -> dict[str, Any]:
    """Decided once more: whoever had the lock before may have repaired it."""
    cluster, decision = settled(hosts, rules, host)
    if cluster is None or decision.verdict != repair.BROKEN:
        return _told(decision.verdict, host, decision)
    left = book.read().left_behind(host)
    attempt = repair.Attempt(host, cluster.name, time.time(), down=decision.down)
    book.begun(attempt)
    book.withdraw(host)
    tell("repair", {"host": host, "donor": decision.donor, "reasons": list(decision.reasons)})
    try:
        _clear(hosts, host, left)
        report = rebuild(cluster, host, decision.donor)
    except ReplicaError as error:
        book.ended(attempt, f"failed: {error.text}"[:500])
        tell("failed", {"host": host, "reasons": [error.text]})
        raise
    book.ended(attempt, repair.REPAIRED)
    tell("repaired", {"host": host})
    return {**_told(repair.REPAIRED, host, decision), "report": dict(report)}


def _clear(hosts: Hosts, host: str, left: bool) -> None:
    """A repair whose process died on the way has left a backup that arrived, where the next one is to arrive."""
    if left:
        hosts.ask(host, "discard", LONG)


def _propose(
    rules: repair.Rules, host: str, cluster: repair.Cluster, decision: repair.Decision, tell: Tell
) -> dict[str, Any]:
    name = repair.proposal_id(host, decision.reasons)
    proposal = {"host": host, "cluster": cluster.name, "at": time.time(), **decision.as_dict()}
    if Book(rules.state).propose(name, proposal):
        tell("proposed", {"host": host, "proposal": name, "reasons": list(decision.reasons)})
    return {**_told("proposed", host, decision), "proposal": name}


def _told(result: str, host: str, decision: repair.Decision) -> dict[str, Any]:
    return {"result": result, "host": host, "reasons": list(decision.reasons)}
