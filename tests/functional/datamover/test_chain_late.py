"""Hosts of a chain that die when all has landed: who lives has published, and whoever is farther up learns it."""

import multiprocessing.connection
import os
import signal
from pathlib import Path

import pytest

from datamover.errors import Cancelled
from tests.functional.datamover.chains import Chains, lost
from tests.functional.datamover.ends import Running, kill_this_process
from tests.functional.datamover.test_chain import check, root  # noqa: F401 (a fixture)
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("own_disk")


def publish_after(node, happened):
    """Have it published only when that has happened."""
    publish = node.publish

    def publish_late(staging):
        assert eventually(happened, 30)
        publish(staging)

    node.publish = publish_late


def died(other):
    return lambda: multiprocessing.connection.wait([other.process.sentinel], 0)


def stopped(other):
    return lambda: Path(f"/proc/{other.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def stop_this_process():
    os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.parametrize("phase", ["published", pytest.param("sealed", marks=pytest.mark.slow)])
def test_who_comes_after_one_that_died_on_its_last_word_still_tells_the_source(root, folder, phase):  # noqa: F811
    chain = Chains(root, folder, stall_timeout=12)
    chain.nodes["beta"].end.at_phase(phase, kill_this_process)
    with chain.apart("beta") as other:
        publish_after(chain.nodes["gamma"], died(other))
        outcomes = chain.run(but=["beta"])
    check(chain, outcomes, lost=["beta"])
    assert outcomes["alpha"].error is None
    assert lost(outcomes) == {"alpha": ("beta",)}
    assert outcomes["gamma"].chain.predecessors == (("beta", 1), ("alpha", 65537))


def test_who_heard_no_farewell_from_one_that_stands_still_tells_the_source_too(root, folder):  # noqa: F811
    chain = Chains(root, folder, stall_timeout=12)
    chain.nodes["beta"].end.at_phase("published", stop_this_process)
    with chain.apart("beta") as other:
        publish_after(chain.nodes["gamma"], stopped(other))
        outcomes = chain.run(but=["beta"])
    check(chain, outcomes, lost=["beta"])
    assert outcomes["alpha"].error is None
    assert lost(outcomes) == {"alpha": ("beta",)}


def test_who_published_is_asked_before_it_is_called_lost(root, folder):  # noqa: F811
    chain = Chains(root, folder, stall_timeout=12)
    chain.nodes["gamma"].end.at_phase("published", kill_this_process)
    with chain.apart("gamma") as other:
        publish_after(chain.nodes["delta"], died(other))
        outcomes = chain.run(but=["gamma"])
    check(chain, outcomes, lost=["gamma"])
    assert outcomes["alpha"].error is None
    assert set(lost(outcomes).values()) == {("gamma",)}


def test_who_published_waits_no_longer_than_others_look_for_it(root, folder):  # noqa: F811
    """The source is dead, and who came first."""
    chain = Chains(root, folder, stall_timeout=6)
    chain.nodes["beta"].end.at_phase("published", kill_this_process)
    with chain.source_apart() as source, chain.apart("beta") as other:
        publish_after(chain.nodes["gamma"], died(other))
        chain.nodes["gamma"].end.at_phase("publishing", source.process.kill)
        running = {host: Running(chain.nodes[host].relay().run) for host in ("gamma", "delta")}
        outcomes = {host: each.result(30) for host, each in running.items()}
    assert [outcome.error for outcome in outcomes.values()] == [None, None]
    assert all(chain.nodes[host].published for host in ("gamma", "delta"))


def test_who_published_waits_for_nobody_when_the_source_has_given_up(root, folder):  # noqa: F811
    chain = Chains(root, folder, ["beta"], lease=60, stall_timeout=80)
    beta, relays = chain.nodes["beta"], []
    beta.prepare = relays.append

    def cancel():
        chain.source.stop.set(Cancelled("enough"))
        assert eventually(lambda: relays[0]._upstream is None)

    beta.end.at_phase("published", cancel)
    outcomes = chain.run()
    assert (outcomes["alpha"].result, outcomes["beta"].error, beta.published) == ("cancelled", None, [True])
    assert beta.end.told("adrift") == []
