<<<<<<< HEAD
"""Many destinations: what may stand in one record."""

import pytest
from bench.fanout import add, continued, head_of

MIB = 1 << 20
RUN = {"seconds": 5.0, "sent": [1.0]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fanout.json"


@pytest.fixture
def head():
    return head_of(64 * MIB, 100, [2, 4, 8])


def test_further_rounds_are_added_and_the_busiest_of_them_is_told(path, head):
    add(continued(path, {**head, "load": 0.1}), "one 1", RUN)
    add(continued(path, {**head, "load": 1.5}), "one 1", {**RUN, "seconds": 7.0})
    last = continued(path, {**head, "load": 0.3})
    assert last.resumed and len(last.rows["one 1"]["runs"]) == 2
    assert (last.document["about"]["load"], last.document["medians"]) == (1.5, {"one 1": 6.0})


@pytest.mark.parametrize(("size", "rate"), [(64 * MIB, 500), (256 * MIB, 100)])
def test_rounds_over_other_links_or_of_other_amounts_do_not_stand_beside_each_other(path, head, size, rate):
    add(continued(path, head), "one 1", RUN)
    assert not continued(path, head_of(size, rate, [2, 4, 8])).rows
=======
"""What is measured of one source and many destinations, and what goes on with figures that are there."""

import json

import pytest
from bench import fanout
from bench.fanout import CHAIN, ONE, SERIAL, STAR, parser, plan_of


class NoField:
    """Takes no time and moves nothing."""

    def __init__(self, *_how):
        pass

    def once(self, _way, count):
        shares = [1.0] * (count + 1)
        return {"seconds": float(count), "processor": 0.1, "received": shares, "sent": shares}


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """measure(*words) -> the document, by the command line, with nothing behind it."""
    monkeypatch.setattr(fanout, "Field", NoField)
    monkeypatch.setattr(fanout, "Switch", lambda *_how: None)
    monkeypatch.setattr(fanout, "Grounds", lambda: type("Grounds", (), {"things": tmp_path / "things"}))
    monkeypatch.setattr(fanout, "write_random", lambda *_how: None)
    monkeypatch.setattr(fanout, "SETTLED", 0)
    monkeypatch.setattr(fanout, "others_at_work", lambda: 0.25)
    file = tmp_path / "figures.json"

    def run(*words):
        fanout.measure(parser().parse_args(["--json", str(file), "--nodes=2", *words]))
        return json.loads(file.read_text(encoding="utf-8"))

    return run


def test_a_round_measures_all_ways_one_after_the_other():
    assert plan_of([2, 8]) == [(ONE, 1), (CHAIN, 2), (SERIAL, 2), (STAR, 2), (CHAIN, 8), (SERIAL, 8), (STAR, 8)]


def test_each_run_tells_who_else_was_at_work(measure):
    rows = measure()["rows"]
    assert [run["load"] for row in rows.values() for run in row["runs"]] == [0.25] * 4


def test_further_rounds_are_added(measure):
    measure("--ways=one")
    assert len(measure("--ways=one", "--rounds=2")["rows"]["one 1"]["runs"]) == 3


@pytest.mark.parametrize("other", ["--rate=100", "--size=64M"])
def test_figures_of_another_rate_or_size_are_not_gone_on_with(measure, other):
    measure()
    assert len(measure("--ways=one", other)["rows"]) == 1
>>>>>>> b184127 (Tell before each run to many destinations who else was at work, and begin anew at another rate)
