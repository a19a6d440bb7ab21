"""The firewall of a host, whichever it is: what decides about inbound packets, and pinholes through all of it.

A host may be guarded by several chains of several backends at once, and a packet must pass them all. So a chain
knows its backend, and a pinhole is opened in each chain that decides.

To add a backend, write a module with NAME, open(pinhole, lease), renew(pinhole, lease), close(tag) and
openings(), put it into BACKENDS, and give `survey` a way to know its chains. The conformance suite then tells
whether it is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from . import firewalld, iptables, nft
from .commands import Program
from .errors import FirewallUnreadable, HostToolError, UnknownBackend
from .pinholes import PREFIX, Chain, Opening, Pinhole, gone

BACKENDS: dict[str, ModuleType] = {firewalld.NAME: firewalld, iptables.NAME: iptables, nft.NAME: nft}

NONE, MIXED = "none", "mixed"
"""No chain decides; chains of several backends decide."""

OLD_FIREWALLD = "INPUT_ZONES"
"""A chain that firewalld makes where it writes through iptables."""


def backend(name: str) -> ModuleType:
    try:
        return BACKENDS[name]
    except KeyError:
        known = ", ".join(sorted(BACKENDS))
        raise UnknownBackend(f"This version cannot open the firewall {name!r}; it knows {known}.") from None


# What decides.


def survey() -> Program[dict[str, Any]]:
    """What guards this host, as facts.

    What could not be read is told under `trouble` and never taken for "no firewall".
    """
    trouble: list[str] = []
    ruleset = yield from _attempt(nft.read(), trouble)
    saved = yield from _attempt(iptables.read(), trouble)
    zones = yield from _attempt(_zones(ruleset, saved), trouble)
    if ruleset is None and saved is None and zones is None and not trouble:
        trouble.append(
            "Neither nft nor iptables is installed on this host, so nobody can tell whether it has a firewall; "
            "install one of them, or pass firewall=none."
        )
    return facts(ruleset, saved, zones, trouble)


def _zones(ruleset: nft.Ruleset | None, saved: list[iptables.Saved] | None) -> Program[list[Chain] | None]:
    """What decides in firewalld; None where it owns nothing. Only asked where its rules are, or rules are unknown."""
    if any(chain == OLD_FIREWALLD for one in saved or () for _, chain, _ in one.chains):
        raise UnknownBackend(
            "firewalld writes its rules through iptables here (FirewallBackend=iptables), which this version cannot "
            "open; let it use nftables, or open the port yourself and pass firewall=none."
        )
    if ruleset and not _of_firewalld(ruleset):
        return None
    runs = yield from firewalld.runs()
    if runs:
        return (yield from firewalld.deciding())
    if ruleset:
        raise FirewallUnreadable(
            "The rules of firewalld are on this host, but it does not answer on the system's bus: start it, or flush "
            "its rules, or open the port yourself and pass firewall=none."
        )
    return None


def _of_firewalld(ruleset: nft.Ruleset) -> bool:
    return any(chain["table"] == firewalld.TABLE for chain in ruleset.chains)


def _attempt(program: Program, trouble: list[str]) -> Program:
    try:
        return (yield from program)
    except HostToolError as error:
        trouble.append(error.text)
        return None


def facts(
    ruleset: nft.Ruleset | None,
    saved: list[iptables.Saved] | None,
    zones: list[Chain] | None,
    trouble: Iterable[str] = (),
) -> dict[str, Any]:
    """The facts about a host with these rules; None stands for a tool that is not there or said nothing."""
    left = _left_to_iptables(ruleset, saved or [])
    ruleset, saved = ruleset or nft.Ruleset(), saved or []
    chains = [*(zones or []), *_once(left, _by_hand(nft.deciding(ruleset)), *map(iptables.deciding, saved))]
    outbound = _once(left, nft.outbound(ruleset), *map(iptables.outbound, saved))
    return {
        "backend": _name({chain.backend for chain in chains}, NONE),
        "variant": _name({chain.variant for chain in chains if chain.variant}, ""),
        "drops": bool(chains),
        "chains": [chain.as_dict() for chain in chains],
        "outbound": [chain.as_dict() for chain in outbound],
        "trouble": [*trouble, *nft.out_of_reach(ruleset)],
    }


def _name(found: set[str], nothing: str) -> str:
    return MIXED if len(found) > 1 else next(iter(found), nothing)


def _by_hand(chains: list[Chain]) -> list[Chain]:
    """Those that firewalld did not make: its own say nothing that its zones do not."""
    return [chain for chain in chains if chain.table != firewalld.TABLE]


def _left_to_iptables(ruleset: nft.Ruleset | None, saved: list[iptables.Saved]) -> set[tuple[str, str]]:
    """The (family, table) of nf_tables that iptables manages. Without nft there is nobody else to see them."""
    listed = {(one.family, table) for one in saved if one.variant == "nft" for table, _, _ in one.chains}
    return listed if ruleset is None else listed & nft.by_iptables(ruleset)


def _once(left: set[tuple[str, str]], *lists: list[Chain]) -> list[Chain]:
    """Every chain once: nft lists the tables of iptables-nft too, and iptables-nft those of nft that it grasps."""

    def is_seen_by_its_owner(chain: Chain) -> bool:
        shared = chain.variant != "legacy"
        return not shared or ((chain.family, chain.table) in left) == (chain.backend == iptables.NAME)

    return [chain for chains in lists for chain in chains if is_seen_by_its_owner(chain)]


def check_openable(found: Mapping[str, Any]) -> None:
    """FirewallUnreadable, with every reason, if what a survey found is not all there is."""
    if found["trouble"]:
        raise FirewallUnreadable(" ".join(found["trouble"]))


# Pinholes through all of it.


def open(pinhole: Pinhole, lease: float) -> Program[None]:
    """Open in every chain of the pinhole for one lease.

    The caller has written down how to undo it, and does so on failure.
    """
    for each, part in _parts(pinhole):
        yield from each.open(part, lease)


def renew(pinhole: Pinhole, lease: float) -> Program[None]:
    """Let the lease begin anew; PinholeGone when something took the pinhole away, or decides now beside it."""
    for each, part in _parts(pinhole):
        yield from each.renew(part, lease)
    found = yield from survey()
    strange = [str(chain) for chain in _chains(found["chains"]) if not _is_among(chain, pinhole.chains)]
    if strange and not found["trouble"]:
        raise gone(pinhole, [f"a packet must pass {each} now" for each in strange])


def _is_among(chain: Chain, chains: tuple[Chain, ...]) -> bool:
    return any(replace(each, policy=chain.policy) == chain for each in chains)


def reopen(pinhole: Pinhole, lease: float) -> Program[Pinhole]:
    """Open again after somebody changed the firewall, in the chains that decide now.

    Returns the pinhole as it is open.
    """
    found = yield from survey()
    check_openable(found)
    now = with_chains(pinhole, found["chains"])
    yield from close(pinhole.tag)
    yield from open(now, lease)
    return now


def close(tag: str) -> Program[None]:
    """Remove whatever the tag opened, in every backend; trouble with one does not keep the others from it."""
    trouble: list[HostToolError] = []
    for each in BACKENDS.values():
        try:
            yield from each.close(tag)
        except HostToolError as error:
            trouble.append(error)
    if trouble:
        raise trouble[0]


def openings(prefix: str = PREFIX) -> Program[list[Opening]]:
    """Every pinhole of ours whose tag begins with the prefix."""
    found: list[Opening] = []
    for each in BACKENDS.values():
        found += yield from each.openings()
    return [opening for opening in found if opening.tag.startswith(prefix)]


def with_chains(pinhole: Pinhole, chains: Iterable[Mapping[str, Any]]) -> Pinhole:
    """The pinhole through the chains of a survey or a spec."""
    return replace(pinhole, chains=_chains(chains))


def _chains(known: Iterable[Mapping[str, Any]]) -> tuple[Chain, ...]:
    return tuple(Chain.from_dict(chain) for chain in known)


def _parts(pinhole: Pinhole) -> list[tuple[ModuleType, Pinhole]]:
    """Each backend that has to open something, with its part of the pinhole."""
    names = dict.fromkeys(chain.backend for chain in pinhole.chains)
    return [
        (backend(name), replace(pinhole, chains=tuple(chain for chain in pinhole.chains if chain.backend == name)))
        for name in names
    ]
