"""The model of a chain: what must hold of it whatever the constants, and that it fits what was measured."""

import json
import math
from dataclasses import replace

import pytest
from bench import chain_model
from bench.chain_model import (
    MIB,
    Chain,
    Shared,
    best_piece,
    calibrated,
    seconds,
    serial,
    star,
    steady,
    together,
    tree,
    tree_wins_at,
)
from bench.fanout import slower_records
from bench.fanpage import worst_load
from bench.machine import BUSY

from datamover.engine import loads, terms

CHAIN = Chain(size=1024 * MIB, speeds=(60e6,), hop=0.05, start=0.3, end=0.2)


def test_one_destination_takes_the_wire_and_a_start_and_an_end():
    assert seconds(CHAIN, 1) == pytest.approx(0.3 + 0.2 + CHAIN.size / 60e6)


def test_each_further_destination_costs_a_piece_and_a_hop():
    for hosts in (2, 3, 8, 30):
        grown = seconds(CHAIN, hosts) - seconds(CHAIN, 1)
        assert grown == pytest.approx((hosts - 1) * (CHAIN.piece / 60e6 + 0.05))


def test_the_short_form_is_the_simulation_where_all_hops_are_alike():
    for hosts in (1, 2, 17):
        assert steady(replace(CHAIN, work=0.01), hosts) == pytest.approx(
            seconds(replace(CHAIN, work=0.01), hosts)
        )


def test_the_slowest_hop_sets_the_pace_wherever_it_stands():
    first = seconds(replace(CHAIN, speeds=(20e6, 60e6, 60e6)), 3)
    last = seconds(replace(CHAIN, speeds=(60e6, 60e6, 20e6)), 3)
    assert first == pytest.approx(last)
    assert first > CHAIN.size / 20e6


def test_what_is_smaller_than_a_piece_is_passed_on_whole():
    little = replace(CHAIN, size=4096)
    assert seconds(little, 3) == pytest.approx(0.5 + 3 * 4096 / 60e6 + 2 * 0.05)


def test_the_other_ways_cost_what_they_must():
    wire = CHAIN.size / 60e6
    assert serial(CHAIN, 4) == pytest.approx(4 * (0.5 + wire))
    assert star(CHAIN, 4) == pytest.approx(0.5 + 4 * wire)
    assert tree(CHAIN, 6) == pytest.approx(0.5 + 2 * wire + 2 * CHAIN.piece / 60e6 + 0.05)


def test_a_tree_wins_at_last_and_the_sooner_the_less_there_is():
    at = tree_wins_at(CHAIN)
    assert tree(CHAIN, at) < seconds(CHAIN, at) and tree(CHAIN, at - 1) >= seconds(CHAIN, at - 1)
    assert tree_wins_at(replace(CHAIN, size=CHAIN.size // 8)) < at
    assert tree_wins_at(replace(CHAIN, size=CHAIN.size * 10_000)) is None


def test_the_best_piece_is_smaller_for_more_hosts_and_greater_where_each_costs_work():
    costly = replace(CHAIN, work=0.002)
    assert best_piece(costly, 1000) < best_piece(costly, 8)
    assert best_piece(replace(CHAIN, work=0.0), 8) == 1 << 16


def test_deaths_cost_time_in_the_mean_and_nothing_where_there_are_none():
    with_failures = chain_model.with_failures
    assert with_failures(CHAIN, 8) == pytest.approx(seconds(CHAIN, 8))
    often = replace(CHAIN, failures=10.0, notice=5.0)
    expected = 8 * (1 - math.exp(-10 * seconds(CHAIN, 8) / 3600)) * 5.0
    assert with_failures(often, 8, rounds=3000) - seconds(CHAIN, 8) == pytest.approx(expected, rel=0.15)
    assert with_failures(often, 8, seed=1) == with_failures(often, 8, seed=1)


def test_the_piece_and_the_patience_are_those_of_the_engine():
    assert (chain_model.PIECE, chain_model.NOTICE) == (loads.PIECE, terms.LONGEST_QUIET)


def test_constants_are_found_again():
    found = calibrated(CHAIN.size, seconds(CHAIN, 1), seconds(CHAIN, 2), 60e6, end=0.2)
    assert (found.start, found.hop) == (pytest.approx(0.3), pytest.approx(0.05))


def test_a_second_host_that_cost_nothing_makes_no_negative_hop():
    assert calibrated(CHAIN.size, 20.0, 20.0, 60e6).hop == 0.0


def test_where_all_share_a_machine_nothing_is_over_before_its_cores_have_done_the_work_of_all():
    shared = Shared(cores=2, one=4.0, further=3.0)
    assert shared.seconds(8) == pytest.approx(12.5)
    assert together(CHAIN, 2, shared) == pytest.approx(seconds(CHAIN, 2))
    assert together(CHAIN, 20, shared) == pytest.approx(30.5)


def test_what_hosts_need_of_the_processor_is_that_of_the_measured_copies_to_one_and_two():
    rows = {"one 1": [1.0, 3.0, 1.8], "chain 2": [3.0, 3.2, 9.0], "chain 8": [11.0]}
    runs = {key: {"runs": [{"processor": each} for each in told]} for key, told in rows.items()}
    shared = chain_model.shared_of({"about": {"machine": {"cores": 4}}, "rows": runs})
    assert shared == Shared(4, 1.8, pytest.approx(1.4))


@pytest.mark.parametrize("path", [chain_model.DATA, *slower_records()], ids=lambda path: path.stem)
def test_it_predicts_what_was_measured_within_a_tenth(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    if worst_load(document) > BUSY:
        pytest.skip("it was measured on a busy machine, which the page says")
    off = chain_model.errors(document)
    assert {4, 8} <= set(off)
    assert all(abs(share) <= chain_model.NEAR for share in off.values()), off
