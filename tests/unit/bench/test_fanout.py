"""Many destinations: what may stand in one record."""

import pytest
from bench.fanout import CHAIN, ONE, SERIAL, STAR, add, continued, head_of, plan_of
from bench.ours import SETTINGS

from datamover.engine.terms import Terms

MIB = 1 << 20
RUN = {"seconds": 5.0, "sent": [1.0], "load": 0.1}


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


def test_a_round_measures_all_ways_one_after_the_other():
    assert plan_of([2, 8]) == [(ONE, 1), (CHAIN, 2), (SERIAL, 2), (STAR, 2), (CHAIN, 8), (SERIAL, 8), (STAR, 8)]


@pytest.mark.parametrize(("load", "marked"), [(0.1, False), (1.5, True)])
def test_a_run_beside_which_others_were_at_work_is_marked(path, head, capsys, load, marked):
    add(continued(path, head), "one 1", {**RUN, "load": load})
    assert capsys.readouterr().err.endswith(" !\n") is marked


@pytest.mark.parametrize("more", [{}, {"fanout": "chain"}])
def test_its_hosts_are_told_all_that_the_engine_asks_for(more):
    place = {"transfer": "0" * 32, "attempt": 1, "dataset": "0" * 32, "generation": 1, "epoch": 1, "leaf": 0}
    terms = Terms.of({**place, "role": "source", "host": "fan0", "settings": SETTINGS, **more})
    assert terms.chain is bool(more)
