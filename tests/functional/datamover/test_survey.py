"""The first look at a source."""

import os
import socket
import stat

import pytest

from datamover.disk.survey import survey
from datamover.selection import Selection
from tests.functional.datamover.places import plant, private_mounts, run, source, tmpfs


@pytest.fixture
def root(tmp_path):
    plant(tmp_path, {"root": {"a": b"x" * 5000, "dir": {"b": b"1", "none": {}}, "link": "a"}})
    os.link(tmp_path / "root" / "a", tmp_path / "root" / "dir" / "again")
    return tmp_path / "root"


def look(path, budget=30):
    return survey(os.fsencode(path), budget)


def test_a_tree_is_counted(root):
    found = look(root)
    assert found["exists"] and found["readable"] and found["kind"] == "directory"
    assert [found[name] for name in ("entries", "files", "directories", "bytes")] == [7, 2, 3, 5001]
    assert found["counts"]["symlinks"] == 1 and found["counts"]["hardlinks"] == 1
    assert not found["estimated"] and found["disk_bytes"] > 0 and found["real"] == str(root)
    assert found["largest"] == 5000
    assert 0 <= found["newest_mtime_age"] < 3600


def test_counts_are_what_the_walk_will_find(root):
    with source(root) as (tree, journal):
        assert len(list(tree.walk())) == look(root)["entries"]
        assert journal.counts().bytes == look(root)["bytes"]


def test_staging_of_transfers_is_passed_over_where_it_would_not_be_deleted(root):
    plant(root, {"dir": {".salt-transfer-" + "ef" * 16: {"data": {"a": b"1"}}}})
    assert [survey(os.fsencode(root), 30, ours=ours)["entries"] for ours in (True, False)] == [10, 7]


@pytest.mark.parametrize("include, exclude", [((), ["a"]), ((), ["dir/"]), (["b"], ()), (["/dir"], ())])
def test_only_what_travels_counts(root, include, exclude):
    selection = Selection(include, exclude)
    found = survey(os.fsencode(root), 30, selection)
    with source(root, selection=selection) as (tree, journal):
        assert len(list(tree.walk())) == found["entries"] < look(root)["entries"]
        assert (journal.counts().bytes, tree.excluded) == (found["bytes"], found["excluded"])


@pytest.mark.root
def test_special_files_are_named_by_kind(root):
    os.chmod(root / "dir" / "b", 0o4755)
    run("setcap", "cap_net_raw+ep", root / "a")
    os.mkfifo(root / "pi\npe")
    os.mknod(root / "null", stat.S_IFCHR, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        found = look(root)
    assert found["special"]["setuid"] == ["dir/b"] and found["special"]["fifos"] == ["pi%0Ape"]
    assert found["special"]["devices"] == ["null"] and found["special"]["sockets"] == ["socket"]
    assert found["special"]["capabilities"] in (["a"], ["dir/again"])
    assert found["counts"]["capabilities"] == 1 and found["counts"]["sockets"] == 1 and found["entries"] == 9


def test_of_many_special_files_twenty_are_shown_and_all_counted(root):
    for number in range(30):
        os.mkfifo(root / f"fifo{number}")
    found = look(root)
    assert len(found["special"]["fifos"]) == 20 and found["counts"]["fifos"] == 30


def test_what_is_not_there_is_said_so(tmp_path):
    for path in (tmp_path / "none", tmp_path / "none" / "below"):
        found = look(path)
        assert not found["exists"] and not found["readable"] and found["kind"] is None
        assert "ENOENT" in found["unreadable"][0]["why"]


@pytest.mark.parametrize(("path", "kind"), [("/dev/null", "chardev"), ("/etc/passwd", "file")])
def test_a_root_of_another_kind_is_named(path, kind):
    assert look(path)["kind"] == kind


def test_a_link_as_root_is_not_followed_and_its_end_is_told(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    found = look(tmp_path / "link")
    assert found["kind"] == "symlink" and found["entries"] == 1 and found["real"] == str(root)


def test_without_time_the_answer_is_an_estimate(root):
    found = look(root, budget=0)
    assert found["estimated"] and found["exists"] and found["entries"] < 7


@pytest.mark.root
@private_mounts
def test_mounts_below_are_named_and_not_entered(tmp_path):
    root = plant(tmp_path, {"root": {"mounted": {}}}) / "root"
    plant(tmpfs(root / "mounted", "size=1m"), {"f": b"12345"})
    found = look(root)
    assert found["mounts_below"] == ["mounted"] and found["bytes"] == 0 and found["entries"] == 2


def test_links_inside_are_not_followed(tmp_path):
    plant(tmp_path, {"outside": {"f": b"12345"}, "root": {"link": "../outside", "loop": "."}})
    assert look(tmp_path / "root")["bytes"] == 0
