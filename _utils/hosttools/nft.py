"""Pinholes in nftables: a rule at the top of each chain that decides, and a set whose elements time out.

The kernel takes an element out of its set when nobody renews it, so a pinhole closes without any process of
ours. Orders are JSON in one transaction: either all of them hold or none, and no name of a chain is ever parsed
as a word of the language.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .commands import ANY, MISSING, Command, Program, words
from .errors import FirewallUnreadable, PinholeNotClosed, PinholeNotOpen, UnreadableOutput
from .pinholes import FAMILIES, Chain, Opening, Pinhole, check_lease, gone, is_tag

NAME = "nft"

LIST = Command(("nft", "-j", "-a", "-t", "list", "ruleset"), ok=ANY)

TYPES = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}
OPENABLE = ("ip", "ip6", "inet")
IPTABLES_CHAINS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
REFUSING_TARGETS = ("DROP", "REJECT", "TARPIT")
ROUNDS = 3


# What the kernel holds.


@dataclass(frozen=True)
class Ruleset:
    """The nftables of a host: chains, rules and sets as nft lists them."""

    chains: tuple[dict, ...] = ()
    rules: tuple[dict, ...] = ()
    sets: tuple[dict, ...] = ()

    def base_chains(self) -> Iterator[dict]:
        return (chain for chain in self.chains if "hook" in chain)

    def rules_of(self, family: str, table: str, chain: str) -> Iterator[dict]:
        place = (family, table, chain)
        return (rule for rule in self.rules if (rule["family"], rule["table"], rule["chain"]) == place)

    def tagged(self, tag: str) -> Iterator[dict]:
        return (rule for rule in self.rules if rule.get("comment") == tag)


def parse(stdout: bytes) -> Ruleset:
    """A listing of nft -j."""
    try:
        items = json.loads(stdout)["nftables"]
    except (ValueError, KeyError, TypeError):
        raise UnreadableOutput(f"nft -j printed what is not its JSON: {stdout[:200]!r}") from None
    return Ruleset(_of(items, "chain"), _of(items, "rule"), _of(items, "set") + _of(items, "map"))


def _of(items: Iterable[dict], kind: str) -> tuple[dict, ...]:
    return tuple(item[kind] for item in items if kind in item)


def read() -> Program[Ruleset | None]:
    """The ruleset, or None where nft is not installed."""
    result = yield LIST
    if result.status == MISSING:
        return None
    if result.status != 0:
        raise FirewallUnreadable(f"nft cannot list the firewall of this host: {words(result)}")
    return parse(result.stdout)


# Which chains decide.


def deciding(ruleset: Ruleset) -> list[Chain]:
    """The chains that may refuse a tcp connection to this host and in which it can be admitted."""
    return [
        Chain(NAME, "", chain["family"], chain["table"], chain["name"], chain.get("policy", "accept"))
        for chain in ruleset.base_chains()
        if chain["family"] in OPENABLE and _decides(ruleset, chain)
    ]


def _decides(ruleset: Ruleset, chain: dict) -> bool:
    if chain["hook"] == "input":
        return _refuses(chain) or _may_refuse(ruleset, chain, set())
    return chain["hook"] == "prerouting" and _refuses(chain)


def _refuses(chain: dict) -> bool:
    return chain.get("policy") == "drop"


def _may_refuse(ruleset: Ruleset, chain: dict, seen: set[str]) -> bool:
    """Whether a rule here, or in a chain it jumps to, drops or rejects anything."""
    seen.add(chain["name"])
    found = list(_verdicts(ruleset.rules_of(chain["family"], chain["table"], chain["name"])))
    jumps = {target for verdict, target in found if verdict == "jump"} - seen
    return any(verdict == "refuse" for verdict, _ in found) or any(
        _may_refuse(ruleset, {**chain, "name": target}, seen) for target in jumps if target not in seen
    )


def _verdicts(rules: Iterable[dict]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        for key, value in _pairs(rule.get("expr", ())):
            if key in ("jump", "goto"):
                yield "jump", value["target"]
            elif _is_refusal(key, value):
                yield "refuse", ""


def _is_refusal(key: str, value: Any) -> bool:
    """What cannot be seen into (a verdict map by name, an extension that nft does not know) counts as a refusal."""
    if key == "vmap":
        return isinstance(value.get("data"), str)
    if key == "xt":
        return value is None or (value.get("type") == "target" and value.get("name") in REFUSING_TARGETS)
    return key in ("drop", "reject")


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(value, dict):
        yield from value.items()
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for below in value:
        yield from _pairs(below)


def outbound(ruleset: Ruleset) -> list[Chain]:
    """The chains that refuse by policy what this host sends."""
    return [
        Chain(NAME, "", chain["family"], chain["table"], chain["name"], "drop")
        for chain in ruleset.base_chains()
        if chain["hook"] in ("output", "postrouting") and _refuses(chain)
    ]


def out_of_reach(ruleset: Ruleset) -> list[str]:
    """Sentences on chains that drop by policy where no pinhole of ours can be opened."""
    return [
        f"The chain {chain['family']} {chain['table']} {chain['name']} drops by policy at the hook {chain['hook']}, "
        "where no pinhole can be opened; admit the transfer there yourself and pass firewall=none."
        for chain in ruleset.base_chains()
        if _refuses(chain)
        and (chain["hook"] == "ingress" or (chain["family"] == "bridge" and chain["hook"] == "input"))
    ]


def by_iptables(ruleset: Ruleset) -> set[tuple[str, str]]:
    """The (family, table) that iptables-nft made and must be left to it.

    It names its chains in capitals, makes no sets and puts a counter into every rule. Nothing else tells them
    apart, and a rule with a set in such a table would be printed by iptables-save without its condition.
    """
    tables = {(chain["family"], chain["table"]) for chain in ruleset.base_chains() if chain["family"] in FAMILIES}
    return {table for table in tables if _made_by_iptables(ruleset, *table)}


def _made_by_iptables(ruleset: Ruleset, *table: str) -> bool:
    def here(item):
        return (item["family"], item["table"]) == table

    return (
        all(chain["name"] in IPTABLES_CHAINS for chain in ruleset.base_chains() if here(chain))
        and not any(here(held) for held in ruleset.sets)
        and all(any("counter" in part for part in rule.get("expr", ())) for rule in ruleset.rules if here(rule))
    )


# Orders.


def open(pinhole: Pinhole, lease: float) -> Program[None]:
    """Open for one lease, in place of what the same tag opened before."""
    lease = check_lease(lease)
    stale = yield from _rules_of(pinhole)
    yield transaction(
        [deletion(rule) for rule in stale]
        + [order for place in _places(pinhole) for order in _fill(pinhole, lease, *place)]
        + [_insert(pinhole, chain, family) for chain in pinhole.chains for family in pinhole.families(chain)]
    )
    missing = yield from _missing(pinhole)
    if missing:
        raise PinholeNotOpen(f"nft took the pinhole for port {pinhole.port}, but it is not there: {'; '.join(missing)}")


def renew(pinhole: Pinhole, lease: float) -> Program[None]:
    """Let the lease begin anew. What somebody took away is not put back but reported as PinholeGone."""
    lease = check_lease(lease)
    orders = [order for place in _places(pinhole) for order in _refill(pinhole, lease, *place)]
    answer = yield transaction(orders, ok=ANY)
    missing = [words(answer)] if answer.status else (yield from _missing(pinhole))
    if missing:
        raise gone(pinhole, missing)


def close(tag: str) -> Program[None]:
    """Remove what the tag opened, wherever it is. Nothing there is success; so is a ruleset that others flushed."""
    for _ in range(ROUNDS):
        ruleset = yield from read()
        orders = _removal(ruleset, tag) if ruleset else []
        if not orders:
            return
        answer = yield transaction(orders, ok=ANY)
    raise PinholeNotClosed(f"nft still lists the pinhole {tag}: {words(answer)}")


def openings() -> Program[list[Opening]]:
    """Every pinhole that nftables shows."""
    ruleset = yield from read()
    found: list[Opening] = []
    for rule in ruleset.rules if ruleset else ():
        for kind in _kinds(rule):
            found += yield from _openings(rule, kind)
    return found


def _kinds(rule: dict) -> list[str]:
    """The address families that a rule of ours admits; none for a rule of others."""
    tag = rule.get("comment", "")
    asked = [part["match"]["right"] for part in rule.get("expr", ()) if "match" in part]
    return [kind for kind in FAMILIES if is_tag(tag) and f"@{_set_name(tag, kind)}" in asked]


def _openings(rule: dict, kind: str) -> Program[list[Opening]]:
    tag = rule["comment"]
    chain = Chain(NAME, "", rule["family"], rule["table"], rule["chain"])
    elements = yield from _elements(chain.family, chain.table, _set_name(tag, kind))
    rows = [Opening(tag, chain, port, source, left) for source, port, left in elements or ()]
    return rows or [Opening(tag, chain, None, None, 0)]


# Orders as JSON.


def _set_name(tag: str, family: str) -> str:
    """Slashes cannot stand in a tag, so no two tags share a set."""
    return f"{tag.replace(':', '/')}/{family}"


def _places(pinhole: Pinhole) -> list[tuple[str, str, str]]:
    """(family, table, address family) of each set the pinhole needs."""
    every = [(chain.family, chain.table, family) for chain in pinhole.chains for family in pinhole.families(chain)]
    return list(dict.fromkeys(every))


def _fill(pinhole: Pinhole, lease: int, family: str, table: str, kind: str) -> list[dict]:
    held = {"family": family, "table": table, "name": _set_name(pinhole.tag, kind)}
    return [
        {"add": {"set": {**held, "type": [TYPES[kind], "inet_service"], "flags": ["timeout"]}}},
        {"flush": {"set": held}},
        {"add": {"element": {**held, "elem": _timed(pinhole, kind, lease)}}},
    ]


def _refill(pinhole: Pinhole, lease: int, family: str, table: str, kind: str) -> list[dict]:
    """Adding what is there changes no timeout and deleting what is not there fails: hence add, delete, add."""
    held = {"family": family, "table": table, "name": _set_name(pinhole.tag, kind)}
    add = {"add": {"element": {**held, "elem": _timed(pinhole, kind, lease)}}}
    return [add, {"delete": {"element": {**held, "elem": _plain(pinhole, kind)}}}, add]


def _plain(pinhole: Pinhole, kind: str) -> list[dict]:
    return [{"concat": [source, pinhole.port]} for source in pinhole.sources_of(kind)]


def _timed(pinhole: Pinhole, kind: str, lease: int) -> list[dict]:
    return [{"elem": {"val": value, "timeout": lease}} for value in _plain(pinhole, kind)]


def _insert(pinhole: Pinhole, chain: Chain, kind: str) -> dict:
    source = {"payload": {"protocol": kind, "field": "saddr"}}
    port = {"payload": {"protocol": pinhole.protocol, "field": "dport"}}
    match = {"op": "==", "left": {"concat": [source, port]}, "right": f"@{_set_name(pinhole.tag, kind)}"}
    place = {"family": chain.family, "table": chain.table, "chain": chain.chain}
    return {"insert": {"rule": {**place, "comment": pinhole.tag, "expr": [{"match": match}, {"accept": None}]}}}


def deletion(rule: dict) -> dict:
    return {"delete": {"rule": {name: rule[name] for name in ("family", "table", "chain", "handle")}}}


def _removal(ruleset: Ruleset, tag: str) -> list[dict]:
    names = {_set_name(tag, family) for family in FAMILIES}
    return [deletion(rule) for rule in ruleset.tagged(tag)] + [
        {"delete": {"set": {name: held[name] for name in ("family", "table", "name")}}}
        for held in ruleset.sets
        if held["name"] in names
    ]


def transaction(orders: list[dict], ok: frozenset[int] | None = frozenset({0})) -> Command:
    return Command(("nft", "-j", "-f", "-"), json.dumps({"nftables": orders}).encode(), ok)


# Reading back.


def _rules_of(pinhole: Pinhole) -> Program[list[dict]]:
    """The rules with the pinhole's tag in its chains; a chain that is gone holds none."""
    found: list[dict] = []
    for chain in pinhole.chains:
        result = yield Command(("nft", "-j", "-a", "list", "chain", chain.family, chain.table, chain.chain), ok=ANY)
        if result.status == 0:
            found += parse(result.stdout).tagged(pinhole.tag)
    return found


