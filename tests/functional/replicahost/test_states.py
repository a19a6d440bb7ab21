"""Each state of a replica is run four times: asked, made, made again, asked again."""

import pytest

from tests.support.waiting import eventually

from .conftest import INCOMING

pytestmark = pytest.mark.root
MADE_KNOWN = ("kept",)
"""Changes that are known only when they were made."""


def four_times(minion, function, name, **options):
    """What was changed by test, apply, apply, test: the second run alone changes anything, as the first foretold."""
    told = [minion.state(function, name, test=test, **options) for test in (True, False, False, True)]
    assert [each["result"] for each in told] == [None, True, True, True], "\n".join(each["comment"] for each in told)
    asked, made, again, last = told
    foretold = {name: change for name, change in made["changes"].items() if name not in MADE_KNOWN}
    assert (asked["changes"], again["changes"], last["changes"]) == (foretold, {}, {})
    assert foretold
    return made["changes"]


def assert_all_is_foretold(minion, address):
    """Before anything is made, of a server that follows the same primary already."""
    for function, name, options in (
        ("prepared", INCOMING, {}),
        ("installed", "new data", {"prepared": INCOMING, "confirm": "db2", "discard_own_writes": True}),
        ("replicating", address, {"donor_is_primary": True}),
        ("proved", "it", {}),
    ):
        told = minion.state(f"replica.{function}", name, test=True, **options)
        assert told["result"] is None and told["changes"], (function, told)


def test_a_replica_is_made_state_by_state(pair):
    pair.bring(prepare=False)
    minion = pair.replica.minion
    assert_all_is_foretold(minion, pair.primary.machine.ip)
    assert four_times(minion, "replica.prepared", INCOMING) == {"prepared": {"old": False, "new": True}}
    installed = four_times(
        minion, "replica.installed", "new data", prepared=INCOMING, confirm="db2", discard_own_writes=True, lease=900
    )
    kept = pair.call("replica.info")["installation"]["kept"]
    assert installed == {"data": {"old": None, "new": INCOMING}, "kept": {"old": None, "new": kept}}
    assert minion.state("replica.prepared", INCOMING)["changes"] == {}  # it has a new name since
    address = pair.primary.machine.ip
    replicating = four_times(minion, "replica.replicating", address, donor_is_primary=True, lag=5)
    assert replicating == {"primary": {"old": None, "new": address}}
    refused = minion.state("replica.proved", "it")
    assert (refused["result"], refused["changes"]) == (False, {})
    assert "not proved" in refused["comment"]
    one, other = pair.count_both()
    assert one["root"] == other["root"]
    pair.call("replica.proved", {"by": "test"})
    assert four_times(minion, "replica.proved", "it") == {"settled": {"old": False, "new": True}}
    assert pair.call("replica.drop_old", kept)["bytes"] > 0


def test_a_state_that_cannot_be_reached_says_why_and_changes_nothing(pair):
    before = pair.call("replica.info")
    for test in (True, False):
        told = pair.replica.minion.state("replica.installed", "it", prepared="/srv/nowhere", confirm="db2", test=test)
        assert (told["result"], told["changes"]) == (False, {})
        assert "/srv/nowhere is no directory" in told["comment"]
    pair.as_before(before)


def be_late_by(replica, seconds):
    replica.sql(f"STOP SLAVE; CHANGE MASTER TO MASTER_DELAY={seconds}; START SLAVE")


def test_a_replica_that_follows_from_afar_is_waited_for_or_the_state_fails(pair):
    minion, address = pair.replica.minion, pair.primary.machine.ip
    be_late_by(pair.replica, 600)
    try:
        pair.primary.sql("INSERT INTO shop.customer (name) VALUES ('late')")
        assert eventually(lambda: (pair.call("replica.info")["channels"][0]["lag"] or 0) > 2)
        asked = minion.state("replica.replicating", address, lag=1, test=True)
        assert (asked["result"], asked["changes"]["lag"]["new"]) == (None, "at most 1")
        failed = minion.state("replica.replicating", address, lag=1, timeout=2)
        assert (failed["result"], failed["changes"]) == (False, {})
        assert "and 1 were allowed" in failed["comment"]
        assert minion.state("replica.replicating", address)["result"] is True
    finally:
        be_late_by(pair.replica, 0)
    assert minion.state("replica.replicating", address, lag=1, timeout=60)["result"] is True
    last = minion.state("replica.replicating", address, lag=1, test=True)
    assert (last["result"], last["changes"]) == (True, {})
