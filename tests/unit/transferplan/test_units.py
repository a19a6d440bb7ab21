"""Sizes and spans of time, as they are written and as they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import units

from .samples import unhurried


@pytest.mark.parametrize(
    "text, count",
    [
        ("0", 0),
        ("200MB", 200_000_000),
        ("4GiB", 4 * 1024**3),
        ("4G", 4 * 1024**3),
        ("1.5k", 1536),
        (" 10 gib ", 10 * 1024**3),
        ("7B", 7),
        ("2tb", 2 * 10**12),
        ("9007199254740993", 9007199254740993),
        ("9007199254740993B", 9007199254740993),
    ],
)
def test_a_size(text, count):
    assert units.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1e9", "4 GiBs", "4,5G", "nan", "inf", "4G4M", "0x10", "٤G"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError):
        units.parse_size(text)


@pytest.mark.parametrize(
    "text, seconds",
    [("30", 30), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1d", 86400), ("2W", 1209600), ("0.5h", 1800)],
)
def test_a_span_of_time(text, seconds):
    assert units.parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "5 parsecs", "1h30", "inf", "nan", "5ms", "1e3", "٣s"])
def test_what_is_no_span_of_time(text):
    with pytest.raises(ValueError):
        units.parse_span(text)


@pytest.mark.parametrize(
    "count, shown",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (120.4 * 1024**3, "120.4 GiB"),
        (5 * 1024**5, "5.0 PiB"),
        (5000 * 1024**5, "5000.0 PiB"),
    ],
)
def test_a_size_is_shown_in_binary_units(count, shown):
    assert units.size(count) == shown


@unhurried
@given(st.integers(0, 10**20))
def test_every_size_can_be_shown(count):
    assert units.size(count).split()[1] in ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@pytest.mark.parametrize(
    "seconds, shown",
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.7, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_a_span_is_shown_in_two_units(seconds, shown):
    assert units.span(seconds) == shown


@pytest.mark.parametrize("number, shown", [(0, "0 entries"), (1, "1 entry"), (12034, "12,034 entries")])
def test_things_are_counted_in_words(number, shown):
    assert units.count(number, "entry", "entries") == shown


@pytest.mark.parametrize(
    ("text", "rate"),
    [("200MB/s", 200_000_000), ("200 MB", 200_000_000), ("1GiB/s", 1024**3), ("100Mbit/s", 12_500_000), ("7", 7)],
)
def test_rates_are_read_in_bytes_and_bits(text, rate):
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "/s", "fast", "1MB/m", "Mbit", "-1MB/s", "1 MB / s"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match=".*"):
        units.parse_rate(text)


def test_of_many_names_some_are_told():
    names = ["db1", "db2", "db3", "db4", "db5"]
    assert [units.some(names[:number]) for number in (1, 2, 3, 4, 5)] == [
        "db1",
        "db1 and db2",
        "db1, db2 and db3",
        "db1, db2, db3 and 1 more",
        "db1, db2, db3 and 2 more",
    ]
