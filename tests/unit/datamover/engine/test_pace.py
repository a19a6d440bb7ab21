"""Who holds up those behind it."""

import pytest

from datamover.engine.pace import Pace

MIB = 1024 * 1024


def look(*looks):
    """Whether the last of (seconds, bytes here, seconds in which they came, bytes there) finds it slow."""
    pace = Pace()
    return [pace.is_slow(now, (here, seconds), there) for now, here, seconds, there in looks][-1]


@pytest.mark.parametrize(
    ("here", "there", "slow"),
    [
        (1000, 990, False),
        (1000, 500, False),
        (1000, 300, False),
        (1000, 200, True),
        (1000, 0, True),
        (60, 0, False),
    ],
)
def test_it_takes_less_than_a_quarter_of_what_arrives_and_lacks_much(here, there, slow):
    looks = [(second, here * second / 20 * MIB, second, there * second / 20 * MIB) for second in (0, 10, 20)]
    assert look(*looks) is slow


def test_nothing_is_decided_at_once():
    assert look((0, 0, 0, 0), (1, 1000 * MIB, 1, 0)) is False


def test_when_all_is_here_the_pace_at_which_it_came_counts():
    assert look((0, 0, 0, 0), (10, 1000 * MIB, 10, 10 * MIB), (100, 1000 * MIB, 10, 100 * MIB)) is True
    assert look((0, 0, 0, 0), (10, 1000 * MIB, 10, 500 * MIB), (20, 1000 * MIB, 10, 900 * MIB)) is False


def test_what_it_had_before_does_not_make_it_fast():
    assert look((0, 1000 * MIB, 10, 300 * MIB), (5, 1000 * MIB, 10, 301 * MIB), (10, 1000 * MIB, 10, 302 * MIB)) is True


@pytest.mark.parametrize("last", [10, 9.5])
def test_a_clock_without_what_the_limit_took_may_stand_still_or_go_back(last):
    assert look((10, 0, 1, 0), (10, 1000 * MIB, 10, 0), (last, 1000 * MIB, 10, 100 * MIB)) is False
