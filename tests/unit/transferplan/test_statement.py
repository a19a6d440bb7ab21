"""What minions sign: one form in bytes, bound to one question."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import errors, statement
from transferplan.statement import Question, Signed

from .samples import OTHER, TRANSFER, unhurried

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "statement-1.json").read_text(encoding="utf-8"))
NONCE = "00112233445566778899aabbccddeeff"
QUESTION = Question(minion="alpha", nonce=NONCE, transfer=TRANSFER, attempt=1, role="source")


def test_a_statement_has_the_released_form():
    made = QUESTION.state(GOLDEN["statement"]["payload"])
    assert made == GOLDEN["statement"]
    assert statement.canonical(made).decode() == GOLDEN["signed bytes"]


def test_a_statement_that_answers_the_question_gives_its_payload():
    assert QUESTION.payload_of(QUESTION.state({"phase": "armed"})) == {"phase": "armed"}


@pytest.mark.parametrize(
    "part, other",
    [
        ("project", "salt-mirror"),
        ("minion", "beta"),
        ("role", "destination"),
        ("transfer", OTHER),
        ("attempt", 2),
        ("nonce", "f" * 32),
    ],
)
def test_an_answer_to_another_question_is_refused_by_what_differs(part, other):
    foreign = replace(QUESTION, **{part: other}).state({})
    with pytest.raises(errors.StatementMismatch) as mismatch:
        QUESTION.payload_of(foreign)
    assert mismatch.value.evidence == {"part": part}
    assert mismatch.value.text == (
        f"alpha signed another {part} than was asked for: {other}, not {getattr(QUESTION, part)}"
    )


@pytest.mark.parametrize("broken", [None, "signed", [], {}, {"statement": 7}])
def test_what_is_no_statement_is_refused(broken):
    with pytest.raises(errors.BadAnswer):
        QUESTION.payload_of(broken)


def test_a_missing_part_is_named():
    made = QUESTION.state({})
    del made["nonce"]
    with pytest.raises(errors.BadAnswer, match="nonce is missing"):
        QUESTION.payload_of(made)


def test_a_payload_is_bounded_on_both_sides():
    largest = "x" * (statement.LARGEST_PAYLOAD - 2)
    made = QUESTION.state(largest)
    assert QUESTION.payload_of(made) == largest
    for size in (
        lambda: QUESTION.state(largest + "x"),
        lambda: QUESTION.payload_of({**made, "payload": largest + "x"}),
    ):
        with pytest.raises(errors.BadAnswer, match="has 65537 bytes, more than the 65536"):
            size()


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 1, "1": 2}, b"bytes", nested(100_000)])
def test_what_json_cannot_carry_is_refused_in_words(value):
    with pytest.raises(errors.BadAnswer, match="cannot be written as JSON"):
        QUESTION.state({"value": value})
    with pytest.raises(errors.BadAnswer, match="cannot be written as JSON"):
        Signed({"payload": value}, "signature").signed_bytes()


@pytest.mark.parametrize("nonce", ["", "short", "x" * 31])
def test_a_question_without_a_real_nonce_is_our_mistake(nonce):
    with pytest.raises(ValueError, match="a nonce has at least 32 characters"):
        Question("alpha", nonce)


def test_what_a_minion_returns_must_hold_a_statement_and_a_signature():
    signed = Signed.from_return({"statement": QUESTION.state({}), "signature": "c2ln"}, "alpha")
    assert signed.signed_bytes() == statement.canonical(QUESTION.state({}))
    for returned in (None, "alpha is not available.", {"statement": {}}, {"statement": [], "signature": ""}):
        with pytest.raises(errors.BadAnswer, match="What alpha returned is not of the agreed form"):
            Signed.from_return(returned, "alpha")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@unhurried
@given(JSON)
def test_the_form_survives_a_journey_and_the_order_of_keys(document):
    arrived = json.loads(json.dumps(document))
    assert statement.canonical(arrived) == statement.canonical(document)
    assert statement.digest(arrived) == statement.digest(document)
    assert statement.canonical(document).isascii()
