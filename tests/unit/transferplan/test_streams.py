"""How many streams there are where nobody says so."""

import pytest

from transferplan import plan, streams
from transferplan.facts import Facts, Source
from transferplan.shapes import read

from .samples import ALPHA, BETA, GIB, alpha, asked, beta, source


def told(one=(2, 0.0), other=(2, 0.0), asked="auto", verify="readback", routed=False, **found):
    sides = [read(Facts, alpha(cpus=cpus, load=[load]), "it") for cpus, load in (one, other)]
    return streams.choose(asked, verify, read(Source, source(**found), "it"), sides, routed)


@pytest.mark.parametrize(
    "one, other, number",
    [
        ((1, 0.0), (64, 0.0), 1),
        ((2, 0.0), (2, 0.0), 1),
        ((3, 0.2), (8, 0.0), 2),
        ((8, 0.0), (8, 4.6), 2),
        ((64, 0.0), (64, 3.0), 4),
        ((4, 9.0), (4, 0.0), 1),
    ],
)
def test_the_end_with_fewer_idle_cores_decides(one, other, number):
    assert told(one, other) == told(other, one) == number


def test_a_host_that_tells_no_load_is_taken_as_idle():
    sides = [read(Facts, alpha(cpus=4, load=[]), "it")] * 2
    assert streams.choose("auto", "readback", read(Source, source(), "it"), sides, routed=False) == 3


MANY = (16, 0.0)


def test_little_data_takes_one_unless_there_may_be_more():
    assert told(MANY, MANY, disk_bytes=200_000_000) == 1
    assert told(MANY, MANY, disk_bytes=200_000_000, estimated=True) == 4


def test_a_single_file_in_flight_takes_one():
    assert told(MANY, MANY, kind="file", verify="flight") == 1
    assert told(MANY, MANY, kind="file") == told(MANY, MANY, verify="flight") == 4


def test_a_routed_way_takes_two_at_least():
    assert told(routed=True) == 2
    assert told(MANY, MANY, routed=True) == 4
    assert told(MANY, MANY, routed=True, disk_bytes=5) == 1


@pytest.mark.parametrize("number", [1, 3, 16])
def test_a_number_is_taken_as_it_is(number):
    assert told(MANY, MANY, asked=number, disk_bytes=5) == number


def test_both_ends_and_the_summary_are_told_the_same_number():
    made = plan.make(asked(), {ALPHA: alpha(cpus=4), BETA: beta(cpus=8)})
    assert [spec["settings"]["streams"] for spec in made.specs().values()] == [3, 3]
    assert made.summary()["streams"] == 3 and made.found.bytes == 10 * GIB
