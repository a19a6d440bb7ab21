"""Pinholes where firewalld owns the firewall: rich rules with a timeout, in every zone that may take the packet.

They are asked for on its bus, at runtime only, so that its own picture of the host stays true. A rich rule has no
comment; ours are known by the prefix of the line they log for a connection, which is their exact tag. A timeout cannot
be renewed, so two rules alternate that differ in priority alone: the other one is added before the first is removed.
The timers live in the daemon: when firewalld itself dies, nothing closes the pinhole but `close`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from . import nft
from .commands import ANY, Command, Program, words
from .errors import BadPinhole, PinholeNotClosed, PinholeNotOpen, UnreadableOutput
from .pinholes import Chain, Opening, Pinhole, check_lease, check_tag, family_of, gone, is_tag, plain_address

NAME = "firewalld"

BUS = "org.fedoraproject.FirewallD1"
PLACE = "/org/fedoraproject/FirewallD1"
CALL = ("busctl", "--auto-start=no", "--timeout=10", "call")
RUNS = Command(
    (*CALL, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s", BUS), ok=ANY
)
SAVED_IN = "/etc/firewalld"

TABLE = "firewalld"
ZONE_CHAIN = ("filter_IN_", "_pre")
FIRST, SECOND = -32768, -32767
"""The priorities of the two rules: before whatever else a zone says."""
FAMILIES = {"ip": "ipv4", "ip6": "ipv6"}


@dataclass(frozen=True)
class Rule:
    """A rich rule of ours in a zone; `text` is how firewalld wrote it."""

    zone: str
    text: str
    tag: str
    source: str
    port: int
    priority: int

    @property
    def admits(self) -> tuple[str, int]:
        return self.source, self.port


# What firewalld knows.


def _ask(interface: str, method: str, *args: str, place: str = PLACE, ok: frozenset[int] | None = None) -> Command:
    """A call of firewalld's; an argument list begins with its signature."""
    name = f"{BUS}.{interface}" if interface else BUS
    return Command((*CALL, BUS, place, name, method, *args), ok=ok)


def _said(result: Any) -> list[str]:
    """The words of an answer after its signature: strings as they are, counts and truths as busctl prints them."""
    try:
        return shlex.split(result.stdout.decode("utf-8", "backslashreplace"))[1:]
    except ValueError:
        raise UnreadableOutput(f"busctl printed what cannot be read: {result.stdout[:200]!r}") from None


def runs() -> Program[bool]:
    """Whether firewalld runs here and can be asked."""
    answer = yield RUNS
    return answer.status == 0 and _said(answer) == ["true"]


def zones() -> Program[list[str]]:
    """The zones that may take a packet: those with interfaces or sources, and the default for all others."""
    default = yield _ask("", "getDefaultZone", ok=frozenset({0}))
    active = yield _ask("zone", "getActiveZones", ok=frozenset({0}))
    return sorted({*_said(default), *_keys(_said(active))})


def _keys(said: list[str]) -> Iterator[str]:
    """The keys of an a{sa{sas}}: COUNT, then KEY and, each with its own count, what belongs to it."""
    rest = iter(said)
    for _ in range(int(next(rest))):
        yield next(rest)
        for _ in range(int(next(rest))):
            next(rest)
            for _ in range(int(next(rest))):
                next(rest)


def deciding() -> Program[list[Chain]]:
    """The zones, as chains that decide."""
    found = yield from zones()
    return [_chain(zone) for zone in found]


def _chain(zone: str) -> Chain:
    return Chain(NAME, "", "inet", "zone", zone, "drop")


def _rules(zones: Iterable[str]) -> Program[list[Rule]]:
    """Our rich rules in these zones at runtime; a zone that is gone holds none."""
    found: list[Rule] = []
    for zone in zones:
        answer = yield _ask("zone", "getRichRules", "s", zone)
        found += _ours(zone, answer)
    return found


def _ours(zone: str, answer: Any) -> list[Rule]:
    if answer.status != 0:
        return []
    return [rule for text in _said(answer)[1:] if (rule := parse(zone, text))]


