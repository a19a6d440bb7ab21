"""What a stream of a hot backup holds, whatever the portions in which it comes by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosttools import xbstream
from hosttools.xbstream import MAGIC, Inventory, missing


def payload(path, offset, data):
    head = MAGIC + b"\0P" + len(path).to_bytes(4, "little") + path
    return head + len(data).to_bytes(8, "little") + offset.to_bytes(8, "little") + bytes(4) + data


def end(path, kind=b"E"):
    return MAGIC + b"\0" + kind + len(path).to_bytes(4, "little") + path


STREAM = b"".join(
    [
        payload(b"ibdata1", 0, b"x" * 1000),
        payload(b"d/t.ibd", 0, b"XBSTCK01" * 9),
        payload(b"ibdata1", 1000, b"y" * 24),
        end(b"ibdata1"),
        end(b"d/empty.frm"),
        end(b"d/t.ibd"),
    ]
)
FILES = {b"ibdata1": 1024, b"d/t.ibd": 72, b"d/empty.frm": 0}


@given(st.lists(st.integers(1, 400), max_size=20))
def test_the_portions_do_not_matter(sizes):
    found, at = Inventory(), 0
    for size in [*sizes, len(STREAM)]:
        found.add(memoryview(STREAM)[at : at + size])
        at += size
    assert (found.files, found.complete, found.ended_early, found.unknown) == (FILES, {*FILES}, False, "")


@pytest.mark.parametrize("cut", [1, 8, 13, 17, 30, 900, len(STREAM) - 25, len(STREAM) - 1])
def test_a_stream_that_ends_early_is_noticed(cut):
    found = Inventory()
    found.add(STREAM[:cut])
    assert found.ended_early


@pytest.mark.parametrize(
    "strange", [end(b"later", b"R"), b"no stream of that kind at all", MAGIC + b"\0P" + b"\xff" * 4]
)
def test_what_is_unknown_ends_the_count_and_is_named(strange):
    found = Inventory()
    found.add(STREAM + strange + STREAM)
    assert found.unknown and not found.ended_early
    assert found.files == FILES


def test_what_is_missing_or_of_another_length_is_named():
    assert missing(FILES, FILES | {b"more": 1}) == []
    assert missing(FILES, {b"ibdata1": 1023, b"d/empty.frm": 0}) == [b"d/t.ibd", b"ibdata1"]


OUTWARD = [b"/etc/cron.d/evil", b"../code/transferworker/__init__.py", b"shop/../../evil", b"..", b"a\0/../b", b""]


@pytest.mark.parametrize("path", OUTWARD)
@pytest.mark.parametrize("chunk", [lambda path: payload(path, 0, b"evil"), end])
def test_a_name_that_leads_out_is_refused_no_later_than_with_its_last_byte(path, chunk):
    head = len(MAGIC) + 6 + len(path) + (20 if chunk is not end else 0)
    found = Inventory()
    found.add(STREAM)
    for number, byte in enumerate(chunk(path)):
        assert bool(found.refused) == (number >= head)
        found.add(bytes([byte]))
    assert found.refused and found.files == FILES


@pytest.mark.parametrize("path", [b"..frm", b"shop/..", b"..."])
def test_dots_in_a_name_are_a_name(path):
    found = Inventory()
    found.add(end(path))
    assert bool(found.refused) == (path == b"shop/..")


def test_no_more_files_are_remembered_than_a_server_has(monkeypatch):
    monkeypatch.setattr(xbstream, "MOST_FILES", 3)
    found = Inventory()
    found.add(STREAM + STREAM)
    assert not found.refused
    found.add(end(b"one more"))
    assert "more than 3 files" in found.refused and found.files == FILES


def test_names_take_bounded_memory(monkeypatch):
    monkeypatch.setattr(xbstream, "MOST_NAMES", 100)
    found = Inventory()
    for number in range(30):
        found.add(end(b"%030d" % number))
    assert "100 bytes" in found.refused and len(found.files) == 3


def test_what_has_grown_since_somebody_looked_is_told():
    found = Inventory()
    found.add(payload(b"ibdata1", 0, b"x") + end(b"d/empty.frm"))
    assert found.grown == {b"ibdata1"}
    found.grown.clear()
    found.add(payload(b"d/t.ibd", 0, b"y"))
    assert found.grown == {b"d/t.ibd"}
