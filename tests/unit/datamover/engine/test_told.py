"""What the destination told it has: waited for, checked, forgotten."""

import threading
from types import SimpleNamespace

import pytest

from datamover import wire
from datamover.disk.journal import Journal
from datamover.engine.stages import Timesheet
from datamover.engine.stop import Stop, Stopped
from datamover.engine.told import Nothing, Told
from datamover.errors import ProtocolError
from datamover.manifest import Entry, Kind
from datamover.wire import Part

BLOCK = 64 * 1024
SIZES = {1: 3 * BLOCK + 1, 2: 10, 3: 0}
EDITION = {"dataset": "a" * 32}


def digest(number):
    return bytes([number]) * 32


@pytest.fixture
def stop():
    return Stop()


@pytest.fixture
def told(stop):
    with Journal("") as journal:
        files = [Entry(number, 0, b"f%d" % number, Kind.FILE, size=size) for number, size in SIZES.items()]
        journal.add([Entry(0, 0, b"", Kind.DIRECTORY), *files])
        yield Told(SimpleNamespace(block_size=BLOCK, trusts=False), journal, stop, Timesheet())


def have(*parts, considered=0):
    return wire.Have(considered=considered, parts=parts, **EDITION)


def blocks(first, *numbers, entry=1):
    return Part(entry, 1, SIZES.get(entry, 0), first, tuple(map(digest, numbers)))


def small(number=9, entry=2):
    return Part(entry, 1, SIZES[entry], 0, (), digest(number))


def test_blocks_come_page_by_page(told):
    told.hear(have(blocks(0, 1, 2)), 4)
    told.hear(have(blocks(2, 3)), 4)
    told.hear(have(small(), considered=4), 4)
    assert [told.block(1, index) for index in range(4)] == [digest(1), digest(2), digest(3), None]
    assert told.block(2, 0) == digest(9)
    assert told.block(3, 0) is None


def test_who_asks_waits_until_it_is_told_or_will_not_be(told):
    answers = []
    asking = threading.Thread(target=lambda: answers.extend((told.block(1, 0), told.block(1, 1))))
    asking.start()
    told.hear(have(blocks(0, 1)), 4)
    told.hear(have(considered=2), 4)
    asking.join(10)
    assert answers == [digest(1), None]


def test_waiting_ends_with_the_work(told, stop):
    stop.set(ValueError("over"))
    with pytest.raises(Stopped):
        told.block(1, 0)


def test_what_is_forgotten_takes_no_room(told):
    told.hear(have(blocks(0, 1), considered=2), 4)
    told.forget(1)
    assert told.block(1, 0) is None and told._blocks == {}


@pytest.mark.parametrize(
    "haves",
    [
        [have(considered=5)],
        [have(blocks(0, 1, entry=4))],
        [have(blocks(0, 1, entry=0))],
        [have(blocks(0, 1, entry=3))],
        [have(blocks(1, 1))],
        [have(blocks(0, 1)), have(blocks(0, 1))],
        [have(blocks(0, 1, 2, 3, 4, 5))],
        [have(Part(1, 2, SIZES[1], 0, (digest(1),)))],
        [have(Part(1, 1, SIZES[1], 0, (digest(1),), digest(2)))],
        [have(Part(1, 1, SIZES[1], 0, ()))],
        [have(Part(2, 1, SIZES[2], 0, (digest(1),)))],
        [have(small()), have(small())],
        [have(small()), have(blocks(0, 1))],
        [have(considered=2), have(blocks(0, 1))],
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(told, haves):
    *before, last = haves
    for each in before:
        told.hear(each, 4)
    with pytest.raises(ProtocolError):
        told.hear(last, 4)


def test_where_nobody_is_asked_nothing_is_there():
    nothing = Nothing()
    nothing.forget(1)
    assert nothing.block(1, 0) is None
