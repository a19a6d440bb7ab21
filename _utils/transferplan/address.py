"""Which addresses the two ends use: a subnet that both share first, then IPv4, then IPv6.

An address that both hosts have (such as the one every docker0 bears) leads nowhere and is never chosen. `network` keeps
the destination to a network, an address or an interface; the source follows where it has something that fits.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from .facts import Interface

LOOPBACK = "127.0.0.1"
PREFERENCE = ("inet", "inet6")


@dataclass(frozen=True)
class Pair:
    """Where the destination listens, and from where the source is expected to come."""

    destination: str
    source: str
    shared: bool


def fits(interface: Interface, network: str) -> bool:
    """Whether an address is one of those that `network` means; empty means any."""
    if network in ("", interface.name):
        return True
    try:
        return ipaddress.ip_address(interface.address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def choose(
    source: Sequence[Interface], destination: Sequence[Interface], network: str, from_network: str
) -> Pair | None:
    """The best pair of addresses between two hosts, or None. The networks narrow the destination and the source."""
    common = {each.address for each in source} & {each.address for each in destination}
    theirs = [each for each in destination if each.address not in common and fits(each, network)]
    ours = [each for each in source if each.address not in common]
    ours = [each for each in ours if fits(each, from_network)] or ours
    pairs = [(to, start) for to in theirs for start in ours if to.family == start.family]
    if not pairs:
        return None
    to, start = min(pairs, key=lambda pair: _rank(*pair))
    return Pair(to.address, start.address, _share_subnet(to, start))


def choose_on_one_host(interfaces: Sequence[Interface], network: str) -> Pair | None:
    """Loopback, unless `network` asks for one of the host's own addresses."""
    if not network:
        return Pair(LOOPBACK, LOOPBACK, True)
    fitting = [each for each in interfaces if fits(each, network)]
    if not fitting:
        return None
    own = min(fitting, key=lambda each: PREFERENCE.index(each.family)).address
    return Pair(own, own, True)


def _rank(to: Interface, start: Interface) -> tuple[bool, int]:
    return (not _share_subnet(to, start), PREFERENCE.index(to.family))


def _share_subnet(one: Interface, other: Interface) -> bool:
    return one.family == other.family and _network(one) == _network(other)


def _network(interface: Interface) -> object:
    return ipaddress.ip_network(f"{interface.address}/{interface.prefix}", strict=False)


def named(interfaces: Sequence[Interface]) -> str:
    """The addresses as a sentence lists them."""
    return ", ".join(map(str, interfaces)) or "none"
