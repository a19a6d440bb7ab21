"""Removing what is ours, and nothing else."""

import os

import pytest

from datamover.disk import mounts
from datamover.disk.removal import clear, empty
from datamover.disk.safepath import OPEN_DIRECTORY
from datamover.disk.trouble import on_disk
from datamover.errors import DiskError
from tests.functional.datamover.places import plant, private_mounts, tmpfs


@pytest.fixture
def parent(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def remove_tree(parent, name):
    with on_disk("remove", name):
        top = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
        try:
            empty(top, last=b"last")
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=parent)


def test_a_tree_is_removed_with_everything_in_it(tmp_path, parent):
    plant(tmp_path, {"ours": {"a": b"1", "d": {"e": {"f": b"2"}, "g": {}}, "0.going": {"x": b"1"}}, "other": b"3"})
    os.mkfifo(tmp_path / "ours" / "fifo")
    os.chmod(tmp_path / "ours" / "d", 0)
    remove_tree(parent, b"ours")
    assert os.listdir(tmp_path) == ["other"]


def test_a_name_is_cleared_whatever_has_it(tmp_path, parent):
    plant(tmp_path, {"file": b"1", "tree": {"a": {"b": b"2"}}, "link": "tree", "other": b"3"})
    for name in (b"file", b"link", b"nothing", b"tree"):
        clear(parent, name)
    assert os.listdir(tmp_path) == ["other"]


def test_what_is_to_go_last_is_there_until_all_else_is_gone(tmp_path, monkeypatch):
    """It says whose the directory is, and must do so even when the removal is cut short."""
    plant(tmp_path, {"last": b"1", "a": b"2", "d": {"last": b"3"}, "z": b"4"})
    top = os.open(tmp_path, os.O_RDONLY)
    gone = []
    real = os.unlink
    monkeypatch.setattr(os, "unlink", lambda name, dir_fd: (real(name, dir_fd=dir_fd), gone.append(name)))
    empty(top, last=b"last")
    os.close(top)
    assert sorted(gone) == [b"a", b"last", b"last", b"z"] and gone[-1] == b"last" and os.listdir(tmp_path) == []


def test_links_are_removed_and_not_followed(tmp_path, parent):
    plant(tmp_path, {"precious": {"f": b"1"}, "ours": {"link": "../precious", "d": {"link": "../../precious"}}})
    remove_tree(parent, b"ours")
    assert os.listdir(tmp_path) == ["precious"] and os.listdir(tmp_path / "precious") == ["f"]


def test_a_link_instead_of_the_tree_is_not_followed(tmp_path, parent):
    plant(tmp_path, {"precious": {"f": b"1"}, "ours": "precious"})
    with pytest.raises(DiskError, match="cannot remove ours"):
        remove_tree(parent, b"ours")
    assert os.listdir(tmp_path / "precious") == ["f"]


def test_depth_and_number_do_not_matter(tmp_path, parent):
    """600 levels deep and 3,000 names wide, with a handful of descriptors."""
    os.mkdir("ours", dir_fd=parent)
    directory = os.open("ours", os.O_RDONLY, dir_fd=parent)
    for number in range(3_000):
        os.close(os.open(str(number), os.O_CREAT, dir_fd=directory))
    for _ in range(600):
        os.mkdir("d" * 100, dir_fd=directory)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    remove_tree(parent, b"ours")
    assert os.listdir(tmp_path) == []


def test_what_an_interrupted_removal_left_is_removed_by_the_next(tmp_path, parent, monkeypatch):
    plant(tmp_path, {"ours": {str(a): {str(b): {"f": b"1"} for b in range(5)} for a in range(5)}})
    real, calls = os.rmdir, []

    def fail_late(name, **keywords):
        calls.append(name)
        if len(calls) == 12:
            raise OSError(5, "Input/output error")
        return real(name, **keywords)

    monkeypatch.setattr("datamover.disk.removal.os.rmdir", fail_late)
    with pytest.raises(DiskError, match="EIO"):
        remove_tree(parent, b"ours")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["ours"]
    remove_tree(parent, b"ours")
    assert os.listdir(tmp_path) == []


@pytest.mark.root
@private_mounts
@pytest.mark.parametrize("where", ["mounted", "d/mounted"])
def test_what_is_mounted_inside_is_never_entered(tmp_path, where):
    plant(tmp_path, {"ours": {"mounted": {}, "d": {"mounted": {}}}})
    plant(tmpfs(tmp_path / "ours" / where, "size=1m"), {"precious": b"1"})
    parent = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(DiskError, match="cannot remove ours: .*EBUSY.*unmount it"):
        remove_tree(parent, b"ours")
    os.close(parent)
    (mounted,) = mounts.at_or_below(os.fsencode(tmp_path))
    assert os.listdir(mounted) == [b"precious"]
