"""What a transfer left, read again later: every kind of difference is found, counted and named."""

import errno
import os
import shutil
import socket

import pytest

from datamover.blocks import BLOCK
from datamover.disk.journal import Journal
from datamover.disk.recheck import Recheck, Recorded
from datamover.disk.special import NAMES
from datamover.disk.tree import SourceTree
from datamover.manifest import Kind
from datamover.selection import Selection
from tests.functional.datamover.places import ALGORITHM, HASHER, plant, private_mounts, run, tmpfs


@pytest.fixture
def root(tmp_path):
    tree = {"a": b"1" * 5000, "big": bytes(9_000_000), "dir": {"b": b"2", "none": {}}, "link": "a", b"\xff\n": b"odd"}
    root = plant(tmp_path, {"root": tree}) / "root"
    os.link(root / "a", root / "dir" / "again")
    os.mkfifo(root / "fifo")
    return root


@pytest.fixture
def recorded():
    """Records a tree as its source does; gives a function that checks it again."""
    journals = []

    def record(root, selection=Selection(), updated=False):  # noqa: B008
        journal = Journal("")
        journals.append(journal)
        with SourceTree(os.fsencode(root), journal, NAMES, selection=selection) as tree:
            for entry in list(tree.walk()):
                if entry.kind == Kind.FILE:
                    with tree.open(entry) as file:
                        journal.put_content(entry.number, 1, file.digest(HASHER, BLOCK))
        told = Recorded(os.fsencode(root), ALGORITHM, BLOCK, selection=selection, updated=updated)
        again = Recheck(told, journal)
        return again, journal

    yield record
    for journal in journals:
        journal.close()


def found(again):
    again.run()
    assert sum(again.troubles.counts.values()) == len(again.troubles.shown) + again.troubles.more
    return {(each["path"], each["what"]) for each in again.troubles.shown}


def test_what_is_as_it_was_has_the_root_of_that_time(root, recorded):
    again, journal = recorded(root)
    assert found(again) == set()
    assert again.root() == journal.root(BLOCK, ALGORITHM)
    assert (again.entries, again.bytes, again.trusted) == (10, 9_005_004, 0)


def in_place(path, offset, what):
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(what)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_bytes_that_changed_are_named_by_block_and_make_another_root(root, recorded):
    again, journal = recorded(root)
    in_place(root / "big", 8_500_000, b"x")
    assert found(again) == {("big", "content")}
    assert "from block 2 (offset 8388608) on" in again.troubles.shown[0]["why"]
    assert again.root() not in (None, journal.root(BLOCK, ALGORITHM))


def test_every_kind_of_difference_is_found_and_the_rest_is_still_read(root, recorded):
    again, _ = recorded(root)
    (root / "a").chmod(0o600)
    in_place(root / "big", 9_000_000, b"longer")
    (root / "dir" / "b").unlink()
    (root / "dir" / "none" / "new").write_bytes(b"")
    (root / "dir" / "new").mkdir()
    (root / "link").unlink()
    (root / "link").symlink_to("elsewhere")
    os.unlink(os.fsencode(root) + b"/\xff\n")
    os.mkdir(os.fsencode(root) + b"/\xff\n")
    shutil.copy2(root / "a", root / "copy")
    (root / "dir" / "again").unlink()
    (root / "copy").rename(root / "dir" / "again")
    assert found(again) - {("", "metadata"), ("dir", "metadata"), ("dir/none", "metadata")} == {
        ("a", "metadata"), ("big", "content"), ("dir/b", "missing"), ("dir/none/new", "extra"), ("dir/new", "extra"),
        ("link", "metadata"), ("%FF%0A", "kind"), ("dir/again", "metadata"),
    }  # fmt: skip
    assert again.root() is None and again.entries == 10


def test_below_a_directory_that_became_a_link_nothing_is_followed(root, recorded):
    again, _ = recorded(root)
    (root / "dir").rename(root.parent / "elsewhere")
    (root / "dir").symlink_to(root.parent / "elsewhere")
    assert found(again) - {("", "metadata")} == {
        ("dir", "kind"), ("dir/b", "missing"), ("dir/none", "missing"), ("dir/again", "missing"),
    }  # fmt: skip


def test_when_all_is_gone_all_is_missing(root, recorded):
    again, _ = recorded(root)
    shutil.rmtree(root)
    assert {what for _, what in found(again)} == {"missing"}
    assert again.troubles.counts["missing"] == 10


def test_what_was_excluded_is_not_extra(root, recorded):
    again, _ = recorded(root, Selection(exclude=["dir/none/", "*.log"]))
    times = [(path, path.stat().st_mtime_ns) for path in (root, root / "dir")]
    plant(root, {"x.log": b"", "dir": {"none": {"new": b""}, "y.log": b""}})
    for path, time in times:
        os.utime(path, ns=(time, time))
    assert found(again) == set()


