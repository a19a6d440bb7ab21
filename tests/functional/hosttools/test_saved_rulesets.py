"""Somebody saves all rules while a pinhole is open, and restores them when it is long closed."""

import pytest

from hosttools import firewall
from hosttools.commands import drive
from hosttools.pinholes import Pinhole, tag
from tests.support.waiting import eventually

from .guards import GUARDS, snapshot
from .hosts import PORT, hosts

pytestmark = pytest.mark.root

TAG = tag("0123456789abcdef0123456789abcdef", 1)
LEASE = 10
GUARD = {guard.name: guard for guard in GUARDS}


@pytest.fixture
def net():
    with hosts() as found:
        yield found


def opened(host, source):
    bare = Pinhole(TAG, tuple(source.addresses.values()), host.addresses["ip"], PORT)
    hole = firewall.with_chains(bare, drive(firewall.survey(), host.run)["chains"])
    drive(firewall.open(hole, LEASE), host.run)


def reached(net):
    return any(net["source"].reaches(net["destination"], family) for family in ("ip", "ip6"))


def assert_inert_and_removable(net, before):
    """It is listed as what is over, and closing takes it away and nothing else."""
    host = net["destination"]
    found = drive(firewall.openings(TAG), host.run)
    assert found and all(opening.expired for opening in found)
    assert not reached(net)
    drive(firewall.close(TAG), host.run)
    assert snapshot(host) == before


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_what_iptables_save_saved_admits_nobody(net, variant):
    host = net["destination"]
    GUARD[f"iptables-{variant}"].install(host)
    before = snapshot(host)
    tools = [f"iptables-{variant}", f"ip6tables-{variant}"]
    with host.listening(PORT):
        opened(host, net["source"])
        assert reached(net)
        saved = {tool: host.call(f"{tool}-save") for tool in tools}
        assert all(TAG in rules for rules in saved.values())
        drive(firewall.close(TAG), host.run)
        for tool, rules in saved.items():
            host.call(f"{tool}-restore", stdin=rules)
        assert_inert_and_removable(net, before)


def test_what_nft_saved_is_open_for_one_lease_and_then_inert(net):
    host = net["destination"]
    GUARD["nft-inet"].install(host)
    before = snapshot(host)
    with host.listening(PORT):
        opened(host, net["source"])
        saved = host.call("nft", "list", "ruleset")
        assert TAG in saved
        drive(firewall.close(TAG), host.run)
        host.call("nft", "-f", "-", stdin=f"flush ruleset\n{saved}")
        assert eventually(lambda: not reached(net))
        assert_inert_and_removable(net, before)
