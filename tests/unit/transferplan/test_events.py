"""The events of a transfer: their tags, what they carry, and that a bus can bear them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import course, events, statement
from transferplan.events import KINDS, make

from .samples import TRANSFER, unhurried


def test_every_event_says_whose_and_which_it_is():
    event = make(TRANSFER, 7, "phase", {"host": "beta", "role": "destination", "phase": "moving"})
    assert event.tag == f"salt/transfer/{TRANSFER}/phase"
    assert event.data == {
        "format": 1,
        "project": "salt-transfer",
        "transfer": TRANSFER,
        "attempt": 1,
        "what": "phase",
        "seq": 7,
        "host": "beta",
        "role": "destination",
        "phase": "moving",
    }


def test_an_event_carries_only_what_its_kind_names():
    event = make(TRANSFER, 1, "prepared", {"host": "beta", "certificate": "PEM", "token": "secret", "nonce": "n"})
    assert set(event.data) == {"format", "project", "transfer", "attempt", "what", "seq", "host"}


def test_an_event_of_no_kind_is_our_mistake():
    with pytest.raises(KeyError):
        make(TRANSFER, 1, "exploded", {})


def test_the_course_tells_nothing_that_is_not_in_the_table():
    told = {said.says for said in course.ROUNDS.values() if said.says}
    assert told | {"asked", "refused", "planned", "phase", "progress"} <= set(events.TABLE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what)
def test_no_kind_carries_keys_or_addresses(kind):
    assert not {"certificate", "token", "nonce", "roster", "spec", "settings", "key"} & set(kind.keys)
    assert kind.meaning.endswith(".")


def test_long_lists_and_texts_are_cut():
    event = make(TRANSFER, 1, "refused", {"reasons": [{"text": "x" * 1000}] * 30})
    assert len(event.data["reasons"]) == events.MOST_ITEMS
    assert len(event.data["reasons"][0]["text"]) == events.LONGEST_TEXT


def test_what_is_still_too_large_is_left_out_and_said_so():
    reasons = [{"code": 10, "name": "x" * 300, "text": "ä" * 300}] * 20
    event = make(TRANSFER, 1, "refused", {"reasons": reasons})
    assert event.data["cut"] is True and "reasons" not in event.data


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@unhurried
@given(st.sampled_from(KINDS), VALUES, VALUES)
def test_every_event_stays_small(kind, one, other):
    details = dict(zip(kind.keys, [one, other, "x" * 100_000, ["y" * 1000] * 1000], strict=False))
    data = make(TRANSFER, 2**31, kind.what, details).data
    assert len(statement.canonical(data)) <= events.LARGEST
    assert json.loads(json.dumps(data)) == data


def test_the_table_of_a_promise_is_kept_where_tags_are_made():
    package = Path(events.__file__).parent
    elsewhere = [path.name for path in package.glob("*.py") if path.name != "events.py"]
    assert [name for name in elsewhere if "salt/transfer/" in (package / name).read_text(encoding="utf-8")] == []
