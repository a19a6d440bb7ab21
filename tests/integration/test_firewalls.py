"""Copies through what stands between two minions: their firewalls, their networks, and versions that do not fit."""

import contextlib

import pytest
from lab import Lab
from lab.furniture import ICMP, IPTABLES_RULES
from lab.leftovers import Snapshot

from tests.support.copying import SLOW_BYTES, Copying, digest, plant_random, slowed
from tests.support.reach import hears, serve, stop_serving
from tests.support.runs import ENTRY, assert_ok, differences, names, outcome, plant_at, words
from tests.support.versions import other_version
from tests.support.waiting import eventually
from transferplan.version import VERSION

PORT = 4471
OPEN_TO_ALL = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"


# --- the destination's firewall ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def guarded_by_iptables(machine, variant):
    """Rules of iptables in place of those of nft, for a while; they drop what is not allowed."""
    machine.run(["nft", "flush", "ruleset"])
    for tool, icmp in ICMP.items():
        machine.run([f"{tool}-{variant}-restore"], input=IPTABLES_RULES.format(icmp=icmp, services=""))
    try:
        yield
    finally:
        for tool in ICMP:
            machine.run([f"{tool}-{variant}-restore"], input=OPEN_TO_ALL)
        machine.run(["nft", "-f", "/etc/nftables.conf"])


@contextlib.contextmanager
def greeting(machine):
    serve(machine, PORT)
    try:
        yield
    finally:
        stop_serving(machine, PORT)


@pytest.mark.parametrize("variant", ["nft", pytest.param("legacy", marks=pytest.mark.slow)])
def test_a_copy_goes_through_iptables_and_leaves_its_rules_as_they_were(run, data, alpha, beta, variant):
    with guarded_by_iptables(beta, variant):
        with greeting(beta):
            assert not hears(alpha, beta.ip, PORT) and not hears(alpha, beta.ip6, PORT)
        before = Snapshot.of(beta)
        assert run("plan", src="alpha:/srv/data", dst="beta:/srv/").data["plan"]["hops"][0]["firewall"] == "iptables"
        assert_ok(run(src="alpha:/srv/data", dst="beta:/srv/"))
        assert before.leftovers(beta) == []
    assert differences(alpha, beta) == []


@pytest.mark.slow
def test_a_copy_goes_through_firewalld_though_it_is_reloaded_and_leaves_nothing_in_it():
    with Lab(minions=("alpha", "beta"), firewall={"beta": "firewalld"}) as lab:
        alpha, beta = map(lab.machine, lab.minions)
        plant_random(alpha, "/srv/big", SLOW_BYTES)
        before = Snapshot.of(beta)
        with slowed(beta), Copying(lab, "alpha:/srv/big", "beta:/srv/") as copying:
            copying.await_moving()
            assert "salt-transfer" in beta.output("firewall-cmd", "--list-rich-rules")
            beta.run(["firewall-cmd", "--reload"])
            assert eventually(lambda: "salt-transfer" in beta.output("firewall-cmd", "--list-rich-rules"))
            heal(beta)
            done = copying.finish()
        assert_ok(done)
        assert digest(alpha, "/srv/big") == digest(beta, "/srv/big")
        assert [each for each in before.leftovers(beta) if "/srv/" not in each] == []
        trails = lab.run_runner("transfer.audit", transfer=copying.transfer).data["hosts"]
        told = ["begun", "pinhole opened", "pinhole reopened", "pinhole closed", "ended"]
        assert [line["what"] for line in trails["beta"]["lines"]] == told
        assert [line["what"] for line in trails["alpha"]["lines"]] == ["begun", "ended"]


def heal(machine):
    for link in machine.links:
        link.heal()


# --- the source's firewall and what is between ------------------------------------------------------------------------


@contextlib.contextmanager
def nft_table(machine, rules):
    """A table of its own, `inet planted`, for a while."""
    machine.run(["nft", "-f", "-"], input=f"table inet planted {{\n{rules}\n}}\n")
    try:
        yield
    finally:
        machine.run(["nft", "delete", "table", "inet", "planted"])


FORBIDDEN = """chain out {
    type filter hook output priority 0
    tcp dport 4400-4499 reject
}"""
NOT_ALLOWED = """chain out {
    type filter hook output priority 0; policy drop;
    ct state established,related accept
    oif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport { 4505, 4506 } accept
}"""
UNKNOWN_SOURCE = """chain out {
    type nat hook postrouting priority 100
    tcp dport 4400-4499 snat ip to %s
}"""


def assert_unreachable(done):
    """It failed before a byte moved, in words about firewalls."""
    assert (outcome(done), names(done)) == ((2, "failed"), {"peer-unreachable"})
    assert "firewall" in words(done)
    assert done.data["receipt"]["moved_bytes"] == 0


