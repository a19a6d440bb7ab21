"""Whether a replica is broken, and whether it may be rebuilt now without anybody's hand: facts in, a decision out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .channels import against_replicating
from .donor import against_donor
from .errors import ReplicaRefused
from .following import against_other_heads, follows, unknown_followers
from .positions import first_made_here
from .settings import CLUSTERS, REPAIR
from .target import ON, against_replacing
from .unit import is_changing

DAY = 86400
HEALTHY, BROKEN, UNSETTLED, FORBIDDEN = "healthy", "broken", "unsettled", "forbidden"
BEGUN, REPAIRED = "begun", "repaired"
LATE = 600.0
"""A replica that is farther behind than so many seconds is a worse donor than the primary."""

DEFAULTS = REPAIR.table.defaults


@dataclass(frozen=True)
class Cluster:
    """Servers that belong together, as the master's configuration names them."""

    name: str
    primary: str
    replicas: tuple[str, ...]
    donor: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        return (self.primary, *self.replicas)


@dataclass(frozen=True)
class Rules:
    """What the master's configuration permits."""

    clusters: tuple[Cluster, ...] = ()
    cooldown: int = DEFAULTS["cooldown"]
    daily: int = DEFAULTS["daily"]
    approve: bool = DEFAULTS["approve"]
    state: str = DEFAULTS["state"]

    def cluster_of(self, host: str) -> Cluster | None:
        return next((cluster for cluster in self.clusters if host in cluster.hosts), None)


def rules(found: Any) -> Rules:
    """The rules in a configuration; ReplicaRefused names everything that is wrong with it."""
    known = found or {}
    clusters = _sound_clusters(known)
    reasons = [*REPAIR.against(known), *_in_several(clusters)]
    if reasons:
        raise ReplicaRefused(reasons)
    return Rules(**{**known, "clusters": clusters})


def _sound_clusters(known: Any) -> tuple[Cluster, ...]:
    found = known.get("clusters") if isinstance(known, Mapping) else None
    named = found.items() if isinstance(found, Mapping) else ()
    place = REPAIR.place.below("clusters")
    return tuple(_cluster(name, parts) for name, parts in named if not CLUSTERS.against_one(place, name, parts))


def _cluster(name: str, parts: Mapping[str, Any]) -> Cluster:
    return Cluster(name, parts["primary"], tuple(parts["replicas"]), parts.get("donor", ""))


def _in_several(clusters: Sequence[Cluster]) -> list[str]:
    """Who is the primary of one cluster and a replica of another would be rebuilt with its replicas behind it."""
    found: dict[str, list[str]] = {}
    for cluster in clusters:
        for host in dict.fromkeys(cluster.hosts):
            found.setdefault(host, []).append(cluster.name)
    return [
        f"replica_repair: {host} is in the clusters {' and '.join(names)}; a host belongs to one, a replica of a "
        "replica to that of its primary."
        for host, names in found.items()
        if len(names) > 1
    ]


@dataclass(frozen=True)
class Decision:
    """What is to be done about one host, and why."""

    verdict: str
    reasons: tuple[str, ...] = ()
    donor: str = ""
    down: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"verdict": self.verdict, "reasons": list(self.reasons), "donor": self.donor}


@dataclass(frozen=True)
class Attempt:
    """One automatic repair that was begun, as the ledger keeps it."""

    host: str
    cluster: str
    at: float
    result: str = BEGUN
    down: bool = False
    """Whether its server was down before."""


@dataclass(frozen=True)
class Ledger:
    """What was begun by itself, and what waits for a person."""

    attempts: tuple[Attempt, ...] = ()
    proposals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def left_behind(self, host: str) -> bool:
        """Whether a repair of this host was begun and nobody was there to end it, and none went well since."""
        own = [each.result for each in self.attempts if each.host == host]
        last = max((number for number, result in enumerate(own) if result == REPAIRED), default=-1)
        return BEGUN in own[last + 1 :]

    def left_down(self, host: str) -> bool:
        """Whether the last repair of this host found it down, and did not end well."""
        last = next((each for each in reversed(self.attempts) if each.host == host), None)
        return last is not None and last.down and last.result != REPAIRED


