"""Shows that a replica is equal to its primary, at one position of the log, while both go on."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from typing import Any

from replicaplan import proof
from replicaplan.errors import ReplicaError

from .asking import LONG, Hosts, HostSaid, renewing, wait_in_parts

TRIES = 3
LEASE = 300
TOLD = 20


def prove_installed(
    hosts: Hosts, primary: str, replica: str, lock_others: bool = False, timeout: float = 3600
) -> dict[str, Any]:
    """The proof; an installation that is under way on the replica lasts as long, and can be settled if it is proved."""
    under_way = hosts.ask(replica, "info").get("installation")
    if not under_way:
        return prove(hosts, primary, replica, lock_others, timeout)
    with renewing(hosts, replica, "installation", under_way["lease"]):
        told = prove(hosts, primary, replica, lock_others, timeout)
    if told["proved"]:
        note(hosts, replica, told, under_way)
    return told


def note(hosts: Hosts, replica: str, told: Mapping[str, Any], begun: Mapping[str, Any]) -> None:
    """At the installation that was under way as the proof began: another may have taken its place meanwhile."""
    hosts.ask(replica, "proved", proof=short(told), installation=begun.get("id") or "")


def short(proof: Mapping[str, Any]) -> dict[str, Any]:
    """As much of a proof as a job takes along."""
    return {**proof, "unproved": list(proof["unproved"])[:TOLD], "reasons": list(proof["reasons"])[:TOLD]}


def prove(hosts: Hosts, primary: str, replica: str, lock_others: bool = False, timeout: float = 3600) -> dict[str, Any]:
    """The proof as a document; whatever is found, the replica replicates again afterwards as it did."""
    sampled = hosts.ask(primary, "sample")
    checks = [_arrival(hosts, sampled["gtid"], replica, timeout)]
    counts: Mapping[str, Any] = {}
    differing: list[str] = []
    if checks[0].ok:
        counts, found, differing = _compare(hosts, primary, replica, lock_others, timeout)
        checks += found
    told = hosts.ask(replica, "info")
    checks += proof.of_replication(told, primary, sampled["server_id"])
    checks.append(_writes(hosts, primary, replica, told))
    return {"primary": primary, "replica": replica, **proof.report(checks, counts, differing)}


def _arrival(hosts: Hosts, gtid: str, replica: str, timeout: float) -> proof.Check:
    if not gtid:
        return proof.of_arrival(gtid)
    try:
        wait_in_parts(hosts, replica, timeout, LEASE / 2, gtid=gtid)
    except ReplicaError as error:
        return proof.of_arrival(gtid, error.text)
    return proof.of_arrival(gtid)


def _writes(hosts: Hosts, primary: str, replica: str, told: Mapping[str, Any]) -> proof.Check:
    """Its own log is asked first: whatever it has by then, the primary has had before."""
    own, known = hosts.ask(replica, "sample"), hosts.ask(primary, "sample")
    return proof.of_writes(own, known, told["variables"]["server_id"])


def _compare(
    hosts: Hosts, primary: str, replica: str, lock_others: bool, timeout: float
) -> tuple[Mapping[str, Any], list[proof.Check], list[str]]:
    """(the primary's count, what was found, sentences about what differs)."""
    name = secrets.token_hex(8)
    try:
        one, other = _count_both(hosts, primary, replica, name, lock_others, timeout)
    except ReplicaError as error:
        return {}, [proof.Check("content", False, error.text)], []
    checks = proof.of_counts(one, other)
    differing = [] if all(each.ok for each in checks) else _differences(hosts, primary, one, replica, other, name)
    return one, checks, differing


def _count_both(
    hosts: Hosts, primary: str, replica: str, name: str, lock_others: bool, timeout: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    with _paused(hosts, replica):
        with renewing(hosts, replica, "pause", LEASE):
            one = _count_primary(hosts, primary, name, lock_others)
        hosts.ask(replica, "advance", timeout + 60, mark=one["mark"], timeout=timeout)
        return one, hosts.ask(replica, "count", LONG, name=name, stands=True, lock_others=lock_others)


def _count_primary(hosts: Hosts, primary: str, name: str, lock_others: bool) -> dict[str, Any]:
    """Definitions that change meanwhile belong to no one position; then it is done again."""
    for last in range(TRIES):
        try:
            return hosts.ask(primary, "count", LONG, name=name, lock_others=lock_others)
        except HostSaid as error:
            if not error.evidence.get("again") or last == TRIES - 1:
                raise
    raise AssertionError("there is a last try")


@contextlib.contextmanager
def _paused(hosts: Hosts, replica: str) -> Any:
    """What fails meanwhile is what is told: a step of the pause that failed has ended it already."""
    hosts.ask(replica, "pause", lease=LEASE)
    try:
        yield
    except BaseException:
        with contextlib.suppress(ReplicaError):
            hosts.ask(replica, "go_on")
        raise
    hosts.ask(replica, "go_on")


def _differences(
    hosts: Hosts, primary: str, one: Mapping[str, Any], replica: str, other: Mapping[str, Any], name: str
) -> list[str]:
    return proof.differences(_entries(hosts, primary, one, name), _entries(hosts, replica, other, name))


def _entries(hosts: Hosts, host: str, count: Mapping[str, Any], name: str) -> list[Any]:
    return [entry for number in range(count["pages"]) for entry in hosts.ask(host, "page", name=name, number=number)]
