"""Clones a live database onto replicas: one backup for all of them, then one host after the other, until it is proved.

What was begun on a host and not settled is taken back there, whatever fails; the hosts after it are not touched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from replicaplan import clone as planning
from replicaplan import positions
from replicaplan.errors import BackupUnfit, NotProved, ReplicaError, ReplicaRefused

from . import arriving
from .asking import LONG, Hosts, HostSilent, renewing, wait_in_parts
from .courier import Courier
from .proving import note, prove, short
from .story import Say, Story, Wish

STARTING = 1200.0
INSTALLING = 7200.0
"""A server may take a quarter of an hour to stop, and where SELinux rules each file is labelled anew."""
CATCHING_UP = LONG / 2


def look(hosts: Hosts, wish: Wish) -> planning.Plan:
    """Everything found out and checked; ReplicaRefused has every reason at once. Changes nothing."""
    may: Mapping[str, Any] = {
        "confirm_in": list(wish.confirm), "in_service": wish.in_service, "discard_own_writes": wish.discard_own_writes,
    }
    asked: dict[str, dict[str, Mapping[str, Any]]] = {
        "info": dict.fromkeys((wish.source, wish.primary), {}),
        "fitness": dict.fromkeys(wish.replicas, may),
    }
    answers, failed = hosts.tell_at_once(asked)
    told, fit = answers["info"], answers["fitness"]
    silent = {host: error.text for host, error in {**failed["info"], **failed["fitness"]}.items()}
    plan, against = planning.plan(wish.source, wish.primary, told, fit, silent, wish.address, wish.port)
    against += [] if plan is None else _against_following(wish, told)
    if against or plan is None:
        raise ReplicaRefused(against)
    logins = {host: {"primary": plan.addresses[host], "port": plan.port} for host in wish.replicas}
    troubles = [
        f"{host}: {answer['trouble']}" for host, answer in hosts.ask_each(logins, "login").items() if answer["trouble"]
    ]
    if troubles:
        raise ReplicaRefused(troubles)
    return plan


def _against_following(wish: Wish, told: Mapping[str, Any]) -> list[str]:
    return [] if wish.source == wish.primary else positions.against_untold(told[wish.source], wish.source)


def clone(hosts: Hosts, wish: Wish, courier: Courier, say: Say) -> dict[str, Any]:
    """The whole of it; the report as a document, also if some were left out. What fails is raised, and taken back."""
    story = Story(say)
    began = time.monotonic()
    with story.step("check"):
        plan = look(hosts, wish)
    with _cleared(hosts, wish, story):
        found = arriving.copy(courier, plan, wish, story)
        for host, backup in arriving.prepare(hosts, plan, wish, story).items():
            _check_place(hosts, plan, wish, backup)
            story.replicas[host] = _rebuild(hosts, plan, wish, host, story)
    total = round(time.monotonic() - began, 3)
    return {
        "source": wish.source, "primary": wish.primary, "copy": dict(found.told), "replicas": story.replicas,
        "left": story.left, "reasons": _what_is_left(wish, story), "seconds": {**story.seconds, "total": total},
    }


def _what_is_left(wish: Wish, story: Story) -> list[str]:
    """Who was left out and why, and how to go on."""
    if not story.left:
        return []
    lost, done = list(story.left), list(story.replicas)
    names = ",".join(lost)
    return [
        *dict.fromkeys(story.left.values()),
        f"{' and '.join(lost)} {'are as they were' if len(lost) > 1 else 'is as it was'}; {' and '.join(done)} "
        f"{'were' if len(done) > 1 else 'was'} rebuilt and proved. salt-run replica.clone {wish.source} {names} "
        f"confirm={names}, with the other options as they were, rebuilds what is left.",
    ]


@contextlib.contextmanager
def _cleared(hosts: Hosts, wish: Wish, story: Story) -> Any:
    """No backup that arrived and was not installed stays, however this ends; where it did not arrive, another's may be.
    What fails tells which replicas were done before.
    """
    try:
        yield
    except ReplicaError as error:
        error.evidence.update(settled=list(story.replicas), left=story.undone(wish))
        raise
    finally:
        if unused := [host for host in story.arrived if host not in story.replicas]:
            with contextlib.suppress(ReplicaError):
                hosts.ask_all(unused, "discard", STARTING)


def _check_place(hosts: Hosts, plan: planning.Plan, wish: Wish, backup: Mapping[str, Any]) -> None:
    """While the old server still runs: where it would go on is believed, and the primary has kept its log since."""
    found, against = positions.coordinates(backup, plan.donor_is_primary)
    if not plan.donor_is_primary:
        donor = hosts.ask(wish.source, "info")
        against += positions.against_position(donor["channels"], backup, wish.source)
    against += [] if against else positions.against_log(found, hosts.ask(wish.primary, "log"), wish.primary)
    if against:
        raise BackupUnfit(" ".join(against))


def _rebuild(hosts: Hosts, plan: planning.Plan, wish: Wish, host: str, story: Story) -> dict[str, Any]:
    """One host: its old data is only given up when the new is proved."""
    with contextlib.ExitStack() as undo:
        options = {"in_service": wish.in_service, "discard_own_writes": wish.discard_own_writes, "lease": wish.lease}
        undo.callback(_roll_back, hosts, host)
        with story.step("install", host=host):
            try:
                begun = hosts.ask(host, "install", INSTALLING, prepared=plan.incoming(host), confirm=host, **options)
            except HostSilent:
                raise
            except ReplicaError:
                undo.pop_all()  # it refused, or has taken it back
                raise
        proof = _bring_up(hosts, plan, wish, host, story)
        note(hosts, host, proof, begun)
        settled = _settle(hosts, host, begun)
        undo.pop_all()
    logs = settled.get("kept_logs") or []
    told = {"proof": proof, "kept": settled["kept"], "kept_logs": logs, "datadir": settled["datadir"]}
    return told if wish.keep_old else {**told, **_drop_old(hosts, host, told)}


def _settle(hosts: Hosts, host: str, begun: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the host told of it, also if its answer was lost: then it knows that it has settled this installation."""
    try:
        return hosts.ask(host, "settle")
    except ReplicaError:
        with contextlib.suppress(ReplicaError):
            if found := _settled(hosts, host, begun):
                return found
        raise