def decide(
    cluster: Cluster | None, host: str, told: Mapping[str, Any], silent: Mapping[str, str], ledger: Ledger,
    rules_now: Rules, now: float,
) -> Decision:
    """What to do about a host that somebody said something of; `told` and `silent` are what jobs found out just now."""
    if cluster is None:
        return Decision(FORBIDDEN, (f"{host} belongs to no cluster in replica_repair of the master's configuration.",))
    unheard = [f"{name} cannot be asked: {silent[name]}" for name in (host, cluster.primary) if name in silent]
    if unheard:
        return Decision(UNSETTLED, tuple(dict.fromkeys(unheard)))
    if is_changing(told[host]):
        unit = told[host]["unit"]
        return Decision(UNSETTLED, (f"{unit['name']} of {host} is {unit['active']}, but nobody answers there yet.",))
    broken = troubles(told[host], host) or _left_down(told[host], host, ledger)
    if not broken:
        return _of_sound(cluster, host, told[host])
    donor, no_donor = choose_donor(cluster, host, told)
    against = [
        *_against_host(cluster, host, told), *_against_time(cluster, host, ledger, rules_now, now), *no_donor
    ]
    if against:
        return Decision(FORBIDDEN, (*broken, *against))
    unknown = [] if _can_tell(told[host]) else unknown_followers(cluster.hosts, host, told, silent)
    if unknown:
        return Decision(UNSETTLED, (*broken, *unknown))
    return Decision(BROKEN, tuple(broken), donor, down=not told[host]["running"])


def _can_tell(told: Mapping[str, Any]) -> bool:
    """Whether a server knows itself who follows it."""
    return bool(told["running"]) and not was_emptied(told)


def _of_sound(cluster: Cluster, host: str, told: Mapping[str, Any]) -> Decision:
    """Of one that shows no error. Somebody may have made another primary of it, or its data anew."""
    if host in cluster.replicas and is_on_its_own(told):
        return Decision(FORBIDDEN, (f"{host} runs and follows nobody, as no replica does: a person has to look.",))
    return Decision(HEALTHY, (f"{host} needs no repair: what was said of it is not so, or not any more.",))


def troubles(told: Mapping[str, Any], host: str) -> list[str]:
    """What is broken about a replica. What a person stopped is not broken."""
    if not told["datadir_exists"]:
        return [f"The data directory {told['datadir']} of {host} is gone."]
    if was_emptied(told):
        return [f"{host} runs on empty data and follows nobody, though a clone was settled there: its data was lost."]
    if not told["running"]:
        unit = told["unit"]
        return [f"{unit['name']} of {host} has failed."] if unit["active"] == "failed" else []
    return [
        f"{host} stopped with error {number}: {each[f'{thread}_error']}"
        for each in told["channels"]
        for thread in ("sql", "io")
        if (number := each[f"{thread}_errno"]) and each[thread] == "No"
    ]


def _left_down(told: Mapping[str, Any], host: str, ledger: Ledger) -> list[str]:
    """A crash that a repair could not mend: what was failed is only inactive since that was taken back."""
    if told["running"] or not ledger.left_down(host):
        return []
    return [f"{host} is down as it was before its last repair, which did not end well."]


def is_on_its_own(told: Mapping[str, Any]) -> bool:
    """Whether a server runs without any primary that it could follow, and nobody is installing it just now."""
    return bool(told["running"]) and not told["channels"] and not told.get("installation")


def was_emptied(told: Mapping[str, Any]) -> bool:
    """Whether a clone that was settled here is gone, and nothing was done with the new, empty data since: some units
    make a data directory when there is none.
    """
    return bool(told.get("settled")) and is_on_its_own(told) and not _holds_anything(told)


