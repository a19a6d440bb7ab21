"""Every transfer that minions know gets one word for where it stands."""

import pytest

from transferplan import inventory
from transferplan.errors import Refused

from .samples import OTHER, TRANSFER


def end(role="destination", phase="failed", **changes):
    told = {"transfer": TRANSFER, "host": role, "role": role, "phase": phase, "alive": False, "rests": False}
    return {**told, "attempt": 1, "asked_by": {"user": "ann"}, "wall": "2026-01-01", **changes}


SOURCE = end("source")


@pytest.mark.parametrize(
    "ends, state",
    [
        ([SOURCE, end(phase="moving", alive=True)], "running"),
        ([end("source", "moving", alive=True), end()], "running"),
        ([SOURCE, end(phase="moving")], "orphaned"),
        ([SOURCE, end(rests=True)], "resumable"),
        ([end("source", "published"), end(rests=True)], "resumable"),
        ([end(rests=True)], "resting"),
        ([SOURCE, end()], "finished"),
        ([end("source", "published"), end(phase="published")], "finished"),
        ([end("source", "cancelled"), end(phase="cancelled")], "finished"),
        ([end("source", rests=True)], "finished"),
    ],
)
def test_the_state_follows_from_what_the_ends_tell(ends, state):
    assert inventory.state(ends) == state


def test_ends_are_joined_and_the_newest_comes_first():
    runs = [SOURCE, end(transfer=OTHER, wall="2026-02-02", attempt=3), end()]
    first, second = inventory.transfers(runs)
    assert (first["transfer"], first["attempt"], len(second["ends"])) == (OTHER, 3, 2)
    assert second["asked_by"] == {"user": "ann"}


def test_only_the_states_that_are_asked_for_are_listed():
    runs = [SOURCE, end(rests=True), end(transfer=OTHER, phase="published")]
    assert [each["state"] for each in inventory.transfers(runs, ("resumable",))] == ["resumable"]
    assert len(inventory.transfers(runs, ("resumable", "finished"))) == 2


def test_states_are_read_as_a_user_writes_them():
    assert inventory.read_states(None) == ()
    assert inventory.read_states("Running, resting") == inventory.read_states(["resting", "running"])
    with pytest.raises(Refused, match="state must be .*running.*, not 'asleep'"):
        inventory.read_states("asleep")
