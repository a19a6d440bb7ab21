"""What a whole command costs however little it moves, concluded from two sizes; and when it is measured."""

import pytest
from bench import with_salt
from bench.__main__ import measure_with_salt
from bench.campaign import Clock
from bench.figures import GIB, Load
from bench.machine import EVERYTHING, digest_of_code
from bench.record import Record
from bench.with_salt import line

from tests.unit.bench.results import ABOUT, beside, runs


def test_the_fixed_cost_is_what_is_left_when_nothing_is_moved():
    found = line(runs(1.5, 9.0, 1.5), Load(0), runs(3.5), Load(2 * GIB))
    assert (found["fixed"], found["per_gib"], found["verdict"]) == (1.5, 1.0, "not met")


def test_a_small_file_is_not_nothing():
    found = line(runs(1.0), Load(GIB // 2), runs(1.5), Load(GIB))
    assert (found["fixed"], found["per_gib"], found["verdict"]) == (0.5, 1.0, "met")


@pytest.fixture
def quiet(monkeypatch):
    """What is measured now."""
    row = beside(0.1, rounds=3, goal=with_salt.GOAL)
    monkeypatch.setattr(with_salt, "measure", lambda size, runs, over: row)
    return row | {"code": digest_of_code(EVERYTHING)}


@pytest.mark.parametrize(("load", "again", "is_new"), [(0.3, True, False), (2.0, False, False), (2.0, True, True)])
def test_it_is_measured_again_as_any_row_if_that_is_asked_for_and_others_were_at_work(quiet, load, again, is_new):
    record, known = Record(None, ABOUT), {**quiet, "load": load}
    record.put(with_salt.KEY, known)
    measure_with_salt(record, GIB, 3, Clock.of(None), again)
    assert record.rows[with_salt.KEY] == (quiet if is_new else known)


def test_of_other_commands_than_those_of_today_nothing_is_kept(quiet):
    record = Record(None, ABOUT)
    record.put(with_salt.KEY, quiet | {"load": 0.0, "code": "of yesterday"})
    measure_with_salt(record, GIB, 3, Clock.of(None), again=False)
    assert record.rows[with_salt.KEY] == quiet


def test_without_time_it_is_left_out_and_no_machine_is_started():
    assert with_salt.measure(GIB, 3, no_time=True)["left_out"]
