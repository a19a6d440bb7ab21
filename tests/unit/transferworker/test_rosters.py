"""Which roster an end takes."""

import pytest

from datamover.errors import RosterMismatch
from tests.unit.transferworker.samples import TRANSFER, spec
from transferworker import rosters

OURS = {"host": "alpha", "role": "destination", "addresses": ["127.0.0.1"], "port": 4400, "certificate": "ours"}
THEIRS = {"host": "beta", "role": "source", "addresses": ["127.0.0.1"], "port": None, "certificate": "theirs"}


def roster(members=(THEIRS, OURS), **changes):
    return {"transfer": TRANSFER, "attempt": 1, "epoch": 1, "members": list(members), **changes}


def check(document, before=None):
    rosters.check(document, spec(), "ours", before)


def test_the_roster_of_this_attempt_is_taken():
    check(roster())


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (roster(transfer="f" * 32), "its transfer"),
        (roster(attempt=2), "its attempt"),
        (roster(epoch=2), "its epoch"),
        (roster([THEIRS]), "it names"),
        (roster([OURS]), "it names"),
        (roster([THEIRS, OURS, {**THEIRS, "host": "mallory"}]), "mallory"),
        (roster([THEIRS, THEIRS, OURS]), "it names"),
        (roster([{**THEIRS, "host": "mallory"}, OURS]), "mallory"),
        (roster([{**THEIRS, "role": "destination"}, OURS]), "it names"),
        (roster([THEIRS, {**OURS, "certificate": "another"}]), "another certificate"),
    ],
)
def test_what_does_not_fit_is_named(document, words):
    with pytest.raises(RosterMismatch, match=words):
        check(document)


def test_a_second_roster_is_refused():
    with pytest.raises(RosterMismatch, match="armed with another one"):
        check(roster(), before=roster())


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"members": {}},
        {"members": ["alpha"]},
        roster([THEIRS, {**OURS, "port": "4400"}]),
        roster([THEIRS, {**OURS, "port": True}]),
        roster([THEIRS, {**OURS, "port": 65536}]),
        roster([THEIRS, {**OURS, "addresses": "127.0.0.1"}]),
        roster([THEIRS, {**OURS, "addresses": [127]}]),
        roster([THEIRS, {**OURS, "host": ["alpha"]}]),
        roster([THEIRS, {**OURS, "leaf": -1}]),
        roster([{**THEIRS, "origins": {"alpha": 1}}, OURS]),
        roster([THEIRS, {name: value for name, value in OURS.items() if name != "port"}]),
    ],
)
def test_what_is_no_roster_is_refused(document):
    with pytest.raises(RosterMismatch, match="it has"):
        check(document)


def test_the_members_of_a_chain_stand_in_its_order():
    last = {**OURS, "host": "gamma"}
    successor = {"host": "gamma", "role": "destination", "addresses": ["127.0.0.1"]}
    document = spec(fanout="chain", successors=[successor])
    rosters.check(roster([THEIRS, OURS, last]), document, "ours", None)
    with pytest.raises(RosterMismatch, match="its order"):
        rosters.check(roster([THEIRS, last, OURS]), document, "ours", None)
