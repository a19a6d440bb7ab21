"""Whether what arrived is what was sent: no run counts whose copy is another."""

import os

import pytest
from bench.errors import BenchError
from bench.stage import check_equal


@pytest.fixture
def trees(tmp_path):
    """Two equal trees."""
    for name in ("source", "target"):
        root = tmp_path / name
        (root / "dir").mkdir(parents=True)
        (root / "dir" / "file").write_bytes(b"bytes")
        (root / "empty").mkdir()
        (root / "link").symlink_to("dir")
    return tmp_path / "source", tmp_path / "target"


def test_equal_trees_and_files_are_equal(trees):
    check_equal(*trees)
    check_equal(*(root / "dir" / "file" for root in trees))


def one_byte_differs(target):
    (target / "dir" / "file").write_bytes(b"bytez")


def shorter(target):
    (target / "dir" / "file").write_bytes(b"byte")


def missing(target):
    (target / "dir" / "file").unlink()


def one_more(target):
    (target / "empty" / "more").write_bytes(b"")


def points_elsewhere(target):
    (target / "link").unlink()
    (target / "link").symlink_to("empty")


def another_kind(target):
    (target / "empty").rmdir()
    (target / "empty").write_bytes(b"")


def nothing_there(target):
    os.rename(target, target.with_name("elsewhere"))


def a_file_in_its_place(target):
    nothing_there(target)
    target.write_bytes(b"")


DIFFERENCES = (
    one_byte_differs,
    shorter,
    missing,
    one_more,
    points_elsewhere,
    another_kind,
    nothing_there,
    a_file_in_its_place,
)


@pytest.mark.parametrize("change", DIFFERENCES)
def test_every_difference_is_found(trees, change):
    change(trees[1])
    with pytest.raises(BenchError, match="did not arrive equal"):
        check_equal(*trees)


def test_a_directory_in_the_place_of_a_file_is_a_difference(trees):
    source, target = trees
    with pytest.raises(BenchError, match="another kind"):
        check_equal(source / "dir" / "file", target / "empty")
