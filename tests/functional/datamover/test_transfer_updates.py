"""Whole transfers that update what stands at the destination: real sockets, real files, and rsync as the judge."""

import json
import os

import pytest

from datamover.disk import settle
from datamover.disk.publish import Found
from datamover.disk.staging import Staging
from datamover.errors import DeletionRefused, KindClash, PeerFailed
from tests.functional.datamover.ends import TRANSFER, Nth, kill_this_process, refused
from tests.functional.datamover.places import independent_differences, plant, run
from tests.functional.datamover.test_transfer_changes import ChangingTree
from tests.functional.datamover.updates import Updates

MIB = 1024 * 1024


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    small = {f"{number:03}": os.urandom(number * 100) for number in range(60)}
    tree = {"large": os.urandom(5 * MIB + 77), "small": b"small", "empty": b"", "dir": {"many": small, "link": "../x"}}
    plant(tmp_path / "source", tree)
    os.link(tmp_path / "source" / "small", tmp_path / "source" / "dir" / "again")
    with open(tmp_path / "source" / "sparse", "wb") as file:
        file.truncate(64 * MIB)
        file.seek(7 * MIB + 5)
        file.write(b"in the middle")
    return tmp_path / "source"


@pytest.fixture
def folder(tmp_path, root):
    (tmp_path / "place").mkdir()
    run("cp", "-a", "--sparse=always", root, tmp_path / "place" / "final")
    return tmp_path / "place"


def updated(ends):
    """Run, demand that all went well at both ends and the trees are equal; the outcomes."""
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert sent.root == received.root and sent.trusted == received.trusted and sent.moved_bytes == received.moved_bytes
    assert independent_differences(ends.root.decode(), ends.folder / "final") == []
    return sent, received


def tallies(outcome):
    return outcome.created, outcome.changed, outcome.unchanged, outcome.deleted


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("level", ["readback", "flight"])
@pytest.mark.parametrize(("compare", "trusted"), [("time", 62), ("digest", 0)])
def test_a_second_run_on_equal_trees_moves_no_payload(root, folder, compare, trusted, level, streams):
    before = {path: os.lstat(path) for path in (folder / "final").rglob("*")}
    sent, received = updated(Updates(root, folder, compare, verify=level, streams=streams))
    assert (sent.moved_bytes, sent.trusted, received.files) == (0, trusted, 64)
    assert tallies(received) == (0, 0, received.entries, 0)
    after = {path: os.lstat(path) for path in (folder / "final").rglob("*")}
    assert [path for path in before if not os.path.samestat(before[path], after[path])] == []


@pytest.mark.parametrize("level", ["readback", "flight"])
@pytest.mark.parametrize("compare", ["time", "digest"])
def test_of_a_large_file_only_the_block_that_differs_moves(root, folder, compare, level):
    with open(root / "large", "r+b") as file:
        file.seek(3 * MIB + 17)
        file.write(b"changed")
    sent, received = updated(Updates(root, folder, compare, verify=level, streams=2))
    assert sent.moved_bytes == MIB and sent.held_bytes >= 4 * MIB and sent.resent_bytes == 0
    assert tallies(received) == (0, 1, received.entries - 1, 0)


def test_a_changed_block_of_a_sparse_file_moves_alone_and_holes_stay(root, folder):
    with open(root / "sparse", "r+b") as file:
        file.seek(50 * MIB)
        file.write(b"changed")
    sent, _ = updated(Updates(root, folder))
    assert sent.moved_bytes <= MIB
    assert os.lstat(folder / "final" / "sparse").st_blocks * 512 < 3 * MIB


@pytest.mark.parametrize("compare", ["time", "digest"])
@pytest.mark.parametrize("size", [0, 1, MIB, 2 * MIB, 9 * MIB])
def test_a_file_that_grew_or_shrank(root, folder, size, compare):
    data = (root / "large").read_bytes() + os.urandom(4 * MIB)
    (root / "large").write_bytes(data[:size])
    sent, received = updated(Updates(root, folder, compare))
    assert sent.moved_bytes <= max(0, size - 5 * MIB) + MIB
    assert received.changed == 1


def test_touched_files_are_compared_and_mended_but_not_moved(root, folder):
    for path in [root / "large", *(root / "dir" / "many").iterdir()]:
        os.utime(path, (1, 1))
    sent, received = updated(Updates(root, folder))
    assert sent.moved_bytes == 0 and received.changed == 61


def test_small_files_that_are_held_are_told_together(root, folder):
    for path in (root / "dir" / "many").iterdir():
        os.utime(path, (1, 1))
    sent, received = updated(Updates(root, folder))
    assert sent.moved_bytes == 0 and received.changed == 60
    assert sent.held_bytes == received.held_bytes == sum(f.stat().st_size for f in (root / "dir" / "many").iterdir())
    assert sum(stream["pieces"] for stream in sent.streams) == 1


@pytest.mark.parametrize("compare", ["time", "digest"])
@pytest.mark.parametrize("level", ["readback", "flight"])
def test_what_is_linked_there_and_not_at_the_source_gets_its_own_metadata_and_moves_nothing(
    root, folder, compare, level
):
    for name in ("large", "empty"):
        run("cp", "-a", root / name, root / f"{name}-private")
        (root / f"{name}-private").chmod(0o600)
        os.link(folder / "final" / name, folder / "final" / f"{name}-private")
    sent, received = updated(Updates(root, folder, compare, verify=level, streams=2))
    assert sent.moved_bytes < 100 and received.changed == 3
    assert os.lstat(folder / "final" / "large").st_nlink == os.lstat(folder / "final" / "empty").st_nlink == 1


