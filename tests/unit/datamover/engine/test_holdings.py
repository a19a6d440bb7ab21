"""What a destination tells of what it has, and what it still knows of it when the file is complete."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from datamover.blocks import ContentBuilder, block_count
from datamover.digests import constructor
from datamover.engine import holdings
from datamover.engine.holdings import Holdings, Reading
from datamover.engine.stages import Timesheet
from datamover.engine.stop import Stop
from datamover.manifest import Entry, Kind

BLOCK = 64 * 1024
TERMS = SimpleNamespace(block_size=BLOCK, algorithm="sha256", edition={"dataset": "a" * 32})
HASHER = constructor("sha256")


class Disk:
    """Files in memory, {number: bytes}; beyond `readable` bytes they cannot be read."""

    def __init__(self, files, readable=2**63):
        self.files, self.readable, self.flushed, self.read = files, readable, 0, 0

    def sync(self):
        self.flushed += 1

    @contextmanager
    def held(self, entry, block_size):
        data = self.files.get(entry.number)
        yield data if data is None else SimpleNamespace(told=len(data), feed=lambda *args: self._feed(data, *args))

    def _feed(self, data, offset, length, builder, _step):
        assert self.flushed, "nothing is read before it was flushed"
        self.read += length
        builder.update(data[offset : min(offset + length, self.readable)])


def look(disk, entries, batches=1):
    """(Holdings, what was said) after all entries were looked at."""
    said = []
    looking = Holdings(TERMS, disk, lambda *_: None, said.append, lambda: None, Stop(), Timesheet())
    size = -(-len(entries) // batches)
    for at in range(0, len(entries), size):
        looking.consider(entries[at : at + size], last=at + size >= len(entries))
    looking.run()
    return looking, said


def file(number, size):
    return Entry(number, 0, b"f%d" % number, Kind.FILE, size=size)


def content_of(data):
    builder = ContentBuilder(HASHER, BLOCK)
    builder.update(data)
    return builder.finish()


def data_of(size):
    return bytes(range(256)) * (size // 256) + b"x" * (size % 256)


def told(said, number):
    return [
        digest
        for have in said
        for part in have.parts
        if part.entry == number
        for digest in (part.blocks or (part.whole,))
    ]


def test_everything_is_considered_and_only_what_is_there_is_told():
    entries = [Entry(0, 0, b"", Kind.DIRECTORY), file(1, 10), file(2, 0), file(3, 5), file(4, 7)]
    _, said = look(Disk({1: b"0123456789", 4: b"1234567"}), entries, batches=2)
    assert [have.considered for have in said] == [3, 5]
    assert told(said, 1) == [content_of(b"0123456789").whole] and told(said, 4) == [content_of(b"1234567").whole]
    assert told(said, 2) == told(said, 3) == []


@pytest.mark.parametrize("size", [BLOCK + 1, 3 * BLOCK, 7 * BLOCK + 5])
def test_a_large_file_is_told_as_it_is_read(monkeypatch, size):
    monkeypatch.setattr(holdings, "PORTION", BLOCK)
    data = data_of(size)
    looking, said = look(Disk({1: data}), [file(1, size)])
    assert tuple(told(said, 1)) == content_of(data).blocks
    assert [have.considered for have in said] == [0] * block_count(size, BLOCK) + [2]
    assert looking.content(1) == content_of(data)


def test_a_file_that_cannot_be_read_further_is_told_so_far(monkeypatch):
    monkeypatch.setattr(holdings, "PORTION", BLOCK)
    data = data_of(4 * BLOCK)
    looking, said = look(Disk({1: data}, readable=2 * BLOCK + 5), [file(1, 4 * BLOCK)])
    assert tuple(told(said, 1)) == content_of(data).blocks[:2] and said[-1].considered == 2
    assert looking.content(1) is None


def test_digesting_goes_on_where_a_file_ends_to_be_held(monkeypatch):
    monkeypatch.setattr(holdings, "PORTION", BLOCK)
    data = data_of(4 * BLOCK)
    looking, _ = look(Disk({1: data[: 3 * BLOCK]}), [file(1, 4 * BLOCK)])
    for length, taken in ((0, 0), (BLOCK - 1, 0), (BLOCK, 1), (3 * BLOCK - 1, 2), (4 * BLOCK, 3)):
        builder = looking.builder(1, length)
        assert (builder.length if builder else 0) == taken * BLOCK
    for _ in range(2):
        builder = looking.builder(1, 2 * BLOCK)
        builder.update(data[2 * BLOCK :])
        assert builder.finish() == content_of(data)


def test_of_a_very_long_file_only_so_many_places_are_kept(monkeypatch):
    monkeypatch.setattr(holdings, "MARKS", 8)
    reading, data = Reading(file(1, 101 * BLOCK), HASHER, BLOCK), data_of(BLOCK)
    for count in range(1, 101):
        reading.builder.update(data)
        reading.note()
        assert len(reading._marks) <= 8
        found = reading.upto(count)
        assert found is None or count - found.length // BLOCK <= max(2, count // 2)
    rest = reading.upto(100)
    rest.update(data * (100 - rest.length // BLOCK))
    assert rest.finish() == content_of(data * 100)


def test_what_was_read_is_kept_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(holdings, "MOST_KEPT", 6)
    files = {number: data_of(2 * BLOCK) for number in (1, 2, 3)}
    looking, said = look(Disk(files), [file(number, 2 * BLOCK) for number in files])
    assert [looking.content(number) is not None for number in files] == [True, True, False]
    assert [looking.told(number) for number in files] == [2 * BLOCK, 2 * BLOCK, 0]
    assert all(len(told(said, number)) == 2 for number in files), "the source is told all the same"
    looking.forget(1)
    looking.forget(1)
    assert looking.content(1) is looking.builder(1, BLOCK) is None and looking.told(1) == 0
