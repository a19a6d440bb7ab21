"""What can be decided of an update without a disk."""

import os
import stat

import pytest

from datamover.disk import update
from datamover.disk.extras import Limit
from datamover.disk.standing import Finding, compare
from datamover.disk.steps import Do, Step
from datamover.manifest import Entry, Kind

NOW = 1_700_000_000_123_456_789


def status(kind=stat.S_IFREG, size=10, mtime=NOW):
    found = os.stat_result((kind | 0o644, 1, 1, 1, 0, 0, size, 0, 0, 0), {"st_mtime_ns": mtime})
    assert found.st_mtime_ns == mtime
    return found


FILE = Entry(1, 0, b"file", Kind.FILE, size=10, mtime_ns=NOW)


@pytest.mark.parametrize(
    ("found", "finding"),
    [
        (None, Finding.MISSING),
        (status(), Finding.EQUAL),
        (status(size=11), Finding.DIFFERS),
        (status(mtime=NOW + 1), Finding.DIFFERS),
        (status(stat.S_IFDIR), Finding.OTHER),
        (status(stat.S_IFLNK), Finding.OTHER),
        (status(stat.S_IFSOCK), Finding.OTHER),
    ],
)
def test_a_file_is_compared_by_kind_size_and_time(found, finding):
    assert compare(FILE, Kind.FILE, found) is finding


def test_times_are_compared_as_finely_as_the_destination_keeps_them():
    assert compare(FILE, Kind.FILE, status(mtime=NOW // 10**9 * 10**9), 10**9) is Finding.EQUAL


def test_a_hard_link_is_compared_as_what_it_links_to():
    link = Entry(2, 0, b"link", Kind.HARDLINK, link=1)
    assert compare(link, Kind.FILE, status()) is Finding.DIFFERS
    assert compare(link, Kind.FIFO, status()) is Finding.OTHER


@pytest.mark.parametrize(
    ("limit", "deleted", "standing", "permitted"),
    [
        ("50%", 5, 10, True),
        ("50%", 6, 10, False),
        ("0%", 0, 10, True),
        ("0%", 1, 10, False),
        ("100%", 10, 10, True),
        (3, 3, 10, True),
        (3, 4, 1000, False),
        ("0.5%", 5, 1000, True),
    ],
)
def test_a_limit_is_a_share_or_a_number(limit, deleted, standing, permitted):
    assert Limit.read(limit).permits(deleted, standing) is permitted
    assert str(Limit.read(limit)) == str(limit)


@pytest.mark.parametrize(
    "step",
    [
        Step(Do.DIRECTORY, b"final/dir", 3, new=True),
        Step(Do.PUT, b"final/odd \n\xff%", 4, aside=True),
        Step(Do.LINK, b"final/link", 5, first=b"final/odd \n\xff%"),
        Step(Do.DELETE, b"final/gone"),
        Step(
            Do.TEND, b"final", entry=Entry(0, 0, b"", Kind.DIRECTORY, 0o755, owner="root", xattrs=((b"user.a", b"b"),))
        ),
    ],
    ids=lambda step: step.do.value,
)
def test_a_step_is_read_as_it_was_written(step):
    assert Step.from_dict(step.as_dict()) == step


def test_ranges_that_are_held_one_after_another_are_remembered_as_one():
    ranges = []
    for offset in (0, 100, 200, 400, 500, 300):
        update.remember(ranges, offset, 100)
    assert ranges == [(0, 300), (400, 200), (300, 100)]
