"""Deaths, cuts and cancels at seeded moments, each followed by attempts until all has arrived.

A few moments in the short form, twenty of each kind in the long one.
"""

import threading

import pytest

from tests.faults import world as worlds
from tests.faults.rounds import Play
from tests.faults.schedule import ENDS, MOVING, PHASES, Fault, Kind, Round
from tests.support.waiting import eventually

pytestmark = pytest.mark.root

SEED = 11
MINUTE = 60
LONGEST_SILENCE = 200
"""Seconds until a kernel that has sent in vain for a minute tries again, and what then is left to do."""
TRIES = 8
"""Some phases take milliseconds: who wants to strike in one may come too late."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with worlds.World(tmp_path_factory.mktemp("world")) as world:
        yield world


def moments(*few, many=20):
    """(phase, share) of the moments at which a fault strikes; most are only in the long form."""
    shares = [(MOVING, number / many) for number in range(many)]
    phases = [(phase, 0.0) for phase in PHASES if phase != MOVING]
    rest = [each for each in (*phases, *shares) if each not in few]
    slow = [pytest.param(*each, marks=pytest.mark.slow) for each in rest]
    return pytest.mark.parametrize(("phase", "share"), [*few, *slow])


def play(world, record, kind, phase, share, after="nothing", **changes):
    """Play one round with this one fault, again until it struck when it should; what it hit is recorded."""
    asked = {"encrypt": True, "streams": 2, "verify": "readback", **changes}
    for _ in range(TRIES):
        told = Play(world, Round(0, SEED, 7, **asked, faults=(Fault(kind, phase, share, after),))).run()
        assert told.wrong == []
        if any(hit.aimed for hit in told.hits):
            break
    assert told.hits and all(hit.aimed for hit in told.hits), f"in {TRIES} rounds nothing struck in {phase}: {told}"
    for hit in told.hits:
        record("hit", f"{hit.fault} in {hit.phase} with {hit.landed} bytes landed")
    return told


@moments((MOVING, 0.2))
def test_kill_of_the_source(world, record_property, phase, share):
    play(world, record_property, Kind("kill", ("source",)), phase, share)


@moments((MOVING, 0.5))
def test_kill_of_the_destination(world, record_property, phase, share):
    play(world, record_property, Kind("kill", ("destination",)), phase, share, "a byte is flipped in staging")


@moments((MOVING, 0.4))
def test_power_cuts(world, record_property, phase, share):
    play(world, record_property, Kind("power cut", ENDS), phase, share, "a source file is replaced")


@moments((MOVING, 0.3), many=4)
def test_workers_that_stand_still(world, record_property, phase, share):
    play(world, record_property, Kind("stop", ("destination",)), phase, share)


@moments((MOVING, 0.6), many=4)
def test_a_cut_for_ever(world, record_property, phase, share):
    play(world, record_property, Kind("cut", ENDS), phase, share)


@moments((MOVING, 0.5), many=4)
def test_a_cut_for_a_moment(world, record_property, phase, share):
    told = play(world, record_property, Kind("cut for a moment", ENDS), phase, share)
    assert told.attempts == (2 if phase in ("prepared", "armed") else 1)  # there nobody says go, so that attempt ends


@pytest.mark.slow
def test_a_cut_for_a_minute(world, record_property):
    worlds.empty(world.home / "data")
    worlds.empty(world.home / "srv")
    worlds.plant_tree(world.home / "data", 7)
    transfer = worlds.Attempts(world, streams=2, stall_timeout=300).next().begin()
    transfer.follow_until("destination", MOVING)
    assert eventually(transfer.landed)
    record_property("hit", f"cut for a minute both in {MOVING} with {transfer.landed()} bytes landed")
    world.cut()
    threading.Event().wait(MINUTE)  # not for anything: time is what this is about
    world.heal()
    eventually(lambda: all(transfer.run(role).verdict for role in ENDS), LONGEST_SILENCE)
    assert [verdict["result"] for verdict in transfer.verdicts()] == ["published"] * 2
    assert worlds.differences(world) == []
    assert world.left(transfer.transfer, kept=("data",)) == []


@moments((MOVING, 0.5), many=4)
def test_connections_that_are_reset(world, record_property, phase, share):
    play(world, record_property, Kind("reset", ENDS), phase, share, streams=3)


@moments(("armed", 0.0), many=4)
def test_cancels(world, record_property, phase, share):
    play(world, record_property, Kind("cancel", ("destination",)), phase, share)
    play(world, record_property, Kind("cancel", ("source",)), phase, share)
