"""How documents from minions are read: what is tolerated, and what is told of what is not."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import errors, shapes
from transferplan.facts import Facts

from .samples import alpha, beta, destination, interface, source, unhurried


def wrong(payload):
    with pytest.raises(errors.BadAnswer) as bad:
        Facts.from_payload(payload, "alpha")
    return bad.value.evidence["wrong"]


def test_facts_are_read_with_paths_as_bytes():
    found = Facts.from_payload(alpha(source(real="/srv/gr%C3%B6%C3%9Fe")), "alpha")
    assert found.source.real == "/srv/größe".encode()
    assert found.interfaces[0].address == "10.77.1.11"
    assert found.destination is None


def test_what_is_not_known_here_is_ignored():
    assert Facts.from_payload(beta(moon="full"), "beta").destination.fs_type == "ext4"


def test_all_that_is_missing_or_wrong_is_told():
    payload = alpha(source(entries="many", real="/%zz", unreadable=[{"path": "/x"}]), uid=True, load=["high"])
    del payload["python"]
    assert wrong(payload) == [
        "python is missing",
        "uid must be of type int",
        "load[0] must be of type float",
        "source.entries must be of type int",
        "source.real must be an encoded path",
        "source.unreadable[0].why is missing",
    ]


@pytest.mark.parametrize("payload", [None, [], "facts", 7, {}])
def test_what_is_no_mapping_of_facts_is_told(payload):
    assert wrong(payload)


def test_an_interface_must_make_sense():
    assert (
        "is not of family inet6"
        in wrong(alpha(interfaces=[{"name": "a", "address": "10.1.1.1", "prefix": 24, "family": "inet6"}]))[0]
    )


def test_a_flood_of_wrong_things_makes_a_short_sentence():
    flood = {"digests": list(range(100_000)), "version": ["x" * 10_000], "interfaces": [interface("\x1b" * 10_000)]}
    counts = {"\x1b[2J" * 10_000: "many"}
    with pytest.raises(errors.BadAnswer) as bad:
        Facts.from_payload(alpha(source(counts=counts), **flood), "alpha")
    assert len(bad.value.text) < 700 and bad.value.text.isprintable()


def test_a_whole_number_serves_where_a_fraction_may_stand():
    assert Facts.from_payload(alpha(load=[1, 2, 3], boottime=7), "alpha").load == (1, 2, 3)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@unhurried
@given(st.sampled_from(sorted(alpha())), ANY)
def test_whatever_a_minion_tells_is_read_or_refused(key, value):
    try:
        Facts.from_payload(alpha() | {key: value}, "alpha")
    except errors.BadAnswer as bad:
        assert bad.text.startswith("What alpha told about itself is not of the agreed form: ")


@unhurried
@given(st.sampled_from(sorted(destination())), ANY)
def test_whatever_a_minion_tells_of_a_place_is_read_or_refused(key, value):
    try:
        Facts.from_payload(beta(destination() | {key: value}), "beta")
    except errors.BadAnswer as bad:
        assert f"destination.{key}" in bad.text


def test_any_value_may_stand_where_the_schema_says_so():
    @dataclass(frozen=True)
    class Box:
        content: Any

    assert shapes.read(Box, {"content": [1]}, "the box").content == [1]
