"""Destinations of a chain die at random moments: one round with a tree and one with a stream in the short form, more in
the long one, where some stand still.
"""

import pytest

from tests.faults import chains

SEED = 27


@pytest.mark.parametrize("number", [1, 2, *(pytest.param(number, marks=pytest.mark.slow) for number in range(3, 21))])
def test_the_living_of_a_chain_end_equal_and_the_dead_are_named(number):
    assert chains.play(chains.draw(SEED, number)).wrong == []


def test_a_seed_draws_the_same_rounds_again_and_strikes_while_all_moves_and_in_each_phase_after():
    rounds = [chains.draw(SEED, number) for number in range(1, 101)]
    assert rounds == [chains.draw(SEED, number) for number in range(1, 101)]
    assert {kill.phase for each in rounds for kill in each.kills} == {"", *chains.LATE}
