"""What must stay free, and what the copy takes."""

import pytest

from transferplan import space
from transferplan.facts import Destination, Source
from transferplan.shapes import read

from .samples import GIB, destination, source


def place(**changes):
    return read(Destination, destination(**changes), "it")


@pytest.mark.parametrize(
    "rule, total, inodes, kept",
    [
        ("auto", 10 * GIB, 100_000, (GIB // 2, 5_000)),
        ("auto", 1000 * GIB, 10_000_000, (2 * GIB, 10_000)),
        ("auto", 10 * GIB, 0, (GIB // 2, 0)),
        ("10%", 1000 * GIB, 1_000_000, (100 * GIB, 100_000)),
        ("0.5%", 1000 * GIB, 1_000_000, (5 * GIB, 5_000)),
        (3 * GIB, 1000 * GIB, 1_000_000, (3 * GIB, 10_000)),
        (0, 1000 * GIB, 100, (0, 5)),
    ],
)
def test_the_reserve(rule, total, inodes, kept):
    room = space.reserve(rule, place(bytes_total=total, inodes_total=inodes))
    assert (room.bytes, room.inodes) == kept


def test_holes_take_no_space_and_staging_takes_entries():
    needed = space.need(read(Source, source(bytes=100 * GIB, disk_bytes=5 * GIB, entries=1), "it"))
    assert (needed.bytes, needed.inodes) == (5 * GIB, 1 + space.OWN_INODES)


def test_what_fits_to_the_last_byte_and_inode_fits():
    just = place(bytes_free=12, reserved_bytes=2, inodes_free=9, reserved_inodes=1)
    assert list(space.shortages("beta:/srv", space.Room(7, 5), space.Room(3, 3), just, False)) == []
    assert len(list(space.shortages("beta:/srv", space.Room(8, 6), space.Room(3, 3), just, False))) == 2
