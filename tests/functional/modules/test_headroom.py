"""headroom through Salt's loader, on real file systems."""

import os
import subprocess

import pytest
from salt.exceptions import CommandExecutionError


@pytest.fixture
def check(modules):
    return modules["headroom.check"]


@pytest.fixture
def small(tmp_path):
    """A file system of 1 MiB and 50 inodes."""
    point = tmp_path / "small"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=50", "none", str(point)], check=True)
    yield point
    subprocess.run(["umount", "--lazy", str(point)], check=True)


def test_what_fits_fits(check, tmp_path):
    found = check(str(tmp_path), bytes="1KiB", inodes=1)
    assert (found["fits"], found["reasons"], found["writable"]) == (True, [], True)
    assert found["nearest"] == str(tmp_path)


def test_a_place_that_is_not_there_is_measured_where_it_would_be(check, tmp_path):
    assert check(f"{tmp_path}/a/b")["nearest"] == str(tmp_path)
    assert check(f"{tmp_path}/a/b")["fits"]


@pytest.mark.root
def test_every_lack_is_told_at_once_with_numbers(check, small):
    found = check(str(small), bytes="512KiB", reserve_bytes="1MiB", inodes=40, reserve_inodes=20)
    assert not found["fits"]
    assert found["reasons"] == [
        f"{small} has 1.0 MiB free; 512.0 KiB are wanted and 1.0 MiB shall be left.",
        f"{small} has 49 inodes free; 40 are wanted and 20 shall be left.",
    ]


@pytest.mark.root
def test_what_just_fits_fits(check, small):
    assert check(str(small), bytes=1 << 20, inodes=49)["fits"]
    assert not check(str(small), bytes=(1 << 20) + 1)["fits"]
    assert not check(str(small), inodes=50)["fits"]


@pytest.mark.root
def test_a_read_only_file_system_has_no_room_even_for_root(check, small):
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    (reason,) = check(str(small))["reasons"]
    assert "(tmpfs at " in reason
    assert "mounted read-only" in reason


@pytest.mark.root
def test_two_mounts_of_one_file_system_allow_no_rename(modules, small, tmp_path):
    (tmp_path / "again").mkdir()
    same = modules["headroom.same_filesystem"]
    assert same(str(small), str(small / "new"))["rename"]
    assert not same(str(small), str(tmp_path))["same"]
    subprocess.run(["mount", "--bind", str(small), str(tmp_path / "again")], check=True)
    try:
        found = same(str(small), str(tmp_path / "again"))
    finally:
        subprocess.run(["umount", str(tmp_path / "again")], check=True)
    assert (found["same"], found["rename"]) == (True, False)


@pytest.mark.parametrize("size", ["much", "-1", "4 bananas", None])
def test_what_is_no_size_is_refused(check, size):
    with pytest.raises(CommandExecutionError, match="is no size"):
        check("/", bytes=size)


def test_a_relative_path_is_refused(check):
    with pytest.raises(CommandExecutionError, match="'srv' is no absolute path"):
        check("srv")


def test_any_path_can_be_told(check, tmp_path):
    (tmp_path / "a\nb").mkdir()
    assert check(os.fspath(tmp_path / "a\nb"))["nearest"].endswith("/a%0Ab")
