"""How a campaign spends its time, and what it says of rows."""

import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from bench.campaign import DOUBTS, NO_TIME, Campaign, Clock, NoTime, doubts, in_short, is_due, rounds_for
from bench.figures import ROLES, Load, Run
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
    campaign.carry_out([ROW], again=True)
    assert record.rows[ROW.key] == new


@pytest.mark.parametrize("worse", [{"left_out": NO_TIME}, {"failed": "it died"}, beside(3.0)])
def test_figures_give_way_only_to_those_of_a_quieter_machine(worse):
    record = Record(None, ABOUT)
    record.put(ROW.key, beside(2.0))
    campaign_of({ROW.data: worse}, record).carry_out([ROW], again=True)
    assert record.rows[ROW.key] == beside(2.0)


GOAL = (1, 9)
STEADY, SCATTERED = [300.0, 310.0, 305.0], [300.0, 500.0, 310.0]


def measured(load=0.1, rounds=5, runs_of_ours=STEADY, **more):
    """A row with figures, the runs of its own side as given."""
    row = beside(load, rounds=rounds, goal=GOAL, **more)
    return row | {"ours": row["ours"] | {"runs_mb_per_s": runs_of_ours}}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (measured(), []),
        (measured(load=1.5), DOUBTS[:1]),
        (measured(runs_of_ours=SCATTERED), DOUBTS[1:2]),
        (measured(rounds=4), DOUBTS[2:]),
        (measured(load=1.5, rounds=3, runs_of_ours=SCATTERED), DOUBTS),
        (measured(rounds=3) | {"goal": []}, []),
    ],
)
def test_figures_are_doubtful_beside_others_if_they_scatter_or_are_of_few_rounds(row, found):
    assert doubts(row, 5) == list(found)


def test_what_is_doubtful_is_due_only_if_asked_for_and_what_has_no_figures_always():
    assert not is_due(measured(load=1.5), 5, again=False) and not is_due(measured(), 5, again=True)
    assert is_due(measured(load=1.5), 5, again=True)
    assert all(is_due(without, 5, again=False) for without in ({}, {"failed": "it died"}, {"left_out": NO_TIME}))


def kept(known, found):
    """What a record holds of a row of which it knew something when it was measured again."""
    record = Record(None, ABOUT)
    record.put(ROW.key, known)
    campaign_of({ROW.data: found}, record).carry_out([ROW], again=True)
    return record.rows[ROW.key]


def test_steady_figures_take_the_place_of_scattered_ones_whichever_are_better():
    scattered = measured(load=0.0, runs_of_ours=SCATTERED)
    for ratio in (0.5, 9.0):
        steady = measured(load=0.2) | {"ratio": ratio}
        assert kept(scattered, steady) == steady
    assert kept(scattered, measured(load=1.5, runs_of_ours=SCATTERED)) == scattered


def test_a_row_without_a_goal_has_no_more_rounds_than_a_median_needs():
    assert [rounds_for(goal, 5) for goal in ((), GOAL)] == [3, 5]


def test_a_row_is_told_in_one_line():
    assert in_short(result(goal=(1.0, 3.0))) == "1074 against 537 MB/s: 2.00 (goal 1: met), in 9 s"
    assert in_short({"failed": "it died"}) == "it died"
    assert in_short({"left_out": "no time"}) == "no time"


class Side:
    """Notes its turns; each run takes a second longer than the one before."""

    apart = ""
    effort = "nothing"

    def __init__(self, name, turns):
        self.name, self._turns, self._runs = name, turns, 0

    def arrival(self, _place, _name):
        return None

    def run(self, _stage):
        self._turns.append(self.name)
        self._runs += 1
        return Run(float(self._runs), dict.fromkeys(ROLES, 0.0), dict.fromkeys(ROLES, 0), {})


def test_sides_alternate_and_the_first_run_of_each_only_warms_up(monkeypatch, tmp_path):
    turns = []
    network = SimpleNamespace(over=lambda _link: nullcontext({}))
    grounds = SimpleNamespace(fresh=lambda _place, _load: nullcontext(tmp_path), things=tmp_path)
    monkeypatch.setattr("bench.campaign.check_equal", lambda _source, _target: None)
    campaign = Campaign(network, grounds, QUICK, 5, Record(None, ABOUT), Clock.of(None), lambda text: None)
    row = Row("a group", "incompressible", "big", "ours", "theirs", goal=GOAL)
    measured = campaign._alternate(row, [Side(name, turns) for name in ("ours", "theirs")], tmp_path, Load(1))
    assert turns == ["ours", "theirs"] * 6
    assert [[run.seconds for run in runs] for runs in measured] == [[2.0, 3.0, 4.0, 5.0, 6.0]] * 2
