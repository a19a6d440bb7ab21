"""Files that an earlier attempt left: found by path, told as far as there is data, moved to be completed."""

import os

import pytest

from datamover.disk import holdings
from datamover.disk.holdings import HeldFile, blocks_there, left_by_earlier_attempts, set_aside
from datamover.disk.journal import Journal
from datamover.disk.safepath import Directories
from datamover.manifest import Entry, Kind
from tests.functional.datamover.places import plant

BLOCK = 64 * 1024
DIRECTORY = Entry(1, 0, b"dir", Kind.DIRECTORY)


@pytest.fixture
def journal():
    with Journal("") as journal:
        journal.add([Entry(0, 0, b"", Kind.DIRECTORY), DIRECTORY])
        yield journal


@pytest.fixture
def anchor(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def left(tmp_path, anchor, journal, *trees):
    """What so many attempts left, one after another."""
    for tree in trees:
        (tmp_path / "data").mkdir()
        plant(tmp_path / "data", tree)
        set_aside(anchor, b"data")
    return left_by_earlier_attempts(anchor, journal, lambda name: Directories(anchor, name, journal.location))


def file(number, name, parent=0, size=1):
    return Entry(number, parent, name, Kind.FILE, size=size)


def read(found, entry):
    descriptor = next((each for each in (holding.find(entry) for holding in found) if each is not None), None)
    if descriptor is None:
        return None
    with open(descriptor, "rb") as opened:
        return opened.read()


def test_a_file_is_found_by_its_path_in_the_latest_attempt_that_has_it(tmp_path, anchor, journal):
    first = {"both": b"old", "first": b"1", "dir": {"below": b"2"}}
    found = left(tmp_path, anchor, journal, first, {"both": b"new"})
    assert read(found, file(5, b"both")) == b"new"
    assert read(found, file(6, b"first")) == b"1"
    assert read(found, file(7, b"below", parent=1)) == b"2"
    assert read(found, file(8, b"below")) is read(found, file(9, b"both", parent=1)) is None


def test_what_is_no_file_or_lies_behind_a_link_is_not_found(tmp_path, anchor, journal):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "below").write_bytes(b"secret")
    found = left(tmp_path, anchor, journal, {"dir": str(outside), "link": str(outside / "below"), "folder": {}})
    os.mkfifo(tmp_path / "earlier-1" / "fifo")
    for entry in (file(5, b"below", parent=1), file(6, b"link"), file(7, b"folder"), file(8, b"fifo")):
        assert read(found, entry) is None


def test_of_a_file_with_two_names_only_the_first_asked_for_finds_it(tmp_path, anchor, journal):
    found = left(tmp_path, anchor, journal, {"one": b"1"})
    os.link(tmp_path / "earlier-1" / "one", tmp_path / "earlier-1" / "two")
    assert read(found, file(5, b"two")) == b"1"
    assert read(found, file(6, b"one")) is None
    assert read(found, file(5, b"two")) == b"1"


def test_a_file_is_moved_and_never_over_another(tmp_path, anchor, journal):
    (found,) = left(tmp_path, anchor, journal, {"one": b"1", "two": b"2"})
    assert found.give(file(5, b"one"), anchor, b"here")
    assert not found.give(file(5, b"one"), anchor, b"again")
    with pytest.raises(FileExistsError):
        found.give(file(6, b"two"), anchor, b"here")
    assert (tmp_path / "here").read_bytes() == b"1"
    assert os.listdir(tmp_path / "earlier-1") == ["two"]


def test_it_is_moved_where_the_kernel_knows_no_flags(tmp_path, anchor, journal, monkeypatch):
    def unsupported(*_arguments):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(holdings.kernel, "rename", unsupported)
    test_a_file_is_moved_and_never_over_another(tmp_path, anchor, journal)


@pytest.mark.parametrize(
    ("data", "there", "size", "told"),
    [
        (0, 0, 10, 0),
        (10, 10, 10, 10),
        (4, 4, 10, 0),
        (BLOCK, BLOCK, 3 * BLOCK, BLOCK),
        (BLOCK + 1, BLOCK + 1, 3 * BLOCK, BLOCK),
        (BLOCK + 1, 3 * BLOCK, 3 * BLOCK, 2 * BLOCK),
        (2 * BLOCK + 1, 2 * BLOCK + 9, 2 * BLOCK + 9, 2 * BLOCK + 9),
        (0, 3 * BLOCK, 3 * BLOCK, 0),
    ],
)
def test_whole_blocks_are_told_as_far_as_there_is_data(data, there, size, told):
    assert blocks_there(data, there, size, BLOCK) == told


def test_room_that_was_reserved_is_not_told(tmp_path):
    path = tmp_path / "file"
    with open(path, "wb") as opened:
        opened.write(b"x" * (BLOCK + 5))
        os.posix_fallocate(opened.fileno(), 0, 9 * BLOCK)
    os.sync()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        held = HeldFile(descriptor, file(5, b"file", size=9 * BLOCK), BLOCK)
        assert held.told in (2 * BLOCK, 9 * BLOCK), "some file systems cannot tell the difference"
        assert HeldFile(descriptor, file(5, b"file", size=BLOCK), BLOCK).told == BLOCK
    finally:
        os.close(descriptor)
