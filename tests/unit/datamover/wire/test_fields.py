"""Fields: typed and bounded on both ends; what we should not say is our bug, what they may not say is their fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover.errors import LocalError, ProtocolError
from datamover.wire import fields
from datamover.wire.fields import Blob, Cursor, Fixed, Flag, Identifier, Many, Maybe, Number, Text, Word

from ..strategies import relaxed, value_of

FIELDS = {
    "number": Number(2, 1, 1000),
    "flag": Flag(),
    "fixed": Fixed(4),
    "identifier": Identifier(),
    "blob": Blob(5),
    "text": Text(9),
    "empty text": Text(9, empty=True),
    "word": Word(("control", "bulk")),
    "maybe": Maybe(Number(4)),
    "many": Many(Text(9), 3),
}


@pytest.mark.parametrize("name", FIELDS)
@relaxed
@given(st.data())
def test_every_value_comes_back_and_keeps_its_bounds(name, data):
    field = FIELDS[name]
    value = data.draw(value_of(field))
    packed = field.pack(value)
    cursor = Cursor(packed + b"after")
    assert field.take(cursor) == value
    assert cursor.left == len(b"after")
    assert field.least <= len(packed) <= field.most


@pytest.mark.parametrize("name", FIELDS)
@relaxed
@given(st.binary(max_size=40))
def test_any_bytes_are_refused_or_are_the_one_form_of_a_value(name, data):
    field, cursor = FIELDS[name], Cursor(data)
    try:
        value = field.take(cursor)
    except ProtocolError:
        return
    assert field.pack(value) == data[: cursor.at]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", 0),
        ("number", 1001),
        ("number", "7"),
        ("number", True),
        ("flag", 1),
        ("fixed", b"123"),
        ("fixed", "1234"),
        ("identifier", "AB" * 16),
        ("identifier", "ab" * 15),
        ("identifier", b"ab" * 16),
        ("blob", b"123456"),
        ("text", ""),
        ("text", "1234567890"),
        ("text", "\u00f6" * 5),
        ("text", "a\nb"),
        ("text", "\x1b[2J"),
        ("text", "\udcff"),
        ("text", b"bytes"),
        ("word", "data"),
        ("maybe", -1),
        ("many", ("a",) * 4),
        ("many", ["a"]),
        ("many", ("a", "")),
    ],
)
def test_what_we_should_not_say_is_our_bug(name, value):
    with pytest.raises(LocalError):
        FIELDS[name].pack(value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("number", "00"),
        ("number", "0000"),
        ("number", "ffff"),
        ("flag", "02"),
        ("fixed", "616161"),
        ("identifier", "00" * 15),
        ("blob", "0006616161616161"),
        ("blob", "000361"),
        ("text", "0000"),
        ("text", "0002c328"),
        ("text", "0001 1b"),
        ("text", "ffff 61"),
        ("word", "00"),
        ("word", "03"),
        ("maybe", "02 00000001"),
        ("many", "0004 000161 000161 000161 000161"),
        ("many", "0003 000161"),
    ],
)
def test_what_they_may_not_say_is_their_fault(name, data):
    with pytest.raises(ProtocolError):
        FIELDS[name].take(Cursor(bytes.fromhex(data)))


def test_a_cursor_goes_to_the_end_and_not_beyond():
    cursor = Cursor(b"abc")
    assert cursor.take(2) == b"ab"
    with pytest.raises(ProtocolError, match="1 bytes too many"):
        cursor.finish()
    with pytest.raises(ProtocolError, match="needs 2 bytes where 1 are left"):
        cursor.take(2)
    cursor.take(1)
    cursor.finish()


def test_a_count_is_believed_only_with_room_for_it():
    counted = Many(Fixed(1000), 60_000)
    with pytest.raises(ProtocolError, match="at most"):
        counted.take(Cursor(b"\xea\x60" + bytes(5000)))
    assert fields.Number(1).high == 255