def _settled(hosts: Hosts, host: str, begun: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is noted of this installation as settled. While it is under way that may still be taken back."""
    if hosts.ask(host, "info").get("installation"):
        return None
    last: Mapping[str, Any] = hosts.ask(host, "last")
    same = last and all(last.get(name) == begun.get(name) for name in ("datadir", "kept", "backup"))
    return last if same else None


def _drop_old(hosts: Hosts, host: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """A replica that is settled stays so, whatever becomes of its old data. Logs go with it; without it, by themselves.
    """
    for place in [told["kept"]] if told["kept"] else told["kept_logs"]:
        try:
            hosts.ask(host, "drop_old", STARTING, confirm=place)
        except ReplicaError as error:
            note = f"{error.text} The old data stays: salt {host} replica.drop_old confirm={place} removes it."
            return {"note": note}
    return {"kept": None, "kept_logs": []}


def _bring_up(hosts: Hosts, plan: planning.Plan, wish: Wish, host: str, story: Story) -> dict[str, Any]:
    with story.step("start", host=host):
        hosts.ask(host, "start_isolated", STARTING)
    with story.step("replicate", host=host):
        hosts.ask(host, "point", primary=plan.addresses[host], port=plan.port, donor_is_primary=plan.donor_is_primary)
        hosts.ask(host, "start_replication")
        wait_in_parts(hosts, host, CATCHING_UP, wish.lease / 2, lag=wish.lag)
    with story.step("prove", host=host), renewing(hosts, host, "installation", wish.lease):
        proof = prove(hosts, wish.primary, host, wish.lock_others, wish.timeout)
    if not proof["proved"]:
        raise NotProved(f"{host} is not equal to {wish.primary}: {' '.join(proof['reasons'])}", proof=short(proof))
    return proof


def _roll_back(hosts: Hosts, host: str) -> None:
    """A host that has taken it back by itself has nothing to take back; one that is silent does so within its lease."""
    with contextlib.suppress(ReplicaError):
        hosts.ask(host, "roll_back", STARTING)
