"""Every reader of what others wrote, under input that nobody would write: see tests/fuzz for the long form."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamover.errors import LocalError
from tests.fuzz.__main__ import trouble_with
from tests.fuzz.mutation import drawn
from tests.fuzz.targets import targets

TARGETS = targets()
DOCUMENTS = {name: target for name, target in TARGETS.items() if target.seeds[0][:1] == b"{"}
unhurried = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", TARGETS)
@unhurried
@given(data=st.binary(max_size=300))
def test_noise_is_taken_or_refused_in_a_declared_way(name, data):
    TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@unhurried
@given(source=st.randoms(use_true_random=False))
def test_what_is_nearly_right_is_taken_or_refused_in_a_declared_way(name, source):
    TARGETS[name](drawn(random.Random(source.getrandbits(64)), TARGETS[name].seeds))


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_holds_much_memory_or_time(name):
    source = random.Random(f"{name} 1")
    for _ in range(150):
        assert trouble_with(TARGETS[name], drawn(source, TARGETS[name].seeds)) == ""


@pytest.mark.parametrize("name", ["control", "body", "entry", "sealed", "pack", "payload", "spec", "facts", "record"])
def test_the_seeds_are_sound_so_that_what_is_nearly_right_gets_far(name):
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)


MORE = (b"\0", b"\xff" * 100)
WHOLE = ("pack", "payload", "record", "request", "stream-report")
"""What is read to its end. (Bodies of messages are in wire/test_wire.py; behind all others something may follow.)"""


@pytest.mark.parametrize("name", TARGETS)
def test_more_behind_it_is_taken_or_refused_in_a_declared_way(name):
    for seed in TARGETS[name].seeds:
        for more in (*MORE, seed):
            TARGETS[name](seed + more)


@pytest.mark.parametrize("name", WHOLE)
def test_trailing_bytes_are_refused(name):
    for seed in TARGETS[name].seeds:
        for more in MORE:
            with pytest.raises(TARGETS[name].declared):
                TARGETS[name].run(seed + more)


@pytest.mark.parametrize("body", [b"", b"\0", b"\0" * 4, b"\0" * 100, b"\xff" * 100])
def test_a_row_of_the_journal_that_was_wiped_is_found(body):
    with pytest.raises(LocalError, match="the journal is damaged"):
        TARGETS["record"].run(body)


@pytest.mark.parametrize("name", DOCUMENTS)
@unhurried
@given(data=st.data())
def test_a_document_with_any_value_in_any_place_is_taken_or_refused(name, data):
    document = json.loads(data.draw(st.sampled_from(DOCUMENTS[name].seeds)))
    place = data.draw(st.sampled_from(list(places(document))))
    DOCUMENTS[name](json.dumps(changed(document, place, data.draw(JSON))).encode())


def places(document, above=()):
    """The path of every value in a document."""
    yield above
    held = document if isinstance(document, (dict, list)) else ()
    for key, value in held.items() if isinstance(held, dict) else enumerate(held):
        yield from places(value, (*above, key))


def changed(document, place, value):
    if not place:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[place[0]] = changed(copy[place[0]], place[1:], value)
    return copy
