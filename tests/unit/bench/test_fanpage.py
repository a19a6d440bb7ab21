"""The page of one source and many destinations: made of the figures alone, with what was hoped for beside them."""

from xml.etree import ElementTree

import pytest
from bench import chain_model, fanpage
from bench.fanout import read, slower_records
from bench.goals import MET, MET_STRETCH, NOT_MET

KEPT = chain_model.DATA
MIB = 1 << 20


def run(seconds, count, **changes):
    """A run of a chain with so many destinations, as it should be."""
    received = [0.001, *[1.002] * count]
    sent = [1.002, *[1.003] * (count - 1), 0.001]
    told = {"seconds": seconds, "processor": 1.0, "received": received, "sent": sent}
    return {**told, "last_began": 0.5, "first_ended": 5.0, **changes}


@pytest.fixture
def document():
    """Figures of a machine on which all went well."""
    about = {
        "bytes": 256 * MIB,
        "rate": 500,
        "payload_per_s": 500 * 125_000 * 0.95,
        "load": 0.1,
        "python": "3.11",
        "version": "1.0",
        "date": "2026-01-01",
        "machine": {"processor": "a processor", "cores": 2, "kernel": "6.1"},
    }
    seconds = {"one 1": 5.0, "chain 2": 5.05, "chain 4": 5.15, "chain 8": 5.2, "star 8": 40.0, "serial 8": 41.0}
    rows = {key: {"runs": [run(value, int(key.split()[1]))]} for key, value in seconds.items()}
    return {"about": about, "rows": rows, "medians": seconds}


def words(document):
    return {what: (measured, word) for what, measured, word in fanpage.hopes(document)}


def test_where_all_went_well_everything_that_was_hoped_for_is_met(document):
    told = words(document)
    assert told["8 destinations take at most 1.15x the time of one, stretch 1.05x"] == ("1.04x", MET_STRETCH)
    assert len(told) == 5 and {word for _, word in told.values()} == {MET, MET_STRETCH}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"sent": [2.0, *[1.003] * 7, 0.001]}, "the source sends"),
        ({"sent": [0.9, *[1.003] * 7, 0.001]}, "the source sends"),
        ({"sent": [1.002, 1.003, 1.2, *[1.003] * 5, 0.001]}, "each host in the middle"),
        ({"last_began": 5.1}, "the last destination"),
    ],
)
def test_one_run_that_was_not_as_it_should_be_is_told(document, changes, what):
    document["rows"]["chain 8"]["runs"].append(run(5.2, 8, **changes))
    (missed,) = [each for each, (_, word) in words(document).items() if word == NOT_MET]
    assert missed.startswith(what)


@pytest.mark.parametrize(("seconds", "word"), [(5.2, MET_STRETCH), (5.7, MET), (5.8, NOT_MET)])
def test_the_time_of_eight_is_judged_beside_that_of_one(document, seconds, word):
    document["medians"]["chain 8"] = seconds
    assert next(iter(words(document).values()))[1] == word


def test_a_model_that_is_far_off_is_told(document):
    document["medians"]["chain 4"] = 8.0
    assert [each for each, (_, word) in words(document).items() if word == NOT_MET] == [
        "the model is off by at most 10% beyond two destinations"
    ]


def test_the_page_tells_what_pieces_of_another_size_and_deaths_would_cost(document):
    text = fanpage.page(document)
    assert "| 4 MiB | " in text and "| 256 MiB | " in text and "| once a day | " in text
    piece = next(line for line in text.splitlines() if line.startswith("| 512 KiB"))
    assert piece.split("|")[2].strip() == f"{chain_model.steady(chain_model.of_record(document), 8):,.1f} s"


def test_the_picture_is_one_and_has_every_way(document):
    texts = [each.text for each in ElementTree.fromstring(fanpage.picture(document)).iter() if each.text]
    assert {"chain 1.04x", "star 8.00x", "serial 8.20x"} <= set(texts)


def test_a_machine_that_was_busy_before_any_of_the_runs_is_told(document):
    assert "had other work" not in fanpage.page(document)
    document["rows"]["chain 4"]["runs"].append(run(5.2, 4, load=2.0))
    assert "had other work" in fanpage.page(document) and "load 2.0 before a run at most" in fanpage.page(document)


def test_what_was_measured_over_slower_links_stands_beside_it(document):
    slower = {**document, "about": {**document["about"], "rate": 100}, "medians": {**document["medians"], "chain 8": 9}}
    text = fanpage.page(document, [slower])
    assert "1.80x" not in fanpage.page(document) and "1.80x" in text
    assert text.index("## Measured") < text.index("## The same over links of 100 Mbit/s") < text.index("## Predicted")


def test_the_page_that_is_kept_is_that_of_the_figures_that_are_kept():
    """`./dev bench fanout --render` writes it."""
    kept = read(KEPT)
    assert KEPT.with_suffix(".md").read_text(encoding="utf-8") == fanpage.page(kept, map(read, slower_records()))
    assert KEPT.with_suffix(".svg").read_text(encoding="utf-8") == fanpage.picture(kept)
