"""What is hoped for, and what can be said of a peer that is not here."""

import pytest
from bench.goals import bridged, judged
from bench.rows import Bridge, Row

from tests.unit.bench.results import result


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(0.99, "not met"), (1.0, "met"), (1.29, "met"), (1.3, "met, and the stretch")],
)
def test_a_ratio_is_judged_by_goal_and_stretch(ratio, verdict):
    assert judged(ratio, (1.0, 1.3)) == verdict


def test_without_a_goal_there_is_no_verdict():
    assert judged(5.0, ()) is None


@pytest.fixture
def row():
    return Row("a group", "incompressible", "big", "salt-transfer", "WDT", bridge=Bridge("socat", 1.25))


def test_an_absent_peer_is_judged_by_way_of_one_that_is_there(row):
    assert bridged(row, {"one": result("nc"), "two": result("socat", 1.0, 2.0)}) == 1.6


ANOTHER = [{"group": "another"}, {"data": "database"}, {"ours": {"name": "salt-transfer, sha256"}}]


@pytest.mark.parametrize("other", ANOTHER)
def test_only_the_same_work_can_be_a_bridge(row, other):
    assert bridged(row, {"one": result("socat") | other}) is None


def test_a_bridge_that_was_left_out_carries_nothing(row):
    left_out = {"group": "a group", "data": "incompressible", "left_out": "socat is not here"}
    assert bridged(row, {"one": left_out}) is None