def with_times_kept(root, change):
    times = [(path, path.lstat().st_mtime_ns) for path in (root, root / "dir")]
    change()
    for path, time in times:
        os.utime(path, ns=(time, time))


def listen(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def test_a_socket_is_not_extra_because_none_ever_travels(root, recorded):
    listen(root / "before")
    again, journal = recorded(root)
    with_times_kept(root, lambda: listen(root / "dir" / "since"))
    assert found(again) == set()
    assert again.root() == journal.root(BLOCK, ALGORITHM)


def test_what_an_update_with_delete_leaves_alone_is_not_extra(root, recorded):
    again, _ = recorded(root, Selection(exclude=["*.log"]), updated=True)

    def plant_what_stays():
        plant(root, {"dir": {".salt-transfer-" + "ef" * 16: {"x": b""}, "logs": {"deep": {"a.log": b"", "b": b""}}}})
        (root / "sockets").mkdir()
        listen(root / "sockets" / "mine")

    with_times_kept(root, plant_what_stays)
    assert found(again) == set()
    with_times_kept(root, lambda: plant(root, {"new": {"b": b""}}))
    assert found(Recheck(again._recorded, again._journal)) == {("new", "extra")}


def test_what_a_copy_to_a_new_place_did_not_bring_is_extra_whatever_is_in_it(root, recorded):
    again, _ = recorded(root, Selection(exclude=["*.log"]))
    with_times_kept(root, lambda: plant(root, {"dir": {"logs": {"a.log": b""}}}))
    assert found(again) == {("dir/logs", "extra")}


def test_what_was_only_trusted_is_measured_and_proves_no_root(root, recorded):
    again, journal = recorded(root)
    number = next(entry.number for entry in journal.entries() if entry.name == b"a")
    journal.replace(journal.entry(number), 2)
    assert found(again) == set()
    assert (again.trusted, again.root()) == (1, None)
    in_place(root / "a", 5000, b"more")
    assert found(Recheck(again._recorded, journal)) == {("a", "content")}


def test_a_file_that_cannot_be_read_is_told(root, recorded, monkeypatch):
    again, _ = recorded(root)

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("datamover.disk.sparse.digest", broken)
    assert {what for _, what in found(again)} == {"unreadable"}


def test_many_differences_are_counted_and_a_few_told(tmp_path, recorded):
    plant(tmp_path, {"root": {str(number): b"" for number in range(300)}})
    again, _ = recorded(tmp_path / "root")
    for path in (tmp_path / "root").iterdir():
        path.unlink()
    again.run()
    assert again.troubles.counts["missing"] == 300
    assert (len(again.troubles.shown), again.troubles.more) == (200, 101)


@pytest.mark.root
@private_mounts
def test_what_is_mounted_below_is_not_entered(tmp_path):
    plant(tmp_path, {"root": {"mounted": {}, "a": b""}})
    tmpfs(tmp_path / "root" / "mounted", "size=1m")
    (tmp_path / "root" / "mounted" / "inside").write_bytes(b"")
    with Journal("") as journal, SourceTree(os.fsencode(tmp_path / "root"), journal, NAMES) as tree:
        for entry in tree.walk():
            if entry.kind == Kind.FILE:
                with tree.open(entry) as file:
                    journal.put_content(entry.number, 1, file.digest(HASHER, BLOCK))
        again = Recheck(Recorded(os.fsencode(tmp_path / "root"), ALGORITHM, BLOCK), journal)
        assert found(again) == set()


def test_coarser_times_of_a_file_system_are_no_difference(tmp_path, recorded):
    plant(tmp_path, {"root": {"a": b"", "b": b""}})
    for name in ("a", "b"):
        os.utime(tmp_path / "root" / name, ns=(0, 1_700_000_000_123_456_789))
    again, _ = recorded(tmp_path / "root")
    os.utime(tmp_path / "root" / "a", ns=(0, 1_700_000_000_000_000_000))
    os.utime(tmp_path / "root" / "b", ns=(0, 1_700_000_000_123_456_788))
    assert found(again) == {("b", "metadata")}


def test_a_single_file_is_checked_as_such(tmp_path, recorded):
    (tmp_path / "one").write_bytes(b"bytes")
    again, journal = recorded(tmp_path / "one")
    assert found(again) == set() and again.root() == journal.root(BLOCK, ALGORITHM)
    run("cp", "/dev/null", tmp_path / "one")
    assert found(Recheck(again._recorded, journal)) >= {("", "content")}
