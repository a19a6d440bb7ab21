"""Reading back behind what lands: ranges, packs, and files that begin again while they are read."""

from types import SimpleNamespace

import pytest

from datamover.blocks import Content, ContentBuilder
from datamover.digests import constructor
from datamover.disk.journal import Journal
from datamover.engine import verifier
from datamover.engine.ledger import Landing, Ledger
from datamover.engine.stages import Timesheet
from datamover.engine.stop import Stop
from datamover.engine.verifier import Verifier
from datamover.errors import DiskError
from datamover.manifest import Entry, Kind

BLOCK = 64 * 1024
TERMS = SimpleNamespace(block_size=BLOCK, algorithm="sha256")
ROOT = Entry(0, 0, b"", Kind.DIRECTORY, 0o755)


class Disk:
    """Files in memory. `meanwhile` is called at each look; FileNotFound is what a discarded file gives."""

    def __init__(self, files):
        self.files = files
        self.asked = []
        self.meanwhile = lambda: None

    def in_place(self, _number):
        return True

    def flush(self, numbers):
        self.asked.append(("flush", *numbers))
        for number in numbers:
            self._look(number)

    def read_back(self, number, new_hasher, block_size):
        self.asked.append(("whole", number))
        builder = ContentBuilder(new_hasher, block_size)
        builder.update(self._look(number))
        return builder.finish()

    def read_back_many(self, numbers, new_hasher, block_size):
        for number in numbers:
            try:
                yield number, self.read_back(number, new_hasher, block_size)
            except DiskError:
                yield number, None

    def read_back_range(self, number, offset, length, builder):
        self.asked.append(("range", number, offset, length))
        builder.update(self._look(number)[offset : offset + length])

    def _look(self, number):
        self.meanwhile()
        if number not in self.files:
            raise DiskError("there is no such file")
        return self.files[number]


@pytest.fixture
def journal():
    with Journal("") as journal:
        yield journal


class Read:
    """Holdings that have read what is given as {number: ContentBuilder or Content}."""

    def __init__(self, read=()):
        self.read = dict(read)

    def content(self, number):
        return self.read.get(number)

    builder = forget = lambda self, number, _length=0: self.read.get(number)


def prepare(journal, files, holdings=None):
    """(verifier, disk, ledger, found) for files of which all bytes have landed."""
    stop, disk, found = Stop(), Disk(files), []
    ledger = Ledger(TERMS, journal, stop)
    entries = [ROOT, *(Entry(number, 0, b"f%d" % number, Kind.FILE, size=len(files[number])) for number in files)]
    ledger.check(entries)
    journal.add(entries)
    ledger.announce(entries, True)
    told = found.extend, lambda: None, stop, Timesheet()
    return Verifier(TERMS, disk, journal, ledger, holdings or Read(), *told), disk, ledger, found


def run(checker):
    """All that was told has been read back."""
    checker._lane.put(None)
    checker.run()


def content_of(data):
    builder = ContentBuilder(constructor("sha256"), BLOCK)
    builder.update(data)
    return builder.finish()


def restart(ledger, journal, number, size):
    entry = Entry(number, 0, b"f%d" % number, Kind.FILE, size=size)
    with ledger.restarting(entry, 2):
        journal.replace(entry, 2)


def test_small_files_are_flushed_together_and_read_back_one_by_one(journal):
    checker, disk, _, found = prepare(journal, {1: b"one", 2: b"", 3: b"three"})
    checker.complete([(1, 1), (2, 1)])
    checker.complete([(3, 1)])
    run(checker)
    assert disk.asked == [("flush", 1, 2, 3), ("whole", 1), ("whole", 2), ("whole", 3)]
    assert found == [(1, 1, content_of(b"one")), (2, 1, content_of(b"")), (3, 1, content_of(b"three"))]


@pytest.mark.parametrize("limit, value", [("TOGETHER", 2), ("TOGETHER_BYTES", 5)])
def test_enough_of_them_are_not_kept_waiting(journal, monkeypatch, limit, value):
    monkeypatch.setattr(verifier, limit, value)
    checker, disk, _, _ = prepare(journal, {1: b"one", 2: b"two", 3: b"three"})
    for number in (1, 2, 3):
        checker.complete([(number, 1)])
    run(checker)
    assert [asked for asked in disk.asked if asked[0] == "flush"] == [("flush", 1, 2), ("flush", 3)]


