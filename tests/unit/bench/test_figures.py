"""Medians, rates and ratios."""

from bench.figures import GIB, Load, Run, ratio, spread, summary

from tests.unit.bench.results import runs


def test_one_slow_run_does_not_move_the_median():
    assert summary(runs(1.0, 2.0, 60.0), Load(GIB))["seconds"] == 2.0


def test_rates_are_of_the_median_run():
    found = summary(runs(2.0), Load(400_000_000, 1000))
    assert (found["mb_per_s"], found["files_per_s"]) == (200.0, 500)


def test_a_single_file_has_no_rate_of_files():
    assert summary(runs(2.0), Load(GIB))["files_per_s"] is None


def test_processor_time_is_of_both_ends_and_for_a_gibibyte():
    run = Run(1.0, {"source": 1.0, "destination": 2.0}, {"source": 0, "destination": 0})
    found = summary([run], Load(GIB // 2))
    assert (found["processor_per_gib"], found["processor_per_gib_source"]) == (6.0, 2.0)


def test_memory_is_told_by_end():
    run = Run(1.0, {"source": 0, "destination": 0}, {"source": 3 << 20, "destination": 5 << 20})
    found = summary([run], Load(GIB))
    assert (found["memory_mib_source"], found["memory_mib_destination"]) == (3.0, 5.0)


def test_who_takes_half_the_time_is_twice_as_fast():
    assert ratio(summary(runs(1.0), Load(GIB)), summary(runs(2.0), Load(GIB))) == 2.0


def test_the_spread_is_the_fastest_over_the_slowest():
    assert spread(summary(runs(1.0, 3.0, 2.0), Load(GIB))) == 3.0
