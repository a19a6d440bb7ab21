"""Clones a live database onto replicas: one backup for all of them, then one host after the other, until it is proved.

What was begun on a host and not settled is taken back there, whatever fails; the hosts after it are not touched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from replicaplan import clone as planning
from replicaplan import standing
from replicaplan.errors import BackupUnfit, CopyFailed, NotProved, ReplicaError, ReplicaRefused

from .asking import LONG, Hosts, HostSilent, kept, waited
from .proving import prove, short

STARTING = 1200.0
INSTALLING = 7200.0
"""A server may take a quarter of an hour to stop, and where SELinux rules each file is labelled anew."""
CATCHING_UP = LONG / 2
Say = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Copied:
    """How the backup arrived: what the report tells of it, the replicas that it did not reach, and why in sentences."""

    told: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    why: str = ""


Copy = Callable[[str, Sequence[str]], Copied]


@dataclass(frozen=True)
class Wish:
    """What shall be cloned onto what."""

    source: str
    replicas: tuple[str, ...]
    primary: str
    address: str = ""
    port: int = 0
    confirm: tuple[str, ...] = ()
    in_service: bool = False
    discard_own_writes: bool = False
    lock_others: bool = False
    keep_old: bool = True
    lease: int = 600
    memory: Any = 0
    lag: float = 10.0
    timeout: float = 3600


@dataclass
class Story:
    """What happened so far: the seconds of each step, where the backup is, and what became of each replica."""

    say: Say
    arrived: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    replicas: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str, **details: Any) -> Any:
        self.say(name, details)
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)


def look(hosts: Hosts, wish: Wish) -> planning.Plan:
    """Everything found out and checked; ReplicaRefused has every reason at once. Changes nothing."""
    told, silent = hosts.ask_all(dict.fromkeys((wish.source, wish.primary)), "info")
    fit, quiet = hosts.ask_all(
        wish.replicas, "fitness", confirm_in=list(wish.confirm), in_service=wish.in_service,
        discard_own_writes=wish.discard_own_writes,
    )
    plan, against = planning.plan(wish.source, wish.primary, told, fit, {**silent, **quiet}, wish.address, wish.port)
    if against or plan is None:
        raise ReplicaRefused(against)
    logins = {host: {"primary": plan.addresses[host], "port": plan.port} for host in wish.replicas}
    troubles = [
        f"{host}: {answer['trouble']}" for host, answer in hosts.ask_each(logins, "login").items() if answer["trouble"]
    ]
    if troubles:
        raise ReplicaRefused(troubles)
    return plan


def clone(hosts: Hosts, wish: Wish, copy: Copy, say: Say) -> dict[str, Any]:
    """The whole of it; the report as a document. What fails is raised, and taken back first."""
    story = Story(say)
    began = time.monotonic()
    with story.step("check"):
        plan = look(hosts, wish)
    with _cleared(hosts, story):
        with story.step("copy", source=wish.source, replicas=list(wish.replicas)):
            copied = copy(plan.source_place, [plan.target_place(host) for host in wish.replicas])
        there = story.arrived = tuple(host for host in wish.replicas if host not in copied.missing)
        with story.step("prepare", replicas=list(there)):
            prepared = {host: {"target": plan.incoming(host), "memory": wish.memory} for host in there}
            backups = hosts.ask_each(prepared, "prepare", LONG)
        for host in there:
            _check_log(hosts, plan, wish, backups[host])
            story.replicas[host] = _rebuild(hosts, plan, wish, host, story)
        if copied.missing:
            raise CopyFailed(_without(wish, copied, there))
    total = round(time.monotonic() - began, 3)
    return {
        "source": wish.source, "primary": wish.primary, "copy": dict(copied.told), "replicas": story.replicas,
        "seconds": {**story.seconds, "total": total},
    }


def _without(wish: Wish, copied: Copied, done: Sequence[str]) -> str:
    """Whom the backup did not reach, whom it did, and how to go on."""
    lost, several = ",".join(copied.missing), len(copied.missing) > 1
    return (
        f"The backup did not arrive at {', '.join(copied.missing)}: {copied.why} "
        f"{'They are as they were' if several else 'It is as it was'}; {', '.join(done)} "
        f"{'were' if len(done) > 1 else 'was'} rebuilt and proved. salt-run replica.clone {wish.source} {lost} "
        f"confirm={lost}, with the other options as they were, rebuilds what is left."
    )


@contextlib.contextmanager
def _cleared(hosts: Hosts, story: Story) -> Any:
    """What fails or is interrupted leaves no backup that arrived, and tells which replicas were done before. Where this
    one did not arrive, another's may be.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, ReplicaError):
            error.evidence["settled"] = list(story.replicas)
        left = [host for host in story.arrived if host not in story.replicas]
        with contextlib.suppress(ReplicaError):
            hosts.ask_all(left, "discard", STARTING)
        raise


def _check_log(hosts: Hosts, plan: planning.Plan, wish: Wish, backup: Mapping[str, Any]) -> None:
    """While the old server still runs: the primary must have kept its log since the backup."""
    found, against = standing.coordinates(backup, plan.donor_is_primary)
    against += [] if against else standing.against_log(found, hosts.ask(wish.primary, "log"), wish.primary)
    if against:
        raise BackupUnfit(" ".join(against))


def _rebuild(hosts: Hosts, plan: planning.Plan, wish: Wish, host: str, story: Story) -> dict[str, Any]:
    """One host: its old data is only given up when the new is proved."""
    with contextlib.ExitStack() as undo:
        options = {"in_service": wish.in_service, "discard_own_writes": wish.discard_own_writes, "lease": wish.lease}
        undo.callback(_roll_back, hosts, host)
        with story.step("install", host=host):
            try:
                hosts.ask(host, "install", INSTALLING, prepared=plan.incoming(host), confirm=host, **options)
            except HostSilent:
                raise
            except ReplicaError:
                undo.pop_all()  # it refused, or has taken it back
                raise
        proof = _bring_up(hosts, plan, wish, host, story)
        hosts.ask(host, "proved", proof=short(proof))
        settled = hosts.ask(host, "settle")
        undo.pop_all()
    kept = settled["kept"]
    dropped = hosts.ask(host, "drop_old", STARTING, confirm=kept) if kept and not wish.keep_old else None
    return {"proof": proof, "kept": None if dropped else kept, "datadir": settled["datadir"]}


def _bring_up(hosts: Hosts, plan: planning.Plan, wish: Wish, host: str, story: Story) -> dict[str, Any]:
    with story.step("start", host=host):
        hosts.ask(host, "start_isolated", STARTING)
    with story.step("replicate", host=host):
        hosts.ask(host, "point", primary=plan.addresses[host], port=plan.port, donor_is_primary=plan.donor_is_primary)
        hosts.ask(host, "start_replication")
        waited(hosts, host, CATCHING_UP, wish.lease / 2, lag=wish.lag)
    with story.step("prove", host=host), kept(hosts, host, "installation", wish.lease):
        proof = prove(hosts, wish.primary, host, wish.lock_others, wish.timeout)
    if not proof["proved"]:
        raise NotProved(f"{host} is not equal to {wish.primary}: {' '.join(proof['reasons'])}", proof=short(proof))
    return proof


def _roll_back(hosts: Hosts, host: str) -> None:
    """A host that has taken it back by itself has nothing to take back; one that is silent does so within its lease."""
    with contextlib.suppress(ReplicaError):
        hosts.ask(host, "roll_back", STARTING)
