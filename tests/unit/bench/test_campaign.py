"""How a campaign spends its time, and what it says of rows."""

import time
from dataclasses import replace

import pytest
from bench.campaign import NO_TIME, Campaign, Clock, NoTime, in_short
from bench.record import Record
from bench.rows import QUICK, Row

from tests.unit.bench.results import ABOUT, beside, result


def left(seconds):
    return Clock(time.monotonic() + seconds)


def test_without_a_budget_every_run_is_made():
    assert Clock.of(None).runs(5, 1e9) == 5


def test_what_does_not_fit_into_the_budget_is_cut_but_not_below_what_a_median_needs():
    assert left(1000).runs(5, 1) == 5
    assert left(45).runs(5, 10) == 4
    with pytest.raises(NoTime):
        left(25).runs(5, 10)


def test_who_wants_fewer_runs_than_a_median_needs_gets_them():
    assert left(25).runs(2, 10) == 2


def test_once_the_time_is_over_no_row_is_begun():
    record, nothing = Record(None, ABOUT), None
    rows = [Row("a group", data, "big", "salt-transfer", "cp") for data in ("incompressible", "database")]
    Campaign(nothing, nothing, QUICK, 5, record, left(0), lambda text: None).carry_out(rows)
    assert [each["left_out"] for each in record.rows.values()] == [NO_TIME, NO_TIME]


def campaign_of(results, record):
    """A campaign whose rows give these results."""
    made = Campaign(None, None, QUICK, 5, record, left(100), lambda text: None)
    made._result = lambda row: results[row.data]
    return made


ROW = Row("a group", "incompressible", "big", "salt-transfer", "cp")


def test_what_is_there_is_measured_again_only_if_asked_for():
    record, new = Record(None, ABOUT), beside(0.1)
    record.put(ROW.key, beside(2.0))
    campaign = campaign_of({ROW.data: new}, record)
    campaign.carry_out([ROW])
    assert record.rows[ROW.key]["load"] == 2.0
    campaign.carry_out([ROW], again={ROW.key})
    assert record.rows[ROW.key] == new


@pytest.mark.parametrize("worse", [{"left_out": NO_TIME}, {"failed": "it died"}, beside(3.0)])
def test_figures_give_way_only_to_those_of_a_quieter_machine(worse):
    record = Record(None, ABOUT)
    record.put(ROW.key, beside(2.0))
    campaign_of({ROW.data: worse}, record).carry_out([ROW], again={ROW.key})
    assert record.rows[ROW.key] == beside(2.0)


def test_a_row_without_a_goal_has_no_more_rounds_than_a_median_needs():
    campaign = campaign_of({}, Record(None, ABOUT))
    assert [campaign._wanted(replace(ROW, goal=goal)) for goal in ((), (1, 2))] == [3, 5]


def test_a_row_is_told_in_one_line():
    assert in_short(result(goal=(1.0, 3.0))) == "1074 against 537 MB/s: 2.00 (goal 1: met), in 9 s"
    assert in_short({"failed": "it died"}) == "it died"
    assert in_short({"left_out": "no time"}) == "no time"