def test_a_large_file_is_read_back_in_ranges_behind_its_frontier(journal, monkeypatch):
    monkeypatch.setattr(verifier, "RANGE", 2 * BLOCK)
    data = bytes(range(256)) * (7 * BLOCK // 256) + b"tail"
    checker, disk, _, found = prepare(journal, {1: data})
    landing = Landing(journal.entry(1), 1, BLOCK)
    landing.changed = 0
    for blocks in (1, 2, 3, 5):
        landing.frontier = blocks * BLOCK
        checker.reach(landing)
    checker.complete([(1, 1)])
    run(checker)
    ranges = [(0, 2 * BLOCK), (2 * BLOCK, 2 * BLOCK), (4 * BLOCK, BLOCK), (5 * BLOCK, 2 * BLOCK), (7 * BLOCK, 4)]
    assert disk.asked == [asked for where in ranges for asked in (("flush", 1), ("range", 1, *where))]
    assert found == [(1, 1, content_of(data))]


def test_a_large_file_that_is_shorter_on_the_disk_is_no_endless_loop(journal, monkeypatch):
    monkeypatch.setattr(verifier, "RANGE", 2 * BLOCK)
    checker, disk, _, found = prepare(journal, {1: bytes(5 * BLOCK)})
    disk.files[1] = bytes(3 * BLOCK)
    checker.complete([(1, 1)])
    run(checker)
    assert found[0][2].length == 3 * BLOCK


def reach(checker, journal, number, blocks, try_=1):
    landing = Landing(journal.entry(number), try_, BLOCK)
    landing.changed = 0
    landing.frontier = blocks * BLOCK
    checker.reach(landing)


def test_a_range_that_is_told_after_all_was_taken_is_not_read(journal, monkeypatch):
    monkeypatch.setattr(verifier, "RANGE", 2 * BLOCK)
    checker, disk, ledger, found = prepare(journal, {1: bytes(5 * BLOCK)})
    with ledger.completing(1, 1):
        pass
    checker.complete([(1, 1)])
    reach(checker, journal, 1, 2)
    run(checker)
    assert found == [(1, 1, content_of(bytes(5 * BLOCK)))]
    assert disk.asked.count(("range", 1, 0, 2 * BLOCK)) == 1 and checker._rereads == {}


@pytest.mark.parametrize("size", [BLOCK, 5 * BLOCK], ids=["small", "large"])
def test_what_was_read_of_an_earlier_try_is_forgotten(journal, monkeypatch, size):
    monkeypatch.setattr(verifier, "RANGE", 2 * BLOCK)
    checker, disk, ledger, found = prepare(journal, {1: b"old" * 2 * BLOCK})
    reach(checker, journal, 1, 2)
    checker._take(*checker._lane.get()[0])
    restart(ledger, journal, 1, size)
    disk.files[1] = bytes(size)
    checker.complete([(1, 2)])
    run(checker)
    assert found == [(1, 2, content_of(bytes(size)))] and checker._rereads == {}


@pytest.mark.parametrize("size", [5, 3 * BLOCK], ids=["small", "large"])
@pytest.mark.parametrize("when", [1, 2], ids=["before", "between"])
def test_a_file_that_begins_again_meanwhile_is_no_trouble(journal, monkeypatch, size, when):
    monkeypatch.setattr(verifier, "RANGE", 2 * BLOCK)
    checker, disk, ledger, found = prepare(journal, {1: bytes(size), 2: b"other"})
    looks = []

    def begin_again():
        looks.append(1)
        if len(looks) == when:
            restart(ledger, journal, 1, 7)
            del disk.files[1]

    disk.meanwhile = begin_again
    checker.complete([(1, 1), (2, 1)])
    run(checker)
    counted = [(number, content) for number, try_, content in found if ledger.is_current(number, try_)]
    assert counted == [(2, content_of(b"other"))]


def test_a_file_that_begins_again_before_it_is_looked_at_is_left_alone(journal):
    checker, disk, ledger, found = prepare(journal, {1: b"one", 2: b"two"})
    restart(ledger, journal, 1, 7)
    checker.complete([(1, 1), (2, 1)])
    run(checker)
    assert disk.asked == [("flush", 2), ("whole", 2)] and len(found) == 1


@pytest.mark.parametrize("size", [5, 3 * BLOCK], ids=["small", "large"])
def test_real_trouble_with_the_disk_is_told(journal, monkeypatch, size):
    monkeypatch.setattr(verifier, "RANGE", 2 * BLOCK)
    checker, disk, _, _ = prepare(journal, {1: bytes(size)})
    disk.files.clear()
    checker.complete([(1, 1)])
    with pytest.raises(DiskError):
        run(checker)


def test_a_small_file_that_is_gone_after_the_flush_is_told(journal):
    checker, disk, _, _ = prepare(journal, {1: b"one"})
    disk.flush = lambda numbers: disk.files.clear()
    checker.complete([(1, 1)])
    with pytest.raises(DiskError):
        run(checker)


def test_an_empty_file_has_a_content(journal):
    checker, _, _, found = prepare(journal, {1: b""})
    checker.complete([(1, 1)])
    run(checker)
    assert found[0][2] == Content(0, (), constructor("sha256")().digest())
