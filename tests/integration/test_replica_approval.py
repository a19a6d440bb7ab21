"""Repairs that wait for a person, and what only the scheduler's patrol notices: nothing is done before it is approved.
"""

import json

import pytest

from tests.support.copying import restart_minions
from tests.support.replicas import REACTOR, attempts, clone, lose_the_log, stop_by_an_error, written_to

NAMES = ("db1", "db2")
REPAIR = {"clusters": {"shop": {"primary": "db1", "replicas": ["db2"]}}, "approve": True, "daily": 9, "cooldown": 0}
PATROL = {"function": "replica.patrol", "seconds": 5, "maxrunning": 1}
OWN = "/etc/salt/master.d/own.conf"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fleet():
    with written_to(NAMES, {"reactor": REACTOR, "replica_repair": REPAIR}) as lab:
        done = clone(lab)
        assert done.data["result"] == "ok", done.data
        yield lab


@pytest.fixture
def patrolled(fleet):
    """The master's scheduler looks after the replicas, and no alert is heeded."""
    configure(fleet, {"reactor": [], "schedule": {"replicas": PATROL}})
    yield
    configure(fleet, {})


def configure(fleet, config):
    place = fleet.master.path(OWN)
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(config))
    fleet.master.run(["systemctl", "restart", "salt-master"])
    restart_minions(fleet, [fleet.machine(name) for name in NAMES])


def lose_the_data(fleet):
    """The server goes on; nothing tells of it."""
    fleet.machine("db2").run(["rm", "-rf", "/srv/mysql"])


def proposed(bus):
    """What is proposed first of all."""
    return bus.await_event("salt/replica/proposed", 300)


def approve(fleet, name):
    done = fleet.run_runner("replica.approve", name)
    assert (done.returncode, done.data["result"]) == (0, "repaired"), done.data
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]


@pytest.mark.parametrize(("trouble", "words"), [(stop_by_an_error, "error 1032"), (lose_the_log, "error 1236")])
def test_an_alert_has_a_repair_proposed_and_nothing_else_is_done_before_somebody_approves(fleet, trouble, words):
    before = attempts(fleet)
    with fleet.bus() as bus:
        trouble(fleet)
        told = proposed(bus)
    assert told["host"] == "db2" and words in told["reasons"][0]
    assert fleet.run_runner("replica.recover", "db2").data["result"] == "proposed"
    assert list(fleet.run_runner("replica.proposals").data["proposals"]) == [told["proposal"]]
    assert attempts(fleet) == before
    assert fleet.machine("db2").output("find", "/srv", "-maxdepth", "1", "-name", "mysql.incoming") == ""
    approve(fleet, told["proposal"])
    assert fleet.run_runner("replica.proposals").data["proposals"] == {}
    assert attempts(fleet) == [*before, "repaired"]


def test_the_masters_scheduler_finds_what_no_beacon_tells(fleet, patrolled):
    before = attempts(fleet)
    with fleet.bus() as bus:
        lose_the_data(fleet)
        told = proposed(bus)
    assert told["reasons"] == ["The data directory /srv/mysql of db2 is gone."]
    assert attempts(fleet) == before
    approve(fleet, told["proposal"])
    assert attempts(fleet) == [*before, "repaired"]
