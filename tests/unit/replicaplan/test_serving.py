"""Whether a server that answers is the one that its unit would stop."""

import pytest

from replicaplan import serving

from .facts import replica


def unit(active="active", masked=False):
    return {"name": "m.service", "active": active, "masked": masked}


@pytest.mark.parametrize("told", [replica(unit=unit()), replica(running=False, unit=unit("failed"))])
def test_a_server_that_its_unit_runs_or_that_is_down_is_no_reason(told):
    assert serving.against_unit(told, "db2") == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (replica(unit=unit("inactive")), "m.service is inactive, so stopping that would not end it"),
        (replica(unit=unit("failed")), "replica:unit name the unit"),
        (replica(running=False, unit=unit("inactive", masked=True)), "is masked: somebody works there"),
    ],
)
def test_a_server_outside_of_its_unit_and_a_unit_that_somebody_masked_are_told(told, words):
    (sentence,) = serving.against_unit(told, "db2")
    assert words in sentence
