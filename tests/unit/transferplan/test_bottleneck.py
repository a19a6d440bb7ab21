"""The slowest stage, found in the accounts of both ends."""

import pytest

from transferplan import bottleneck
from transferplan.bottleneck import End


def found(source, destination, streams=1, level="readback"):
    told = bottleneck.find(End("alpha", source), End("beta", destination), streams, level)
    return told and (told.stage, told.host)


IDLE_SOURCE = {"read": 1.0, "digest": 0.5, "encrypt": 1.0, "network": 8.0}
IDLE_DESTINATION = {"network": 8.0, "decrypt": 1.0, "write": 1.0, "flush": 0.5, "read_back": 0.5, "digest": 0.5}


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ({}, {}, ("network", "")),
        ({"read": 9.0, "network": 0.5}, {}, ("read", "alpha")),
        ({"list": 9.0}, {}, ("list", "alpha")),
        ({"digest": 9.0}, {}, ("digest", "alpha")),
        ({"compress": 12.0}, {}, ("compress", "alpha")),
        ({"encrypt": 12.0}, {}, ("encrypt", "alpha")),
        ({"limit": 10.0, "network": 0.1}, {"network": 10.0}, ("limit", "alpha")),
        ({}, {"write": 9.0, "network": 0.5}, ("write", "beta")),
        ({}, {"flush": 9.0}, ("flush", "beta")),
        ({}, {"read_back": 9.0}, ("read_back", "beta")),
        ({}, {"decrypt": 9.0}, ("decrypt", "beta")),
        ({}, {"decompress": 9.0}, ("decompress", "beta")),
        ({}, {"digest": 9.0}, ("digest", "beta")),
    ],
)
def test_the_stage_that_takes_most_is_named_with_its_host(source, destination, expected):
    assert found({**IDLE_SOURCE, **source}, {**IDLE_DESTINATION, **destination}) == expected


def test_the_network_is_only_to_blame_for_what_both_waited():
    assert found({"network": 10.0, "encrypt": 1.0}, {"network": 0.2, "write": 9.0}) == ("write", "beta")
    assert found({"network": 0.2, "read": 9.0}, {"network": 10.0}) == ("read", "alpha")


def test_connections_work_side_by_side():
    assert found({"encrypt": 8.0, "read": 3.0}, {"network": 1.0}, streams=1) == ("encrypt", "alpha")
    assert found({"encrypt": 8.0, "read": 3.0}, {"network": 1.0}, streams=4) == ("read", "alpha")


def test_stages_of_one_thread_weigh_together():
    assert found({"read": 3.0, "digest": 4.0, "encrypt": 6.0}, {}) == ("digest", "alpha")


def test_in_flight_the_connections_digest():
    told = {"digest": 3.0, "write": 4.0, "flush": 5.0}
    assert found({}, told, level="readback") == ("flush", "beta")
    assert found({}, told, level="flight") == ("write", "beta")


def test_nothing_took_any_time():
    assert found({}, {}) is None


def test_every_stage_has_a_sentence_with_what_to_try():
    for stage in bottleneck._WORDS:
        assert bottleneck.words(stage, "beta" if stage != "network" else "").endswith(bottleneck._WORDS[stage])
