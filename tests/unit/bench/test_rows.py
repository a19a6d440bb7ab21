"""The rows fit what there is: peers, variants, data, links, amounts."""

from dataclasses import fields

import pytest
from bench.campaign import obstacle, side_of
from bench.data import DATASETS
from bench.network import LINKS
from bench.peers import PEERS
from bench.rows import QUICK, ROWS, VARIANTS, Scale, by_importance

AMOUNTS = {field.name for field in fields(Scale)}


def test_no_two_rows_are_the_same():
    assert len({row.key for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_row_names_what_there_is(row):
    assert row.ours in VARIANTS
    assert row.theirs in VARIANTS or row.theirs in PEERS
    assert row.data in DATASETS and row.link in LINKS and row.amount in AMOUNTS
    assert row.bridge is None or row.bridge.peer in PEERS


@pytest.mark.parametrize("row", [row for row in ROWS if row.theirs in PEERS], ids=lambda row: row.key)
def test_a_peer_can_move_what_its_row_wants(row):
    assert DATASETS[row.data].kind in PEERS[row.theirs].moves


@pytest.mark.parametrize("row", [row for row in ROWS if row.theirs in PEERS], ids=lambda row: row.key)
def test_what_encrypts_stands_beside_ours_encrypting(row):
    ours_is_plain = VARIANTS[row.ours].get("encrypt") is False
    assert not (ours_is_plain and PEERS[row.theirs].encrypts)


def test_every_amount_is_smaller_when_quick():
    assert all(getattr(QUICK, name) < getattr(Scale(), name) for name in AMOUNTS)


def test_goals_come_first_and_conclusions_last():
    ordered = by_importance(ROWS)
    assert sorted(row.key for row in ordered) == sorted(row.key for row in ROWS)
    bridged = [bool(row.bridge) for row in ordered]
    assert bridged == sorted(bridged)
    measured = [bool(row.goal) for row in ordered if not row.bridge]
    leading = [row for row in ordered if row.theirs == "socat TLS" and row.group == "one file, encrypted"]
    assert measured.index(False) <= ordered.index(leading[0]) <= measured.count(True) + 3


def test_a_setting_that_this_version_does_not_have_is_an_obstacle(monkeypatch):
    monkeypatch.setitem(VARIANTS, "salt-transfer, by pigeon", {"carrier": "pigeon"})
    assert "this version has no carrier" in obstacle(side_of("salt-transfer, by pigeon"))
    assert obstacle(side_of("salt-transfer, 4 streams")) == ""


def test_a_program_that_is_not_here_is_an_obstacle(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert obstacle(side_of("rsync daemon")) == "rsync is not here"
    assert obstacle(side_of("salt-transfer")) == ""
