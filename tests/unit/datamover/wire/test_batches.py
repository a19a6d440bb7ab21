"""Batches: sized for the wire, and the digests of a file together again however many messages they took."""


import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import manifest, wire
from datamover.blocks import Content, block_count
from datamover.errors import LocalError, ManifestInvalid, ProtocolError
from datamover.manifest import Entry, Kind
from datamover.wire import MAX_PART_BLOCKS, Assembly, Part

from .. import strategies
from ..strategies import relaxed

BLOCK = 4194304
EDITION = {"dataset": "ab" * 16}
WHOLE = b"\xee" * 32


def content_of(length, block_size=BLOCK):
    count = block_count(length, block_size)
    blocks = tuple(number.to_bytes(32, "big") for number in range(count)) if count > 1 else (WHOLE,) * count
    return Content(length, blocks, WHOLE)


def put_together(parts, block_size=BLOCK):
    assembly = Assembly(block_size)
    return [content for part in parts if (content := assembly.add(part))]


def some_entries(count, **fields):
    return [Entry(number, 0, b"f%d" % number, Kind.FIFO, **fields) for number in range(1, count + 1)]


# Entries.


def test_entries_are_announced_in_full_batches_and_the_last_is_marked():
    entries = some_entries(10_000)
    messages = list(wire.announcements(entries, **EDITION))
    assert [entry for message in messages for entry in message.entries] == entries
    assert [message.sequence for message in messages] == list(range(len(messages)))
    assert [message.more for message in messages] == [True] * (len(messages) - 1) + [False]
    sizes = [len(message.body()) for message in messages]
    assert max(sizes) <= wire.BATCH and min(sizes[:-1]) > wire.BATCH - 1000


def test_an_entry_larger_than_a_batch_travels_alone():
    large = some_entries(1)[0]._replace(xattrs=tuple((b"user.%d" % n, bytes(65536)) for n in range(9)))
    messages = list(wire.announcements([*some_entries(1), large, *some_entries(1)], **EDITION))
    assert [len(message.entries) for message in messages] == [1, 1, 1]
    assert len(messages[1].body()) > wire.BATCH


def test_of_no_entries_there_is_still_a_last_announcement():
    assert list(wire.announcements([], **EDITION)) == [wire.Announce(sequence=0, more=False, entries=(), **EDITION)]


def test_a_long_list_is_announced_while_it_is_made():
    made = []
    announced = wire.announcements((made.append(entry) or entry for entry in some_entries(20_000)), **EDITION)
    next(announced)
    assert 0 < len(made) < 10_000


@pytest.mark.parametrize("operation", [0, 2, 3, 4, 255])
def test_operations_that_need_a_base_are_reserved(operation):
    body = wire.Announce(sequence=0, more=False, entries=tuple(some_entries(1)), **EDITION).body()
    at = len(body) - wire.entry_size(some_entries(1)[0])
    with pytest.raises(ProtocolError, match="only put"):
        wire.Announce.decode(body[:at] + bytes((operation,)) + body[at + 1 :])


def test_an_announced_entry_that_cannot_be_is_refused():
    body = wire.Announce(sequence=0, more=False, entries=tuple(some_entries(1)), **EDITION).body()
    with pytest.raises(ManifestInvalid, match=r"\.\."):
        wire.Announce.decode(body.replace(b"f1", b".."))


# Digests.


@pytest.mark.parametrize(
    ("length", "parts"),
    [
        (0, 1),
        (1, 1),
        (BLOCK, 1),
        (BLOCK + 1, 1),
        (MAX_PART_BLOCKS * BLOCK, 1),
        (MAX_PART_BLOCKS * BLOCK + 1, 2),
        (50 * 2**30, 4),
        (10 * 2**40, 640),
    ],
)
def test_a_file_of_any_size_has_its_digests_in_parts(length, parts):
    content = content_of(length)
    cut = list(wire.parts_of(7, 1, content))
    assert len(cut) == parts
    assert put_together(cut) == [content]
    assert all(wire.part_size(part) <= wire.BATCH for part in cut)


def test_digests_are_packed_into_messages_that_keep_their_bound():
    cut = [part for number in range(3000) for part in wire.parts_of(number, 1, content_of(number % 5 * BLOCK))]
    cut += wire.parts_of(3000, 1, content_of(50 * 2**30))
    messages = list(wire.digest_messages(cut, **EDITION))
    assert max(len(message.body()) for message in messages) <= wire.BATCH
    read = [part for message in messages for part in wire.Digests.decode(message.body()).parts]
    assert read == cut
    assert len(put_together(read)) == 3001


