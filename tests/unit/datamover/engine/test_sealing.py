"""Sealed records: one form, opened once, in order and unchanged, or not at all."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from datamover.engine import sealing
from datamover.engine.sealing import BACK, LENGTH, OUT, TAG, BrokenSeal, Sealer, Unsealer

from ..strategies import relaxed

SECRET = bytes(range(32))


def opened(unsealer, record):
    """What a record holds, as whoever receives it opens it."""
    record = memoryview(bytearray(record))
    assert unsealer.size(record[:LENGTH]) == len(record) - LENGTH
    return bytes(unsealer.open(record[:LENGTH], record[LENGTH:]))


def sealed(*texts, way=OUT):
    sealer = Sealer(SECRET, way)
    return [bytes(sealer.seal(text)) for text in texts]


@pytest.mark.parametrize(
    "number, text, record",
    [
        (0, b"a piece", "00000007d18c961782ab50fd657cf3dff6b75f245661bd7826a00f"),
        (1, b"x" * 20, "000000148607c1a51a15b57110ff2538d8dcce040258fe7e2bda0ba307f0a23a00a0e682d1956732"),
    ],
)
def test_the_released_form(number, text, record):
    assert sealed(*[text] * (number + 1))[number].hex() == record


def test_a_record_is_what_any_library_makes_of_it():
    """AES-256-GCM with the record's number as nonce and its header as further data."""
    for number, record in enumerate(sealed(b"one", b"two" * 1000)):
        cipher = AESGCM(sealing.record_key(SECRET, OUT, 0))
        text = cipher.decrypt(number.to_bytes(12, "big"), record[LENGTH:], record[:LENGTH])
        assert text == (b"one", b"two" * 1000)[number]


@relaxed
@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=8), st.sampled_from([OUT, BACK]))
def test_what_is_sealed_is_opened(texts, way):
    unsealer = Unsealer(SECRET, way)
    assert [opened(unsealer, record) for record in sealed(*texts, way=way)] == texts


@relaxed
@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_bit_that_changes_is_noticed(text, data):
    record = bytearray(sealed(text)[0])
    bit = data.draw(st.integers(0, 8 * len(record) - 1))
    record[bit // 8] ^= 1 << bit % 8
    with pytest.raises((BrokenSeal, AssertionError)):
        opened(Unsealer(SECRET, OUT), record)


def test_no_record_is_repeated_left_out_moved_or_sent_back():
    first, second = sealed(b"first", b"second")
    for wrong in ([first, first], [second], [second, first], sealed(b"first", way=BACK)):
        unsealer = Unsealer(SECRET, OUT)
        with pytest.raises(BrokenSeal):
            [opened(unsealer, record) for record in wrong]


def test_another_secret_opens_nothing():
    with pytest.raises(BrokenSeal, match="sealed by somebody else"):
        opened(Unsealer(bytes(32), OUT), sealed(b"text")[0])


@relaxed
@given(st.binary(min_size=LENGTH, max_size=LENGTH), st.binary(min_size=1, max_size=300))
def test_whatever_comes_is_refused_before_anything_is_reserved_for_it(header, rest):
    unsealer = Unsealer(SECRET, OUT)
    number = int.from_bytes(header, "big")
    if not 0 < number <= sealing.MAX_RECORD:
        with pytest.raises(BrokenSeal, match="was announced"):
            unsealer.size(header)
    else:
        assert unsealer.size(header) == number + TAG
    with pytest.raises(BrokenSeal):
        unsealer.open(header, memoryview(bytearray(rest + bytes(TAG))))


def test_keys_change_before_they_are_worn_out(monkeypatch):
    monkeypatch.setattr(sealing, "RECORDS_PER_KEY", 2)
    texts = [b"%d" % number for number in range(5)]
    records, unsealer = sealed(*texts), Unsealer(SECRET, OUT)
    assert [opened(unsealer, record) for record in records] == texts
    keys = [sealing.record_key(SECRET, OUT, turn) for turn in range(3)]
    for number, record in enumerate(records):
        cipher = AESGCM(keys[number // 2])
        assert cipher.decrypt(number.to_bytes(12, "big"), record[LENGTH:], record[:LENGTH]) == texts[number]


def test_one_secret_gives_each_way_and_turn_a_key_of_its_own():
    keys = {sealing.record_key(SECRET, way, turn) for way in (OUT, BACK) for turn in (0, 1, 2**40)}
    assert len(keys) == 6
    turn = "9038afa5df6cd305a4c51926f407b68f0e873c5a93af4c0a30bee2510988c043"
    assert sealing.record_key(SECRET, OUT, 1).hex() == turn


def test_a_host_without_the_cipher_does_not_offer_it(monkeypatch):
    assert sealing.available()

    def forbidden(*_args):
        raise sealing.UnsupportedAlgorithm("not here")

    monkeypatch.setattr(sealing, "Cipher", forbidden)
    assert not sealing.available()
