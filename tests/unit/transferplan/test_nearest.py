"""Which of the names that there are somebody may have meant."""

import pytest

from transferplan import nearest


@pytest.mark.parametrize(
    "name, known, meant",
    [
        ("alhpa", ["alpha", "beta"], "alpha"),
        ("DB1", ["db1", "db2"], "db1"),
        ("db1", ["DB1", "DB2"], "DB1"),
        ("Db1", ["db2", "dB1"], "dB1"),
        ("DB1", ["Db1", "DB1.example"], "Db1"),
        ("zorro", ["alpha"], ""),
        ("x", [], ""),
        ("", ["alpha"], ""),
    ],
)
def test_the_nearest_name_is_found_whatever_the_case_of_its_letters(name, known, meant):
    assert nearest.name(name, known) == meant


def test_the_advice_names_it_or_says_where_to_look():
    assert nearest.advice("DB1", ["db1"], "see there") == "did you mean db1?"
    assert nearest.advice("zorro", ["db1"], "see there") == "see there"
    assert nearest.advice("a\x1bb", ["a\x1bc"], "") == "did you mean a\\x1bc?"
