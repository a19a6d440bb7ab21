"""Which pair of addresses two hosts use: one row for each situation."""

import pytest

from transferplan import address
from transferplan.facts import Interface


def interfaces(*texts):
    """`eth0=10.77.1.11/24` as minions tell it."""
    found = []
    for text in texts:
        name, _, rest = text.partition("=")
        own, _, prefix = rest.partition("/")
        found.append(Interface(name, own, int(prefix), "inet6" if ":" in own else "inet"))
    return found


TWO_NETS = (["a=10.77.1.11/24", "b=10.78.1.11/24"], ["a=10.77.1.12/24", "b=10.78.1.12/24"])
DUAL = (["a=10.77.1.11/24", "a=fd77::11/64"], ["a=10.77.1.12/24", "a=fd77::12/64"])
ROUTED = (["a=10.1.0.1/24", "a=fd01::1/64"], ["a=10.2.0.1/24", "a=fd02::1/64"])
DOCKER = (["docker0=172.17.0.1/16", "a=10.1.0.1/24"], ["docker0=172.17.0.1/16", "a=10.2.0.1/24"])

PAIRS = [
    ("the first shared subnet", TWO_NETS, "", ("10.77.1.12", "10.77.1.11")),
    ("a network names the other", TWO_NETS, "10.78.0.0/16", ("10.78.1.12", "10.78.1.11")),
    ("a network may be written as one of its addresses", TWO_NETS, "10.78.1.99/24", ("10.78.1.12", "10.78.1.11")),
    ("an interface names the other", TWO_NETS, "b", ("10.78.1.12", "10.78.1.11")),
    ("an address of the destination names the other", TWO_NETS, "10.78.1.12", ("10.78.1.12", "10.78.1.11")),
    ("nothing fits the network", TWO_NETS, "192.168.0.0/16", None),
    ("IPv4 comes first", DUAL, "", ("10.77.1.12", "10.77.1.11")),
    ("IPv6 by network", DUAL, "fd77::/64", ("fd77::12", "fd77::11")),
    (
        "a shared subnet of IPv6 comes before a route of IPv4",
        (["a=10.1.0.1/24", "b=fd77::11/64"], ["a=10.2.0.1/24", "b=fd77::12/64"]),
        "",
        ("fd77::12", "fd77::11"),
    ),
    ("a route, IPv4 first", ROUTED, "", ("10.2.0.1", "10.1.0.1")),
    ("a route by IPv6 where it is asked for", ROUTED, "fd02::/16", ("fd02::1", "fd01::1")),
    ("an address that both have leads nowhere", DOCKER, "", ("10.2.0.1", "10.1.0.1")),
    ("though it is asked for", DOCKER, "docker0", None),
    (
        "hosts with addresses of one host only (/32)",
        (["a=10.1.0.1/32"], ["a=10.1.0.2/32"]),
        "",
        ("10.1.0.2", "10.1.0.1"),
    ),
    (
        "subnets of different width are not one",
        (["a=10.1.0.1/16", "b=10.9.0.1/24"], ["a=10.1.0.2/24", "b=10.9.0.2/24"]),
        "",
        ("10.9.0.2", "10.9.0.1"),
    ),
    ("no family in common", (["a=10.1.0.1/24"], ["a=fd77::12/64"]), "", None),
    ("no address at the source", ([], ["a=10.1.0.1/24"]), "", None),
    ("a source address names nothing at the destination", TWO_NETS, "10.78.1.11", None),
]


@pytest.mark.parametrize("hosts, network, pair", [row[1:] for row in PAIRS], ids=[row[0] for row in PAIRS])
def test_the_pair_for_two_hosts(hosts, network, pair):
    source, destination = (interfaces(*texts) for texts in hosts)
    chosen = address.choose(source, destination, network, network)
    assert (chosen and (chosen.destination, chosen.source)) == pair


def test_the_source_follows_its_own_network_where_that_fits():
    source, destination = interfaces("a=10.1.0.1/24", "b=10.3.0.1/24"), interfaces("a=10.2.0.1/24")
    assert address.choose(source, destination, "", "b").source == "10.3.0.1"
    assert address.choose(source, destination, "", "no such").source == "10.1.0.1"


@pytest.mark.parametrize(
    "hosts, shared", [(TWO_NETS, True), (ROUTED, False), ((["a=10.1.0.1/32"], ["a=10.1.0.2/32"]), False)]
)
def test_whether_the_pair_shares_a_subnet_is_told(hosts, shared):
    assert address.choose(*(interfaces(*texts) for texts in hosts), "", "").shared is shared


@pytest.mark.parametrize(
    "network, own",
    [
        ("", "127.0.0.1"),
        ("eth1", "10.78.1.11"),
        ("fd77::/64", "fd77::11"),
        ("eth0", "10.77.1.11"),
        ("10.99.0.0/16", None),
    ],
)
def test_on_one_host_loopback_serves_unless_a_network_is_named(network, own):
    found = interfaces("eth0=fd77::11/64", "eth0=10.77.1.11/24", "eth1=10.78.1.11/24")
    pair = address.choose_on_one_host(found, network)
    assert (pair and pair.destination) == own
    assert pair is None or (pair.source == pair.destination and pair.shared)