def test_small_files_that_differ_move_alone(root, folder):
    for number in (7, 21, 50):
        (root / "dir" / "many" / f"{number:03}").write_bytes(b"other")
    sent, received = updated(Updates(root, folder))
    assert received.changed == 3 and sent.moved_bytes < 200


def test_all_kinds_of_changes_at_once(root, folder):
    run("rm", "-r", root / "dir" / "many" / "001", root / "empty", root / "dir" / "link", root / "sparse")
    plant(root, {"new": {"tree": {"file": os.urandom(3 * MIB), "to": "file"}}, "empty": {"now": b"a directory"}})
    plant(folder / "final", {"old": {"with": {"all": b"below"}}})
    _, received = updated(Updates(root, folder, delete=True, overwrite=True, streams=2))
    assert (received.created, received.deleted) == (5, 6)
    sent, received = updated(Updates(root, folder, delete=True))
    assert sent.moved_bytes == 0 and tallies(received) == (0, 0, received.entries, 0)


def grow(path):
    with open(path, "ab") as out:
        out.write(os.urandom(MIB))


def shrink(path):
    os.truncate(path, 3 * MIB)


@pytest.mark.parametrize("disturb", [grow, shrink])
def test_a_file_that_changes_while_it_is_read_is_sent_as_it_is_then(root, folder, disturb):
    left = [disturb]

    class Tree(ChangingTree):
        def disturb(self, path):
            while left:
                left.pop()(path)

    os.utime(root / "large", (1, 1))
    sent, received = updated(Updates(root, folder, tree=Tree))
    assert sent.retried_entries == received.changed == 1


def test_what_would_be_deleted_beyond_the_limit_ends_it_before_anything_changes(root, folder):
    run("rm", "-r", root / "dir")
    sent, received = refused(Updates(root, folder, delete=True))
    assert isinstance(received, DeletionRefused) and isinstance(sent, PeerFailed)
    assert (folder / "final" / "dir" / "many" / "007").exists() and os.listdir(folder)


def test_another_kind_in_the_way_ends_it_before_anything_changes(root, folder):
    run("rm", "-r", folder / "final" / "dir" / "many")
    (folder / "final" / "dir" / "many").write_bytes(b"a file")
    (root / "small").write_bytes(b"other")
    _, received = refused(Updates(root, folder))
    assert isinstance(received, KindClash) and (folder / "final" / "small").read_bytes() == b"small"


def test_ends_that_compare_differently_do_not_begin(root, folder):
    ends = Updates(root, folder, "digest")
    ends.alpha.spec["settings"]["compare"] = "time"
    sent, _ = refused(ends)
    assert "update-time" in sent.text and "update-digest" in sent.text


@pytest.mark.parametrize("last", [1, 20, 40])
def test_kill_minus_9_while_files_are_put_in_place_leaves_each_whole_and_can_be_finished(root, folder, last):
    class Dying(Updates):
        def publish(self):
            intent = settle.intend(self.staging, "names")
            (folder / "intent").write_text(json.dumps(intent.as_dict()))
            settle.publish(self.staging, intent, Nth(last, kill_this_process))

    old = {path.name: path.read_bytes() for path in (root / "dir" / "many").iterdir()}
    for path in (root / "dir" / "many").iterdir():
        path.write_bytes(b"new")
    assert Dying(root, folder).run_apart("destination")[1] is None
    now = {path.name: path.read_bytes() for path in (folder / "final" / "dir" / "many").iterdir()}
    assert all(data in (old[name], b"new") for name, data in now.items()) and {*now.values()} > {b"new"}
    finish(folder)
    assert independent_differences(root, folder / "final") == [] and os.listdir(folder) == ["final"]


def finish(folder):
    """What whoever comes after the crash does."""
    intent = settle.Intent.from_dict(json.loads((folder / "intent").read_text()))
    (folder / "intent").unlink()
    staging = Staging.reopen(os.fsencode(folder / "final"), TRANSFER)
    assert settle.recover(staging, intent) is Found.PUBLISHED
    settle.discard(staging, intent)
    staging.close()


@pytest.mark.slow
@pytest.mark.parametrize("compare", ["time", "digest"])
def test_a_changed_block_of_a_gibibyte_with_holes_moves_about_one_block(root, folder, compare):
    for number in range(16):
        with open(root / "sparse", "r+b") as file:
            file.truncate(1024 * MIB)
            file.seek(number * 64 * MIB + 12345)
            file.write(os.urandom(4 * MIB))
    run("cp", "-a", "--sparse=always", root / "sparse", folder / "final" / "sparse")
    with open(root / "sparse", "r+b") as file:
        file.seek(512 * MIB + MIB)
        file.write(b"changed")
    sent, received = updated(Updates(root, folder, compare, block_size=4 * MIB))
    assert 0 < sent.moved_bytes <= 4 * MIB and received.changed == 1
    assert os.lstat(folder / "final" / "sparse").st_blocks * 512 < 100 * MIB
