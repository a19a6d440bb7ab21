"""What the rounds of faults have to show to have passed."""

import pytest

from tests.faults.rounds import ENOUGH, failed

GOOD = {"rounds": ENOUGH, "missed phases": [], "lost": [], "left or wrong": []}


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({}, False),
        ({"lost": ["a byte"]}, True),
        ({"left or wrong": ["a lock"]}, True),
        ({"missed phases": ["sealed"]}, True),
        ({"missed phases": ["sealed"], "rounds": ENOUGH - 1}, False),
    ],
)
def test_they_fail_for_what_was_lost_or_left_and_for_a_phase_that_so_many_must_have_struck(changes, bad):
    assert failed({**GOOD, **changes}) is bad