@relaxed
@given(st.integers(0, 50_000), st.integers(1, 1000), st.integers(1, 9))
def test_parts_come_together_however_they_were_cut(length, block_size, size):
    content = content_of(length, block_size)
    blocks = content.blocks if len(content.blocks) > 1 else ()
    cut = [Part(7, 1, length, first, blocks[first : first + size]) for first in range(0, len(blocks), size)]
    cut = [*cut[:-1], cut[-1]._replace(whole=WHOLE)] if cut else [Part(7, 1, length, 0, (), WHOLE)]
    assert put_together(cut, block_size) == [content]


FIRST, SECOND, LAST = (Part(7, 1, 3 * BLOCK, n, (bytes(32),), WHOLE if n == 2 else b"") for n in range(3))


@pytest.mark.parametrize(
    "parts",
    [
        [SECOND],
        [LAST],
        [FIRST, LAST],
        [FIRST, FIRST],
        [FIRST, SECOND, SECOND],
        [FIRST, Part(8, 1, 10, 0, (), WHOLE)],
        [FIRST, SECOND._replace(try_=2)],
        [FIRST, SECOND._replace(length=4 * BLOCK)],
        [FIRST._replace(whole=WHOLE)],
        [FIRST, SECOND, Part(7, 1, 3 * BLOCK, 2, (bytes(32),) * 2, WHOLE)],
        [FIRST, Part(7, 1, 3 * BLOCK, 1, ())],
        [Part(7, 1, 10, 0, (bytes(32),), WHOLE)],
        [Part(7, 1, 10, 0, ())],
        [Part(7, 1, 0, 0, ())],
    ],
)
def test_parts_that_do_not_make_a_file_are_refused(parts):
    with pytest.raises(ProtocolError, match="digests of #"):
        put_together(parts)


def test_a_file_whose_digests_would_fill_the_memory_is_refused_at_its_first_part():
    endless = Part(7, 1, 2**63 - 1, 0, (bytes(32),))
    with pytest.raises(ManifestInvalid, match="blocks of 4194304 bytes"):
        put_together([endless])


def test_a_file_that_begins_again_begins_with_its_first_part():
    assembly = Assembly(BLOCK)
    assembly.add(FIRST)
    assembly.forget(8)
    with pytest.raises(ProtocolError):
        assembly.add(FIRST._replace(try_=2))
    assembly.forget(7)
    assert assembly.add(FIRST._replace(try_=2)) is None


@pytest.mark.parametrize(
    "part",
    [
        Part(-1, 1, 10, 0, (), WHOLE),
        Part(manifest.MAX_NUMBER + 1, 1, 10, 0, (), WHOLE),
        Part(1, 65536, 10, 0, (), WHOLE),
        Part(1, 1, -1, 0, (), WHOLE),
        Part(1, 1, 2**63, 0, (), WHOLE),
        Part(1, 1, 1, 1, (bytes(32),), WHOLE),
        Part(1, 1, 10, 0, (bytes(31),), WHOLE),
        Part(1, 1, 10, 0, (), b"short"),
        Part(1, 1, 2**40, 0, (bytes(32),) * (MAX_PART_BLOCKS + 1), WHOLE),
    ],
    ids=lambda part: str(part)[:40],
)
def test_a_part_that_cannot_be_is_not_sent(part):
    with pytest.raises(LocalError):
        wire.Digests(parts=(part,), **EDITION).encode()


@pytest.mark.parametrize(
    ("at", "value"), [(10, b"\2"), (27, b"\0\0\x10\1"), (0, b"\xff"), (11, b"\xff"), (19, b"\x7f")], ids=str
)
def test_a_part_that_cannot_be_is_refused(at, value):
    body = wire.Digests(parts=(Part(7, 1, 10, 0, (), WHOLE),), **EDITION).body()
    part = bytearray(body[-63:])
    part[at : at + len(value)] = value
    with pytest.raises(ProtocolError, match=r"Digests.parts (has a part|#)"):
        wire.Digests.decode(body[:-63] + bytes(part) + bytes(32 * 5000))


@relaxed
@given(st.lists(strategies.parts(), max_size=8))
def test_any_parts_make_files_or_are_refused(parts):
    try:
        put_together(parts)
    except (ProtocolError, ManifestInvalid) as error:
        assert error.text.isprintable()