def _elements(family: str, table: str, name: str) -> Program[list[tuple[str, int, float | None]] | None]:
    """(source, port, remaining seconds) of each element of a set of ours, or None when the set is gone."""
    result = yield Command(("nft", "-j", "list", "set", family, table, name), ok=ANY)
    if result.status != 0:
        return None
    (held,) = parse(result.stdout).sets
    listed = [element["elem"] for element in held.get("elem", ())]
    return [(*element["val"]["concat"], element.get("expires")) for element in listed]


def _missing(pinhole: Pinhole) -> Program[list[str]]:
    """What of the pinhole the kernel does not show."""
    rules = yield from _rules_of(pinhole)
    missing = _missing_rules(pinhole, rules)
    for place in _places(pinhole):
        missing += yield from _missing_elements(pinhole, *place)
    return missing


def _missing_rules(pinhole: Pinhole, rules: list[dict]) -> list[str]:
    there = {(rule["family"], rule["table"], rule["chain"], kind) for rule in rules for kind in _kinds(rule)}
    return [
        f"no rule in the chain {chain}"
        for chain in pinhole.chains
        for kind in pinhole.families(chain)
        if (chain.family, chain.table, chain.chain, kind) not in there
    ]


def _missing_elements(pinhole: Pinhole, family: str, table: str, kind: str) -> Program[list[str]]:
    elements = yield from _elements(family, table, _set_name(pinhole.tag, kind))
    admitted = {(source, port) for source, port, _ in elements or ()}
    return [
        f"{source} is not admitted in the table {family} {table}"
        for source in pinhole.sources_of(kind)
        if (source, pinhole.port) not in admitted
    ]