@pytest.mark.slow
def test_a_source_that_may_not_go_out_says_that_it_may_be_its_own_firewall(run, data, alpha, beta):
    with nft_table(alpha, FORBIDDEN):
        done = run(src="alpha:/srv/data", dst="beta:/srv/")
    assert_unreachable(done)
    assert "perhaps of this host" in words(done)
    assert list(beta.disk("/srv").iterdir()) == []


def test_a_source_whose_firewall_drops_what_goes_out_is_warned_of_in_the_plan(run, data, alpha):
    with nft_table(alpha, NOT_ALLOWED):
        told = run("plan", src="alpha:/srv/data", dst="beta:/srv/").data["plan"]["warnings"]
    assert "alpha's firewall drops what no rule lets out (nft inet planted out)" in str(told)


@pytest.mark.slow
def test_a_source_whose_packets_are_dropped_on_their_way_out_fails_in_words(run, data, alpha, beta):
    with nft_table(alpha, NOT_ALLOWED):
        assert_unreachable(run(src="alpha:/srv/data", dst="beta:/srv/", lease="30s"))
    assert list(beta.disk("/srv").iterdir()) == []


@pytest.mark.slow
def test_a_source_that_comes_from_another_address_than_planned_is_not_let_in(run, data, alpha, beta):
    other = f"{alpha.ip.rpartition('.')[0]}.99"
    alpha.run(["ip", "addr", "add", f"{other}/24", "dev", "eth0"])
    try:
        with nft_table(alpha, UNKNOWN_SOURCE % other):
            done = run(src="alpha:/srv/data", dst="beta:/srv/", network=beta.ip, lease="30s")
    finally:
        alpha.run(["ip", "addr", "del", f"{other}/24", "dev", "eth0"])
    assert_unreachable(done)
    assert list(beta.disk("/srv").iterdir()) == []


@pytest.mark.slow
def test_a_port_that_is_blocked_on_the_way_fails_before_anything_is_replaced(run, data, beta):
    plant_at(beta, "/srv/data", {"old": b"old"})
    link = beta.link("front")
    link.drop(PORT)
    try:
        done = run(src="alpha:/srv/data", dst="beta:/srv/data", overwrite=True, port=PORT, lease="30s")
    finally:
        link.heal()
    assert_unreachable(done)
    assert str(PORT) in words(done)
    assert [path.name for path in beta.disk("/srv").iterdir()] == ["data"]
    assert beta.disk("/srv/data/old").read_bytes() == b"old"


# --- networks ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def without_ipv4(*machines, side="back", interface="eth1"):
    """These machines have IPv6 alone on one of their networks."""
    addresses = {machine: f"{machine.addresses[side][0]}/24" for machine in machines}
    for machine, address in addresses.items():
        machine.run(["ip", "addr", "del", address, "dev", interface])
    try:
        yield
    finally:
        for machine, address in addresses.items():
            machine.run(["ip", "addr", "add", address, "dev", interface])


def received(machine, interface):
    """Bytes that came in there so far."""
    return int(machine.output("cat", f"/sys/class/net/{interface}/statistics/rx_bytes"))


def test_the_data_travels_over_the_chosen_network_though_it_has_ipv6_alone(run, data, alpha, beta):
    size = len(ENTRY["more"]["big"])
    with without_ipv4(alpha, beta):
        before = {name: received(beta, name) for name in ("eth0", "eth1")}
        done = run(src="alpha:/srv/data", dst="beta:/srv/", network="eth1", compress="none")
        came = {name: received(beta, name) - count for name, count in before.items()}
    assert_ok(done)
    assert came["eth1"] >= size and came["eth0"] < size
    assert differences(alpha, beta) == []


@pytest.mark.slow
def test_where_there_is_no_ipv4_at_all_nothing_has_to_be_said(tmp_path):
    ipv6 = {"ipv6": True, "interface": "::"}
    with Lab(minions=("alpha", "beta"), master_config=ipv6, minion_config={"ipv6": True, "master": "master"}) as lab:
        alpha, beta = map(lab.machine, lab.minions)
        plant_at(alpha, "/srv/data", ENTRY)
        with without_ipv4(*lab.machines.values()), without_ipv4(*lab.machines.values(), side="front", interface="eth0"):
            assert_ok(lab.run_runner("transfer.copy", src="alpha:/srv/data", dst="beta:/srv/"))
        assert differences(alpha, beta) == []


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_another_version_is_refused_at_once_naming_both(clean_lab, run, data):
    plant_at(clean_lab.machine("gamma"), "/srv/data", ENTRY)
    with other_version(clean_lab, "gamma") as other:
        for src, dst in (("alpha", "gamma"), ("gamma", "alpha")):
            done = run(src=f"{src}:/srv/data", dst=f"{dst}:/srv/copy")
            assert (outcome(done), names(done)) == ((3, "refused"), {"version-mismatch"})
            assert f"gamma has salt-transfer {other}, this master {VERSION}" in words(done)
