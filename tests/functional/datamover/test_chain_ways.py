"""A way between two neighbours of a chain is closed, though others reach both: somebody farther up takes over."""

import pytest

from datamover.errors import ConnectionLost, PeerUnreachable
from tests.functional.datamover import test_chain_stream as of_streams
from tests.functional.datamover.chains import Chains, lost
from tests.functional.datamover.streams import MIB, Flows, python
from tests.functional.datamover.test_chain import at_share, check, large, root  # noqa: F401 (fixtures)
from tests.functional.datamover.test_chain_stream import alike, long, narrow  # noqa: F401 (fixtures)
from tests.functional.datamover.test_stream import ECHO

pytestmark = pytest.mark.usefixtures("own_disk")


class Closed:
    """The ways from a node to these hosts, open until close() is called."""

    def __init__(self, node, *hosts):
        self._hosts = hosts
        self._hops = []
        self.closed = False
        node.prepare = self._watch

    def close(self):
        self.closed = True
        for hop in self._hops:
            hop._session.stop.set(ConnectionLost(f"the way to {hop.host} is closed"))

    def _watch(self, relay):
        new_hop = relay._new_hop

        def made(host, epoch):
            hop = new_hop(host, epoch)
            if host in self._hosts:
                self._hops.append(hop)
                hop._open = self._refusing(hop._open)
            return hop

        relay._onward._make_hop = made

    def _refusing(self, open_):
        def refused_or_opened(hello):
            if self.closed:
                raise PeerUnreachable("there is no way")
            return open_(hello)

        return refused_or_opened


def closed(node, *hosts):
    """From the beginning."""
    ways = Closed(node, *hosts)
    ways.closed = True


def who_served(outcomes, host):
    return [who for who, _ in outcomes[host].chain.predecessors]


def test_who_is_farther_up_serves_one_that_its_neighbour_cannot_reach(root, folder):  # noqa: F811
    chain = Chains(root, folder, stall_timeout=12)
    closed(chain.nodes["beta"], "gamma")
    outcomes = chain.run()
    check(chain, outcomes)
    assert outcomes["alpha"].error is None
    assert lost(outcomes) == {"beta": ("gamma",)}
    assert who_served(outcomes, "gamma") == ["alpha"]
    assert who_served(outcomes, "delta")[-1] == "beta"


@pytest.mark.parametrize("share", [0.3, pytest.param(0.9, marks=pytest.mark.slow)])
def test_a_way_that_is_closed_in_the_middle_is_gone_round(large, folder, share):  # noqa: F811
    chain = Chains(large, folder, stall_timeout=12)
    ways = Closed(chain.nodes["beta"], "gamma")
    at_share(chain, "gamma", share, ways.close)
    outcomes = chain.run()
    check(chain, outcomes)
    assert who_served(outcomes, "gamma") == ["beta", "alpha"]


@pytest.mark.parametrize("share", [0, pytest.param(15 * MIB, marks=pytest.mark.slow)])
def test_what_one_lacks_of_a_stream_is_kept_by_who_is_farther_up(folder, long, alike, share):  # noqa: F811
    flows = Flows(folder, python(ECHO, long), stall_timeout=12)
    ways = Closed(flows.nodes["beta"], "gamma")
    of_streams.at_bytes(flows, "gamma" if share else "beta", share, ways.close)
    outcomes = flows.run()
    of_streams.check(flows, outcomes, long)
    assert outcomes["alpha"].error is None and outcomes["alpha"].read_bytes == outcomes["alpha"].bytes
    assert who_served(outcomes, "gamma")[-1] == "alpha"


def test_the_nearest_that_reaches_it_serves_it(root, folder):  # noqa: F811
    chain = Chains(root, folder, "bcde", stall_timeout=12)
    closed(chain.nodes["c"], "e")
    closed(chain.nodes["d"], "e")
    outcomes = chain.run()
    check(chain, outcomes)
    assert who_served(outcomes, "e") == ["b"]
    assert lost(outcomes) == {"c": ("e",), "d": ("e",)}


def test_all_that_a_host_cannot_reach_are_served_by_others(root, folder):  # noqa: F811
    chain = Chains(root, folder, stall_timeout=12)
    closed(chain.nodes["beta"], "gamma", "delta")
    outcomes = chain.run()
    check(chain, outcomes)
    assert who_served(outcomes, "gamma") == ["alpha"]
    assert set(who_served(outcomes, "delta")) <= {"gamma", "alpha"}


def test_one_that_nobody_reaches_is_lost_to_all_who_tried(root, folder):  # noqa: F811
    chain = Chains(root, folder, stall_timeout=6)
    chain.through_relay("gamma").cut()
    outcomes = chain.run()
    check(chain, outcomes, lost=["gamma"])
    assert outcomes["alpha"].error is None
    assert lost(outcomes) == {"alpha": ("gamma",), "beta": ("gamma",)}
