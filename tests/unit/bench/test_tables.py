"""Tables for a terminal and for the page, the picture, and that the page in docs is what the program writes."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from bench.__main__ import DATA, FULL_DATA, pages
from bench.figures import Load
from bench.page import page
from bench.plot import picture, x_of
from bench.record import read
from bench.tables import cells, in_text, rate, rounds, score

from tests.unit.bench.results import beside, document, result, side

LEFT_OUT = {"group": "a group", "data": "database", "goal": [1, 2], "left_out": "pigz is not here"}
FAILED = {"group": "a group", "data": "database", "goal": [1, 2], "failed": "it died"}
GUESSED = LEFT_OUT | {"guess": 1.2, "verdict": "met", "bridge": {"peer": "socat", "factor": 1.34}}


def test_a_row_shows_both_sides_and_the_goal():
    shown = cells(result("socat", 1.0, 2.0, goal=(1.5, 4)))
    assert shown[:3] == ("salt-transfer", "socat", "incompressible, 1 GiB")
    assert shown[3:8] == ("1,074", "537", "2.00", "1", "1.5 / 4: met")


def test_a_row_says_how_many_rounds_it_had_and_whether_others_were_at_work():
    assert rounds(beside(0.2, rounds=3)) == "3"
    assert rounds(beside(1.7, rounds=5)) == "5 !"


def test_many_files_have_a_rate_of_their_own():
    assert rate(side("ours", 2.0, load=Load(100_000_000, 5000))) == "50, 2,500 files/s"


def test_runs_that_lie_far_apart_are_marked():
    assert rate(side("ours", 1.0, 2.0, load=Load(100_000_000))).endswith(" ~")


def test_a_link_stands_beside_the_data():
    assert cells(result(link="1 Gbit/s"))[2] == "incompressible, 1 GiB, 1 Gbit/s"


def test_columns_stand_below_each_other():
    head, one, other = in_text(document(a=result("nc"), b=result("a much longer name"))).splitlines()[1:4]
    assert one.index("incompressible") == other.index("incompressible") == head.index("data")


@pytest.mark.parametrize(
    ("without", "words"),
    [
        (LEFT_OUT, "row: left out: pigz is not here."),
        (FAILED, "row: failed: it died."),
        (GUESSED, "row: pigz is not here; concluded, not measured: 1.20 (goal 1 / 2: met), by way of socat"),
    ],
)
def test_a_row_without_figures_is_told_below_the_table(without, words):
    told = document(row=without, other=result())
    assert words in in_text(told)
    assert words in page(told)


def test_what_the_clock_does_not_show_is_told():
    apart = result()
    apart["theirs"]["apart"] = "3 s of sleep"
    assert "socat: 3 s of sleep are not in the clock." in in_text(document(row=apart))


def test_what_is_true_of_several_rows_is_said_once():
    told = in_text(document(one=LEFT_OUT, other=LEFT_OUT))
    assert "one; other: left out: pigz is not here." in told


def test_only_what_was_measured_counts_among_the_goals_and_the_rest_is_told():
    rows = {"a": result(goal=(1, 9)), "b": result(goal=(5, 9)), "c": result()}
    assert score(document(**rows)) == "1 of 2 goals that were measured are met."
    assert score(document(**rows, d=GUESSED)).endswith("are met. 1 was not measured.")
    assert score(document(**rows, d=GUESSED, e=LEFT_OUT)).endswith("are met. 2 were not measured.")


def test_the_page_shows_the_lines_of_what_was_measured_and_no_others():
    text = page(document(row=result("socat")))
    assert "source$ socat -u" in text
    assert "rsync --daemon" not in text


def test_the_page_shows_the_longest_stages_of_both_ends():
    told = result()
    times = {"read": 0.5, "encrypt": 2.0, "wait": 9.0, "read_back": 1.0, "digest": 0.1}
    told["ours"] |= {"stages": {"source": times, "destination": {"write": 0.25}}, "wire_bytes": told["bytes"] // 2}
    assert "| row | 50% | encrypt 2.00, read back 1.00, read 0.50 | write 0.25 |" in page(document(row=told))


def test_the_page_warns_of_figures_from_a_busy_machine():
    told = document(row=result())
    assert "other work" not in page(told)
    assert "other work" in page({**told, "about": {**told["about"], "load": 3.0}})
    later = {key: {**row, "load": 3.0} for key, row in told["rows"].items()}
    assert "other work" in page({**told, "rows": later}), "whatever it was when the first piece was measured"


def test_the_page_says_that_goals_are_meant_for_larger_files():
    told, words = document(row=result()), "They are meant for"
    assert words not in page(told)
    assert words not in page({**told, "about": {**told["about"], "scale": {"big": 4 << 30}}})
    assert f"{words}\n  files of 4 GiB; here most are of 1 GiB." in page(
        {**told, "about": {**told["about"], "scale": {"big": 1 << 30}}}
    )


def test_the_page_shows_files_of_full_size_from_a_record_of_their_own():
    full = document(row=result("nc", 1.0, 3.0, goal=(2, 9), load=Load(4 << 30)))
    told = page(document(row=result("socat", goal=(9, 10))), full)
    assert "not by hand. 0 of 1 goals that were measured are met. With [files of 4 GiB]" in told
    assert "are meant: 1 of 1 goals that were measured are met." in told
    assert "## Files of 4 GiB" in told and "### A group" in told and "incompressible, 4 GiB" in told
    assert "Files of 4 GiB" not in page(document(row=result("socat")), {})


def test_the_picture_has_a_bar_for_each_row_with_figures():
    told = document(a=result("nc", 1.0, 2.0, goal=(1, 3)), b=result("<odd>", 2.0, 1.0), c=FAILED)
    drawn = ElementTree.fromstring(picture(told))
    bars = [each for each in drawn.iter("{http://www.w3.org/2000/svg}rect") if each.get("height") == "12"]
    assert [float(each.get("x")) for each in bars] == [round(x_of(1), 1), round(x_of(0.5), 1)]


def test_what_lies_beyond_the_scale_stays_in_the_picture():
    assert x_of(1e9) == x_of(128) and x_of(1e-9) == x_of(0.25)


def test_the_pages_are_what_the_program_makes_of_the_figures():
    known = read(DATA)
    if not known:
        pytest.skip("docs/benchmarks.json was not written yet")
    made = pages(known, read(FULL_DATA)).items()
    assert [path.name for path, text in made if Path(path).read_text(encoding="utf-8") != text] == []
