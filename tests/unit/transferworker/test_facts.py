"""Which of a host's addresses others may reach, and how fast the links below them are."""

import socket
from collections import namedtuple

from transferworker import facts

Address = namedtuple("Address", "family address netmask")
State = namedtuple("State", "isup speed")
UP, DOWN = State(True, 1000), State(False, 0)
FOUR, SIX = socket.AF_INET, socket.AF_INET6


def listed(**addresses):
    return facts.interfaces(addresses, dict.fromkeys(addresses, UP))


def test_both_families_are_listed_with_their_prefixes():
    found = listed(eth0=[Address(FOUR, "10.0.0.2", "255.255.252.0"), Address(SIX, "fd00::2", "ffff:ffff:ffff:ffff::")])
    assert found == [
        {"name": "eth0", "address": "10.0.0.2", "prefix": 22, "family": "inet", "speed": 1000},
        {"name": "eth0", "address": "fd00::2", "prefix": 64, "family": "inet6", "speed": 1000},
    ]


def test_what_nobody_else_can_reach_is_left_out():
    loopback = [Address(FOUR, "127.0.0.1", "255.0.0.0"), Address(SIX, "::1", "ffff::")]
    link_local = [Address(SIX, "fe80::1%eth0", "ffff:ffff:ffff:ffff::"), Address(FOUR, "169.254.1.1", "255.255.0.0")]
    hardware = [Address(socket.AF_PACKET, "00:11:22:33:44:55", None)]
    assert listed(lo=loopback, eth0=link_local + hardware) == []


def test_an_interface_that_is_down_is_left_out():
    addresses = {"eth0": [Address(FOUR, "10.0.0.2", "255.255.255.0")]}
    assert facts.interfaces(addresses, {"eth0": DOWN}) == []
    assert facts.interfaces(addresses, {}) == []


def test_an_address_without_a_netmask_is_alone():
    assert listed(tun0=[Address(FOUR, "10.0.0.2", None)])[0]["prefix"] == 32


class Run:
    """As much of a run as its pace needs."""

    def __init__(self, host, moved, seconds, result="published", role="destination", limit=0):
        self.role, self.spec = role, {"peers": [{"host": host}], "settings": {"limit": limit}}
        self.verdict = result and {"result": result, "moved_bytes": moved, "seconds": {"total": seconds}}


class Runs(list):
    def all(self):
        return self


GIB = 1024**3


def test_the_last_transfers_from_a_peer_tell_their_pace():
    runs = Runs(Run("alpha", GIB, seconds) for seconds in range(1, 9))
    runs[:0] = [
        Run("gamma", GIB, 1.0),
        Run("alpha", 1000, 1.0),
        Run("alpha", GIB, 1.0, "failed"),
        Run("alpha", GIB, 1.0, None),
        Run("alpha", GIB, 1.0, role="source"),
        Run("alpha", GIB, 1000.0, limit=1000000),
    ]
    told = facts.paces(runs, {"peers": [{"host": "alpha"}]})
    assert [(each["host"], each["seconds"]) for each in told] == [("alpha", seconds) for seconds in range(1, 6)]
    assert facts.paces(runs, {}) == []
