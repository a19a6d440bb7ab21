"""What a destination says it keeps: taken where it can be, refused where it cannot."""

from types import SimpleNamespace

import pytest

from datamover import wire
from datamover.disk.journal import Journal
from datamover.engine.stages import Timesheet
from datamover.engine.stop import Stop
from datamover.engine.told import Nothing, Told
from datamover.errors import ProtocolError
from datamover.manifest import Entry, Kind

EDITION = {"dataset": "ab" * 16}
ENTRIES = [
    Entry(0, 0, b"", Kind.DIRECTORY),
    Entry(1, 0, b"one", Kind.FILE, size=10),
    Entry(2, 0, b"two", Kind.FILE),
    Entry(3, 0, b"three", Kind.FILE, size=10),
]


@pytest.fixture
def told():
    """told(trusts) over ENTRIES."""
    with Journal("") as journal:
        journal.add(ENTRIES)
        yield lambda trusts=True: Told(SimpleNamespace(block_size=65536, trusts=trusts), journal, Stop(), Timesheet())


def kept(*numbers):
    return wire.Kept(entries=wire.ranges_of(numbers), **EDITION)


def considered(number):
    return wire.Have(considered=number, **EDITION)


def test_what_is_kept_is_known_before_all_was_considered(told):
    known = told()
    known.keep(kept(1, 2), 4)
    assert known.keeps(1) and known.keeps(2)
    known.hear(considered(4), 4)
    assert not known.keeps(3)


def test_what_was_forgotten_is_kept_no_more(told):
    known = told()
    known.keep(kept(1), 4)
    known.hear(considered(4), 4)
    known.forget(1)
    assert not known.keeps(1)


@pytest.mark.parametrize("numbers", [[0], [3, 4], [4]], ids=["a directory", "half announced", "not announced"])
def test_only_announced_files_can_be_kept(told, numbers):
    with pytest.raises(ProtocolError):
        told().keep(kept(*numbers), 4)


def test_what_was_considered_already_cannot_be_kept_any_more(told):
    known = told()
    known.hear(considered(2), 4)
    with pytest.raises(ProtocolError, match="was told where entries 2 to 4 were next"):
        known.keep(kept(1), 4)


def test_where_digests_were_asked_for_only_empty_files_can_be_kept(told):
    known = told(trusts=False)
    known.keep(kept(2), 4)
    with pytest.raises(ProtocolError, match="#1 file one was said to be kept"):
        known.keep(kept(1), 4)


def test_who_is_not_asked_keeps_nothing():
    assert Nothing().keeps(1) is False
