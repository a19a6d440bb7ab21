"""Whether a server that answers is the one that its unit would stop, and one that does not answer is down."""

import pytest

from replicaplan.unit import against_unit

from .facts import down, replica, unit


def against(told):
    return against_unit(told, "db2")


@pytest.mark.parametrize("told", [replica(), down(replica()), down(replica(), "failed")])
def test_a_server_that_its_unit_runs_or_that_is_down_is_no_reason(told):
    assert against(told) == []


@pytest.mark.parametrize("active", ["active", "activating", "reloading", "deactivating"])
@pytest.mark.parametrize("data", [True, False])
def test_a_server_that_does_not_answer_though_its_unit_runs_is_not_taken_for_one_that_is_down(active, data):
    """A socket that is wrong, too many clients, recovery after a crash: it may be the primary."""
    (sentence,) = against(down(replica(datadir_exists=data), active))
    assert f"mariadb.service of db2 is {active}, but nobody answers at /run/s.sock" in sentence


def test_a_server_that_works_in_the_data_directory_outside_of_its_unit_is_not_taken_for_one_that_is_down():
    (sentence,) = against(down(replica(), processes=[5, 6]))
    assert "A server (process 5 and 6) works in /srv/mysql of db2" in sentence


@pytest.mark.parametrize(
    "told", [replica(unit=unit("inactive")), replica(processes=[5]), replica(unit=unit("failed"), processes=[])]
)
def test_a_server_that_answers_but_is_not_what_the_unit_runs_is_not_replaced(told):
    (sentence,) = against(told)
    assert "let replica:unit and replica:socket name one and the same server" in sentence


def test_where_a_process_is_not_known_the_unit_is_believed():
    assert against(replica(processes=[])) == []
    assert against(replica(unit={**unit("active"), "pid": 0})) == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (down(replica(), options_known=False), "is started in a way that is not understood here"),
        (down(replica(), options_known=False, unit=unit(masked=True)), "is masked: somebody works there"),
        (replica(unit=unit("active", masked=True)), "is masked: somebody works there"),
    ],
)
def test_a_unit_that_cannot_be_read_or_that_somebody_masked_is_told(told, words):
    (sentence,) = against(told)
    assert words in sentence
