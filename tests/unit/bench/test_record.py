"""Figures are kept row by row, and taken up again only where they can stand beside new ones."""

import json

import pytest
from bench.errors import BenchError
from bench.record import SAME, Record, to_show

from tests.unit.bench.results import ABOUT, result


@pytest.fixture
def path(tmp_path):
    return tmp_path / "figures.json"


def test_each_row_is_on_the_disk_at_once(path):
    Record(path, ABOUT).put("row", result())
    assert json.loads(path.read_text())["rows"]["row"]["ratio"] == 2.0
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_was_measured_is_not_measured_again(path):
    Record(path, ABOUT).put("row", result())
    again = Record(path, ABOUT)
    assert again.resumed and again.rows == {"row": result()} and again.others == []


@pytest.mark.parametrize("name", SAME)
def test_figures_of_other_circumstances_are_not_mixed_in(path, name):
    Record(path, ABOUT).put("row", result())
    other = Record(path, ABOUT | {name: "other"})
    assert not other.resumed and other.rows == {} and other.others == [name]


def test_asked_for_afresh_it_begins_anew(path):
    Record(path, ABOUT).put("row", result())
    assert Record(path, ABOUT, fresh=True).rows == {}


def test_a_file_that_is_no_record_is_no_obstacle(path):
    path.write_text("{")
    assert not Record(path, ABOUT).resumed


@pytest.mark.parametrize("text", [None, "", "{", "{}"])
def test_a_record_that_is_to_be_shown_and_is_none_is_told_with_who_keeps_it(path, text):
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchError, match=f"{path} is not there, or is no record: ./dev bench --full --write-docs"):
        to_show(path, "./dev bench --full")


def test_without_a_file_it_is_kept_in_memory():
    record = Record(None, ABOUT)
    record.put("row", result())
    assert record.rows == {"row": result()}