def parse(zone: str, text: str) -> Rule | None:
    """A rich rule if it is one of ours."""
    try:
        parts = dict(word.split("=", 1) for word in shlex.split(text) if "=" in word)
        source, port, priority = plain_address(parts["address"]), int(parts["port"]), int(parts.get("priority", 0))
    except (ValueError, KeyError, BadPinhole):
        return None
    return Rule(zone, text, parts["prefix"], source, port, priority) if is_tag(parts.get("prefix")) else None


# Orders.


def open(pinhole: Pinhole, lease: float) -> Program[None]:
    """Open for one lease, in place of what the same tag opened before."""
    lease = check_lease(lease)
    yield from close(pinhole.tag)
    for zone, source in _places(pinhole):
        answer = yield _add(zone, rich_rule(pinhole, source, FIRST), lease)
        if answer.status != 0:
            raise PinholeNotOpen(f"firewalld did not open port {pinhole.port} in its zone {zone}: {words(answer)}")
    missing = yield from _missing(pinhole)
    if missing:
        raise PinholeNotOpen(f"firewalld took the pinhole for port {pinhole.port}, but: {'; '.join(missing)}")


def renew(pinhole: Pinhole, lease: float) -> Program[None]:
    """Let the lease begin anew. What somebody took away is not put back but reported as PinholeGone."""
    lease = check_lease(lease)
    there = yield from _there(pinhole)
    missing = [_absence(*place) for place in _places(pinhole) if not there[place]]
    for zone, source in [] if missing else _places(pinhole):
        missing += yield from _alternate(pinhole, zone, source, there[zone, source], lease)
    if missing:
        raise gone(pinhole, missing)


def _alternate(pinhole: Pinhole, zone: str, source: str, there: list[Rule], lease: int) -> Program[list[str]]:
    """Put the rule that is not there beside the one that is, then remove that; returns what went wrong."""
    old = there[0]
    for surplus in there[1:]:
        yield _remove(surplus)
    fresh = rich_rule(pinhole, source, SECOND if old.priority == FIRST else FIRST)
    answer = yield _add(zone, fresh, lease)
    yield _remove(old)
    return [f"the zone {zone}: {words(answer)}"] if answer.status else []


def close(tag: str) -> Program[None]:
    """Remove what the tag opened, wherever it is; what somebody saved of it too. Nothing there is success."""
    check_tag(tag)
    runs_here = yield from runs()
    if runs_here:
        yield from _close_saved(tag)
        rules = yield from _all_rules()
        for rule in rules:
            if rule.tag == tag:
                yield _remove(rule)
    yield from _close_in_kernel(tag, runs_here)


def _close_in_kernel(tag: str, runs_here: bool) -> Program[None]:
    """See that the kernel has it no more. What a dead firewalld left there is removed by hand."""
    ruleset = yield from nft.read()
    left = [rule for pair in _pairs(ruleset, tag) for rule in pair]
    if left and runs_here:
        raise PinholeNotClosed(f"firewalld was told to remove the pinhole {tag}, and it is still in the kernel.")
    if left:
        yield nft.transaction([nft.deletion(rule) for rule in left])


def openings() -> Program[list[Opening]]:
    """Every pinhole of ours in firewalld's zones: as the kernel shows them, else as firewalld says."""
    ruleset = yield from nft.read()
    if ruleset is None:
        rules = yield from _all_rules()
        return list(dict.fromkeys(_opening(rule.tag, rule.zone, *rule.admits) for rule in rules))
    shown = [_shown(first) for first, _ in _pairs(ruleset)]
    return list(dict.fromkeys(shown))


def _all_rules() -> Program[list[Rule]]:
    answer = yield _ask("zone", "getZones")
    rules = yield from _rules(_said(answer)[1:] if answer.status == 0 else ())
    return rules


def _opening(tag: str, zone: str, source: str | None, port: int | None) -> Opening:
    return Opening(tag, _chain(zone), port, source, None, "daemon")


