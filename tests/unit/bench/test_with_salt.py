"""What a whole command costs however little it moves, concluded from two sizes."""

from bench.figures import GIB, Load
from bench.with_salt import line

from tests.unit.bench.results import runs


def test_the_fixed_cost_is_what_is_left_when_nothing_is_moved():
    found = line(runs(1.5, 9.0, 1.5), Load(0), runs(3.5), Load(2 * GIB))
    assert (found["fixed"], found["per_gib"], found["verdict"]) == (1.5, 1.0, "not met")


def test_a_small_file_is_not_nothing():
    found = line(runs(1.0), Load(GIB // 2), runs(1.5), Load(GIB))
    assert (found["fixed"], found["per_gib"], found["verdict"]) == (0.5, 1.0, "met")
