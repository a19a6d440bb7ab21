"""Which roster an end takes, and by which address it reaches a peer."""

import pytest

from datamover.errors import RosterMismatch
from tests.unit.transferworker.samples import TRANSFER, spec
from transferworker import ends

OURS = {"host": "alpha", "role": "destination", "addresses": ["127.0.0.1"], "port": 4400, "certificate": "ours"}
THEIRS = {"host": "beta", "role": "source", "addresses": ["127.0.0.1"], "port": None, "certificate": "theirs"}


def roster(members=(THEIRS, OURS), **changes):
    return {"transfer": TRANSFER, "attempt": 1, "epoch": 1, "members": list(members), **changes}


def check(document, before=None):
    ends.check_roster(document, spec(), "ours", before)


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


@pytest.mark.parametrize(("peer", "own"), [("127.0.0.1", "127.0.0.1"), ("127.9.9.9", "127.0.0.1"), ("::1", "::1")])
def test_the_own_address_is_the_one_that_routing_chooses(peer, own):
    assert ends.own_address(peer) == own


def test_without_a_route_there_is_no_own_address():
    assert ends.own_address("192.0.2.1" if not _has_default_route() else "255.255.255.255") is None


def _has_default_route():
    return ends.own_address("192.0.2.1") is not None
