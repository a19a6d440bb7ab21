"""Others change a destination's firewall in the middle of a transfer: what is open stays, or is soon open again."""

import contextlib
import os
from pathlib import Path

import pytest

from datamover.host import process
from hosttools import firewall
from hosttools.commands import drive
from tests.functional.hosttools import hosts as hosttools_hosts
from tests.functional.hosttools.guards import GUARDS, snapshot
from tests.functional.hosttools.hosts import hosts
from tests.functional.worker.minions import Minion, Network
from tests.support.waiting import eventually

pytestmark = pytest.mark.root

RULESETS = Path(hosttools_hosts.__file__).parent / "rulesets"
GUARD = {guard.name: guard for guard in GUARDS}
LEASE = 8
SIZE = 12_000_000


@pytest.fixture
def net():
    with hosts() as found:
        yield found


@pytest.fixture
def moving(transfer, net, tmp_path):
    """moving(guard, family) -> a transfer that just moves, slowly, into a host with this guard."""
    with contextlib.ExitStack() as stack:

        def make(guard, family):
            guard.install(net["destination"])
            ends = []
            for name in ("source", "destination"):
                network = stack.enter_context(contextlib.closing(Network(net[name].path)))
                ends.append(Minion(name, tmp_path, network, net[name].addresses[family]))
            pair = transfer(
                src=planted(tmp_path / "random"),
                dst=tmp_path / "srv" / "random",
                source=ends[0],
                destination=ends[1],
                firewall=surveyed(ends[1]),
                settings__lease=LEASE,
            )
            pair.source.network.limit("2mbit", "eth0")
            pair.begin().follow_until("destination", "moving")
            return pair

        yield make


def planted(path):
    path.write_bytes(os.urandom(SIZE))
    return path


def surveyed(minion):
    found = minion.network.do(drive, firewall.survey(), process.run)
    return {"backend": found["backend"], "chains": found["chains"]}


def dockers(host):
    """What a restart of Docker amounts to where everything was saved: all rules of iptables are replaced."""
    for tool in ("iptables", "ip6tables"):
        host.call(f"{tool}-nft-restore", stdin=(RULESETS / f"docker.{tool}").read_text())


def dockers_by_nft(host):
    """The same rules, brought by `nft -f` into tables of their own, beside what is there."""
    with contextlib.closing(hosttools_hosts.Host("elsewhere")) as elsewhere:
        dockers(elsewhere)
        host.call("nft", "-f", "-", stdin=elsewhere.call("nft", "list", "ruleset"))


def reloaded(host):
    """What configuration management does: everything away, then its own rules."""
    host.call("nft", "flush", "ruleset")
    GUARD["nft-inet"].install(host)


def assert_opened_again(net, pair, family):
    """A connection made anew is let in, soon, and only from the source."""
    port = pair.answers["destination"]["port"]
    assert eventually(lambda: "reopened" in told(pair), 3 * LEASE)
    assert net["source"].reaches(net["destination"], family, port)
    assert not net["third"].reaches(net["destination"], family, port, patience=0.3)


def told(pair):
    return str(pair.destination.ask("status", pair.transfer, "destination")["events"])


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "guard, happening, family",
    [
        ("iptables-nft", dockers, "ip6"),
        ("nft-inet", dockers_by_nft, "ip"),
        ("nft-inet", reloaded, "ip6"),
        slow("iptables-nft", dockers, "ip"),
        slow("nft-inet", dockers_by_nft, "ip6"),
        slow("nft-inet", reloaded, "ip"),
    ],
)
def test_a_transfer_outlives_what_others_do_to_the_firewall(moving, net, srv, guard, happening, family):
    pair = moving(GUARD[guard], family)
    happening(net["destination"])
    assert_opened_again(net, pair, family)
    pair.source.network.unlimit("eth0")
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published", "published"]
    assert pair.transfer not in str(snapshot(net["destination"]))
