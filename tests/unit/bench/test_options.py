"""The command line of the bench."""

import json
import sys

import pytest
from bench import __main__ as command
from bench import clones, fanout
from bench.__main__ import DATA, budget, chosen, parser, place_of, scale_of, span_of
from bench.record import write
from bench.rows import FULL, QUICK, ROWS, Scale

from tests.unit.bench.results import ABOUT


def options(*words):
    return parser().parse_args(words)


def names(*words):
    return [row.key for row in chosen(ROWS, options(*words))]


def test_without_a_word_it_is_everything():
    assert len(names()) == len(ROWS)


def test_quick_means_the_main_rows_and_little_data():
    assert 10 < len(names("--quick")) < len(ROWS) / 2
    assert scale_of(options("--quick")) == QUICK


def test_quick_begins_no_row_after_five_minutes_unless_more_is_given():
    assert budget(options("--quick")) < 300
    assert budget(options("--quick", "--time-budget", "20m")) == 1200
    assert budget(options()) is None


def test_rows_are_chosen_by_a_part_of_their_name():
    assert names("--only", "transferpy") == [row.key for row in ROWS if "transferpy" in row.key]


def test_a_pattern_is_for_the_whole_name():
    assert names("--only", "* / socat") == [row.key for row in ROWS if row.key.endswith(" / socat")]


def test_several_choices_add_up():
    both = names("--only", "scp", "--only", "* / socat")
    assert sorted(both) == sorted(names("--only", "scp") + names("--only", "* / socat"))


def test_who_names_rows_gets_them_even_if_quick_would_not_take_them():
    assert names("--quick", "--only", "scp")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_spans_are_read(text, seconds):
    assert span_of(text) == seconds


def test_sizes_can_be_given():
    scale = scale_of(options("--size", "4G", "--files", "7"))
    assert (scale.big, scale.many, scale.for_slow) == (4 << 30, 7, Scale().for_slow)


def test_full_means_large_files_for_the_goals_that_are_meant_for_them_in_a_record_of_their_own():
    found = options("--full")
    assert scale_of(found).big == 4 << 30
    assert place_of(found) != place_of(options()) == DATA
    assert {row.amount for row in FULL} == {"big"}
    assert {row.theirs for row in FULL} >= {"rsync daemon", "transferpy, nothing on", "WDT aes128gcm", "socat TLS"}
    assert not any("compress" in row.group for row in FULL)


@pytest.mark.parametrize("words", [["--render"], ["--full", "--render"]])
@pytest.mark.parametrize("there", [[], ["FULL_DATA"]])
def test_pages_of_what_was_not_measured_are_refused_in_words(tmp_path, monkeypatch, capsys, words, there):
    for name in ("DATA", "FULL_DATA"):
        monkeypatch.setattr(command, name, tmp_path / f"{name}.json")
    for name in there:
        write(getattr(command, name), json.dumps({"format": 1, "about": ABOUT, "rows": {}}))
    monkeypatch.setattr(command, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    missing = command.FULL_DATA if "--full" in words and not there else command.DATA
    assert command.main() == 70
    assert capsys.readouterr().err.startswith(f"bench: {missing} is not there, or is no record: ./dev bench")
    assert sorted(tmp_path.iterdir()) == [getattr(command, name) for name in there]


@pytest.mark.parametrize("part", [clones, fanout], ids=["clones", "fanout"])
def test_a_page_of_a_part_that_was_not_measured_is_refused_in_words(tmp_path, monkeypatch, capsys, part):
    name = part.__name__.rpartition(".")[2]
    monkeypatch.setattr(part, "DATA", tmp_path / f"{name}.json")
    assert part.main(["--render"]) == 70
    assert f"{name}.json is not there, or is no record: ./dev bench {name} --write-docs" in capsys.readouterr().err
