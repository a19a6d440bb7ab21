"""Every answer fits, and what is left out is told."""

import json

from datamover.engine.outcome import Outcome
from datamover.errors import SpecialRefused
from tests.unit.transferworker.samples import spec
from transferworker import bounds, control, verdicts


def test_as_many_items_as_fit_from_the_first_on():
    assert bounds.fitting(["a" * 10] * 100, 140) == ["a" * 10] * 10
    assert bounds.fitting(["a" * 1000, "b"], 100) == []
    assert bounds.fitting([], 100) == []


def test_a_short_text_stays_and_a_long_one_says_what_is_missing():
    assert bounds.short("short") == "short"
    assert bounds.short("x" * 5000) == "x" * 2000 + "... (3000 characters more)"


def test_an_error_with_thousands_of_paths_keeps_its_name_and_the_beginning_of_its_words():
    told = control.as_dict(SpecialRefused("the source holds " + "x" * 10**6, paths=["x" * 4096] * 100))
    assert (told["name"], told["evidence"]) == ("special-refused", {})
    assert told["text"].startswith("the source holds") and bounds.size(told) < 5000


def test_a_verdict_fits_however_much_was_skipped_and_however_it_failed():
    skipped = tuple((b"\xff" * 4000, "a socket cannot travel") for _ in range(100))
    outcome = Outcome(SpecialRefused("x" * 10**6), skipped=skipped, skipped_more=7, cleanup=("y" * 10**6,))
    verdict = verdicts.verdict(spec(), outcome)
    assert len(json.dumps(verdict)) < 20_000
    assert len(verdict["skipped"]) + verdict["skipped_more"] == 107
