"""A chain of workers, each under its guardian: verdicts of all, deaths, pinholes for whoever must come."""

import contextlib

import pytest

from datamover.host import process
from hosttools import firewall
from hosttools.commands import drive
from tests.functional.hosttools.guards import GUARDS, snapshot
from tests.functional.hosttools.hosts import hosts
from tests.functional.worker.minions import Minion, Network, Row
from tests.support.waiting import eventually

NAMES = ("beta", "gamma", "delta")
NFT = next(guard for guard in GUARDS if guard.name == "nft-inet")


@pytest.fixture
def row(alpha, tmp_path, network, srv):
    """row(src, **changes) -> a chain from alpha to three other minions of the same network."""
    rows = []

    def make(src, **changes):
        rows.append(Row(alpha, [Minion(name, tmp_path, network) for name in NAMES], src, srv, **changes))
        return rows[-1]

    yield make
    for each in rows:
        each.end()


def tree(path):
    return {each.relative_to(path): each.is_file() and each.read_bytes() for each in path.rglob("*")}


def test_all_publish_and_each_says_so_for_itself(row, data):
    chain = row(data).begin()
    verdicts = chain.verdicts()
    assert {host: verdict["result"] for host, verdict in verdicts.items()} == dict.fromkeys(verdicts, "published")
    assert len({verdict["root"] for verdict in verdicts.values()}) == 1
    for minion in chain.destinations:
        assert tree(chain.path(minion)) == tree(data)
    assert [verdicts[host]["chain"]["predecessors"] for host in NAMES] == [
        [{"host": "alpha", "epoch": 1}],
        [{"host": "beta", "epoch": 1}],
        [{"host": "gamma", "epoch": 1}],
    ]
    moved = verdicts["alpha"]["moved_bytes"]
    assert verdicts["beta"]["chain"]["links"] == [{"host": "gamma", "epoch": 1, "bytes": moved}]
    assert verdicts["delta"]["chain"]["forwarded_bytes"] == 0
    assert verdicts["beta"]["reread_bytes"] == verdicts["beta"]["read_bytes"] == 0


def test_the_middle_one_is_killed_and_the_others_publish(row, big, network):
    network.limit("160mbit")
    chain = row(big, settings__lease=18).begin()
    gamma = chain.destinations[1]
    assert eventually(lambda: chain.status(gamma)["progress"]["bytes_done"] > 1 << 20)
    chain.worker(gamma).kill()
    network.unlimit()
    verdicts = chain.verdicts()
    assert [verdicts[host]["result"] for host in ("alpha", "beta", "gamma", "delta")] == [
        *("published", "published", "failed", "published")
    ]
    assert verdicts["gamma"]["error"]["name"] == "worker-died"
    assert verdicts["beta"]["chain"]["lost"] == ["gamma"]
    assert [each["host"] for each in verdicts["delta"]["chain"]["predecessors"]] == ["gamma", "beta"]
    assert not chain.path(gamma).exists()


@pytest.mark.slow
@pytest.mark.root
def test_who_must_come_in_anothers_place_is_let_in_by_the_firewall(data, big, tmp_path, srv):
    """The last host's firewall opens for the one before it alone, until that one is lost."""
    with hosts() as net, contextlib.ExitStack() as stack:
        made = {}
        for name in ("source", "third", "destination"):
            network = stack.enter_context(contextlib.closing(Network(net[name].path)))
            made[name] = Minion(name, tmp_path, network, net[name].addresses["ip"])
        NFT.install(net["destination"])
        before = snapshot(net["destination"])
        chain = Row(made["source"], [made["third"], made["destination"]], big, srv, settings__lease=18)
        found = made["destination"].network.do(drive, firewall.survey(), process.run)
        opened = {"firewall": {"backend": found["backend"], "chains": found["chains"]}}
        spec = chain.spec
        chain.spec = lambda minion: {**spec(minion), **(opened if minion.name == "destination" else {})}
        made["source"].network.limit("80mbit", "eth0")
        stack.callback(chain.end)
        chain.begin()
        port = chain.answers["destination"]["port"]
        assert eventually(lambda: chain.status(made["destination"])["progress"]["bytes_done"] > 1 << 20)
        assert not net["source"].reaches(net["destination"], "ip", port)
        chain.worker(made["third"]).kill()
        verdicts = chain.verdicts()
        assert (verdicts["source"]["result"], verdicts["destination"]["result"]) == ("published", "published")
        assert [each["host"] for each in verdicts["destination"]["chain"]["predecessors"]] == ["third", "source"]
        assert verdicts["source"]["reread_bytes"] > 0
        assert snapshot(net["destination"]) == before
