"""What the plan decides when nothing speaks against the transfer, and what it makes of the answers to it."""

import pytest

from transferplan import errors, plan

from .samples import ALPHA, BETA, TRANSFER, alpha, asked, beta


@pytest.fixture
def made():
    return plan.make(asked(), {ALPHA: alpha(), BETA: beta()})


def test_each_end_gets_a_spec_of_its_own(made):
    specs = made.specs()
    assert [spec["role"] for spec in specs.values()] == ["source", "destination"]
    assert specs[BETA]["listen"] == {"addresses": ["10.77.1.12"], "port": 0, "ports": [4400, 4499]}
    assert specs[ALPHA]["listen"] is None
    assert specs[ALPHA]["peers"] == [{"host": "beta", "role": "destination", "addresses": ["10.77.1.12"]}]


def test_every_reason_is_told_at_once():
    answers = {ALPHA: None, BETA: beta(uid=1000, version="0.0.9")}
    with pytest.raises(errors.Refused) as refused:
        plan.make(asked(), answers)
    assert [reason.name for reason in refused.value.reasons] == ["minion-silent", "version-mismatch"]


def test_the_roster_names_the_source_first_and_the_port_that_was_bound(made):
    prepared = {
        ALPHA: {"certificate": "A", "port": None, "addresses": {"10.77.1.12": "10.77.1.99"}},
        BETA: {"certificate": "B", "port": 4403, "addresses": {}},
    }
    roster = plan.roster(made, prepared)
    assert roster == {
        "transfer": TRANSFER,
        "attempt": 1,
        "epoch": 1,
        "members": [
            {"host": "alpha", "role": "source", "addresses": ["10.77.1.99"], "port": None, "certificate": "A"},
            {"host": "beta", "role": "destination", "addresses": ["10.77.1.12"], "port": 4403, "certificate": "B"},
        ],
    }