def _holds_anything(told: Mapping[str, Any]) -> bool:
    """Whether a server that runs has a schema, or has ever written anything of its own: a log that lies elsewhere
    outlives the data, with what came from the primary.
    """
    return bool(told["schemas"] or first_made_here(told["variables"]))


def _against_host(cluster: Cluster, host: str, told: Mapping[str, Any]) -> list[str]:
    """Never a primary, never one that somebody follows, never what a person would have to permit; clients of a broken
    one do not count.
    """
    against = against_replacing(told[host], host, confirm=host, in_service=True)
    if host == cluster.primary:
        against.append(f"{host} is the primary of {cluster.name}.")
    if told[host].get("installation"):
        against.append(f"{host} has an installation under way, which ends or is taken back.")
    followers = [other for other in cluster.hosts if other != host and follows(told.get(other), told[host], host)]
    if followers:
        against.append(f"{', '.join(followers)} follow {host}.")
    return [
        *against,
        *_against_primary(cluster.primary, told[cluster.primary]),
        *against_other_heads(cluster.primary, cluster.replicas, host, told, f"the primary of {cluster.name}"),
    ]


def _against_primary(primary: str, told: Mapping[str, Any]) -> list[str]:
    """A replica is only rebuilt below a primary that is there and is one."""
    if not told["running"]:
        return [f"The primary {primary} does not run."]
    if told["channels"]:
        return [f"{primary} follows somebody: it is not the primary any more."]
    if told["variables"].get("read_only") in ON:
        return [f"{primary} is read-only: it is not the primary, or somebody is about to make another one of it."]
    return []


def _against_time(cluster: Cluster, host: str, ledger: Ledger, rules_now: Rules, now: float) -> list[str]:
    against = []
    own = [each.at for each in ledger.attempts if each.host == host]
    if own and now - max(own) < rules_now.cooldown:
        left = int(rules_now.cooldown - (now - max(own)))
        against.append(f"{host} was repaired {int(now - max(own))} s ago; the cooldown goes on for {left} s.")
    today = [each for each in ledger.attempts if each.cluster == cluster.name and now - each.at < DAY]
    if len(today) >= rules_now.daily:
        against.append(f"{cluster.name} had {len(today)} automatic repairs within a day; {rules_now.daily} may be.")
    return against


def choose_donor(cluster: Cluster, host: str, told: Mapping[str, Any]) -> tuple[str, list[str]]:
    """A healthy replica with the least lag, else the primary; the configured one if there is one."""
    fit = {
        other: told[other]
        for other in cluster.hosts
        if other != host and other in told and not _against_donor(told[other], other, cluster.primary)
    }
    if cluster.donor:
        missing = [] if cluster.donor in fit else [f"The donor {cluster.donor} is not fit to be cloned now."]
        return cluster.donor, missing
    candidates: Sequence[str] = sorted(fit, key=lambda other: _by_choice(other, fit[other], cluster.primary))
    return (candidates[0], []) if candidates else ("", [f"{cluster.name} has no server that could be cloned now."])


def _against_donor(told: Mapping[str, Any], other: str, primary: str) -> list[str]:
    """A replica whose threads stand has old data, whatever the reason."""
    against = against_donor(told, other)
    return against if against or other == primary else against_replicating(told["channels"])


def _by_choice(other: str, told: Mapping[str, Any], primary: str) -> tuple[bool, bool, float, str]:
    lag = _lag(told)
    return lag > LATE, other == primary, lag, other


def _lag(told: Mapping[str, Any]) -> float:
    lags = [each["lag"] for each in told["channels"]]
    return max((float("inf") if lag is None else lag for lag in lags), default=0.0)


def proposal_id(host: str, reasons: Sequence[str]) -> str:
    """The name of a proposal: the same trouble of the same host is proposed once, whatever else its words tell, such as
    places in a log. A letter first, or Salt's command line takes some of them for numbers.
    """
    kinds = [reason.partition(": ")[0] for reason in reasons]
    return f"r{hashlib.sha256(chr(10).join([host, *kinds]).encode()).hexdigest()[:11]}"
