"""Files with holes, as the source reads them."""

import os

import pytest

from datamover.blocks import BLOCK
from datamover.disk import sparse
from datamover.manifest import Kind
from tests.functional.datamover.places import HASHER, plant, run, source

GIB = 1024**3


@pytest.fixture
def descriptor(tmp_path):
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def extents(descriptor):
    return list(sparse.extents(descriptor, os.fstat(descriptor).st_size))


def test_data_and_holes_follow_each_other_without_a_gap(descriptor):
    os.ftruncate(descriptor, 50 * GIB)
    os.pwrite(descriptor, b"x" * 4096, 0)
    os.pwrite(descriptor, b"x" * 4096, 20 * GIB)
    assert extents(descriptor) == [
        (0, 4096, False),
        (4096, 20 * GIB - 4096, True),
        (20 * GIB, 4096, False),
        (20 * GIB + 4096, 30 * GIB - 4096, True),
    ]


def test_files_without_holes_and_without_anything(descriptor):
    assert extents(descriptor) == []
    os.pwrite(descriptor, b"x" * 5000, 0)
    assert extents(descriptor) == [(0, 5000, False)]


def test_a_file_that_is_one_hole(descriptor):
    os.ftruncate(descriptor, 10**6)
    assert extents(descriptor) == [(0, 10**6, True)] and sparse.has_holes(os.fstat(descriptor))


def test_more_than_was_announced_is_not_looked_at(descriptor):
    os.pwrite(descriptor, b"x" * 4096, 0)
    os.ftruncate(descriptor, GIB)
    assert list(sparse.extents(descriptor, 2048)) == [(0, 2048, False)]
    assert list(sparse.extents(descriptor, 8192)) == [(0, 4096, False), (4096, 4096, True)]


def test_less_than_was_announced_reads_as_a_hole_that_the_last_check_finds(descriptor):
    os.pwrite(descriptor, b"x" * 4096, 0)
    assert list(sparse.extents(descriptor, 9000)) == [(0, 4096, False), (4096, 4904, True)]


def test_a_file_system_that_cannot_tell_has_no_holes():
    with open("/proc/version", "rb") as file:
        assert list(sparse.extents(file.fileno(), 100)) == [(0, 100, False)]


def test_what_is_no_file_at_all_is_an_error():
    reader, writer = os.pipe()
    with pytest.raises(OSError, match="Illegal seek"):
        list(sparse.extents(reader, 100))
    os.close(reader)
    os.close(writer)


def test_reading_stops_where_a_file_ends(descriptor):
    os.pwrite(descriptor, b"abc", 0)
    view = memoryview(bytearray(10))
    assert sparse.read_into(descriptor, 1, view) == 2 and view[:2] == b"bc"


def test_a_file_that_shrank_has_a_shorter_content(descriptor):
    os.pwrite(descriptor, b"x" * (3 * sparse.CHUNK), 0)
    status = os.fstat(descriptor)
    os.ftruncate(descriptor, sparse.CHUNK + 5)
    content = sparse.digest(descriptor, status, HASHER, BLOCK)
    assert content.length == sparse.CHUNK + 5


def test_the_source_reads_only_what_is_there_and_digests_all(tmp_path):
    root = plant(tmp_path, {"root": {"plain": b"x" * 300_000, "empty": b""}}) / "root"
    with open(root / "sparse", "wb") as out:
        out.truncate(64 * 1024 * 1024)
        out.seek(32 * 1024 * 1024)
        out.write(b"island")
    with source(root) as (tree, _):
        found = {}
        for entry in tree.walk():
            if entry.kind == Kind.FILE:
                with tree.open(entry) as file:
                    data = sum(length for _, length, is_hole in file.extents() if not is_hole)
                    found[entry.name] = data, file.digest(HASHER, BLOCK).whole.hex()
    expected = {name: run("sha256sum", root / os.fsdecode(name))[:64].decode() for name in found}
    assert {name: whole for name, (_, whole) in found.items()} == expected
    assert found[b"sparse"][0] == 4096 and found[b"plain"][0] == 300_000 and found[b"empty"][0] == 0