def _places(pinhole: Pinhole) -> list[tuple[str, str]]:
    """(zone, source) of each rule the pinhole needs."""
    return [(chain.chain, source) for chain in pinhole.chains for source in pinhole.sources]


def rich_rule(pinhole: Pinhole, source: str, priority: int) -> str:
    """A rule as firewalld writes it."""
    return (
        f'rule priority="{priority}" family="{FAMILIES[family_of(source)]}" source address="{source}" '
        f'port port="{pinhole.port}" protocol="{pinhole.protocol}" '
        f'log prefix="{pinhole.tag}" level="debug" limit value="1/m" accept'
    )


def _add(zone: str, rule: str, lease: int) -> Command:
    return _ask("zone", "addRichRule", "ssi", zone, rule, str(lease))


def _remove(rule: Rule) -> Command:
    """That its time was over first is as good."""
    return _ask("zone", "removeRichRule", "ss", rule.zone, rule.text)


# What somebody saved while it was open, by firewall-cmd --runtime-to-permanent.


def _close_saved(tag: str) -> Program[None]:
    found = yield Command(("grep", "--recursive", "--quiet", "--fixed-strings", "--", tag, SAVED_IN), ok=ANY)
    if found.status != 0:
        return
    listed = yield _ask("config", "listZones", place=f"{PLACE}/config")
    for place in _said(listed)[1:] if listed.status == 0 else ():
        answer = yield _ask("config.zone", "getRichRules", place=place)
        for rule in _ours(place, answer):
            if rule.tag == tag:
                yield _ask("config.zone", "removeRichRule", "s", rule.text, place=place)


# Reading back.


def _there(pinhole: Pinhole) -> Program[dict[tuple[str, str], list[Rule]]]:
    """The rules that are there for each place of the pinhole."""
    rules = yield from _rules(dict.fromkeys(zone for zone, _ in _places(pinhole)))
    return {
        (zone, source): [
            rule for rule in rules if (rule.zone, rule.tag, *rule.admits) == (zone, pinhole.tag, source, pinhole.port)
        ]
        for zone, source in _places(pinhole)
    }


def _missing(pinhole: Pinhole) -> Program[list[str]]:
    there = yield from _there(pinhole)
    return [_absence(*place) for place, rules in there.items() if not rules]


def _absence(zone: str, source: str) -> str:
    return f"no rule for {source} in the zone {zone}"


# What the kernel shows: firewalld makes two rules of each, one that logs the tag and, next to it, one that admits.


def _pairs(ruleset: nft.Ruleset | None, tag: str = "") -> list[tuple[dict, dict]]:
    rules = [rule for rule in ruleset.rules if rule["table"] == TABLE] if ruleset else []
    return [
        (first, second)
        for first, second in zip(rules, rules[1:], strict=False)
        if (logged := _logged(first)) and tag in ("", logged) and _belongs(first, second)
    ]


def _logged(rule: dict) -> str:
    """The tag that a rule logs; empty if it is none of ours."""
    prefixes = [part["log"].get("prefix") for part in rule.get("expr", ()) if isinstance(part.get("log"), dict)]
    return next(filter(is_tag, prefixes), "")


def _belongs(first: dict, second: dict) -> bool:
    """Whether the second rule was made together with the first."""
    same_chain = first["chain"] == second["chain"] and second["handle"] == first["handle"] + 1
    return same_chain and _matches(first) == _matches(second) and {"accept": None} in second["expr"]


def _matches(rule: dict) -> list[dict]:
    return [part for part in rule["expr"] if "match" in part]


def _shown(rule: dict) -> Opening:
    asked = {
        part["match"]["left"]["payload"]["field"]: part["match"]["right"]
        for part in _matches(rule)
        if "payload" in part["match"]["left"]
    }
    before, after = ZONE_CHAIN
    zone = rule["chain"].removeprefix(before).removesuffix(after)
    return _opening(_logged(rule), zone, asked.get("saddr"), asked.get("dport"))
