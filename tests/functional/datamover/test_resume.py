"""A further attempt sends what is missing, inside files too, and believes only what the disk gives."""

import os
import random
import shutil

import pytest

from datamover.disk.journal import Journal
from tests.functional.datamover.attempts import Attempts
from tests.functional.datamover.places import age, plant, run
from tests.functional.datamover.test_transfer import mixed_tree
from tests.functional.datamover.test_transfer_changes import ChangingTree, grow, rewrite

MIB = 1024 * 1024
IN_FLIGHT = 8 * MIB
"""What may be under way: buffers of both ends, the sockets' own, and the block that was cut."""


@pytest.fixture
def large(tmp_path):
    (tmp_path / "source").mkdir()
    plant(tmp_path / "source", {"large": random.Random(1).randbytes(64 * MIB)})
    return tmp_path / "source"


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0xFF]))


@pytest.mark.parametrize("level", ["readback", "flight"])
def test_what_landed_of_a_large_file_is_not_sent_again(large, folder, level):
    attempts = Attempts(large, folder, verify=level)
    cut, _ = attempts.cut(0.9)
    _, sent, received = attempts.complete()
    assert received.held_bytes >= 0.9 * 64 * MIB - MIB
    assert cut.moved_bytes + sent.moved_bytes <= 64 * MIB + IN_FLIGHT
    assert sent.moved_bytes == 64 * MIB - sent.held_bytes
    assert sent.resent_bytes == received.resent_bytes <= IN_FLIGHT


def test_a_flipped_byte_in_staging_costs_its_block(large, folder):
    attempts = Attempts(large, folder)
    attempts.cut(0.9)
    run("cp", "-a", "--sparse=always", folder, folder.parent / "copy")
    _, undamaged, _ = attempts.complete()
    shutil.rmtree(folder)
    run("cp", "-a", "--sparse=always", folder.parent / "copy", folder)
    flip(attempts.staged / "large", 20 * MIB + 17)
    attempts.number = 1
    (folder.parent / "source-journals" / "2.db").unlink()
    _, damaged, received = attempts.complete()
    assert damaged.moved_bytes == undamaged.moved_bytes + MIB
    assert damaged.resent_bytes == received.resent_bytes == undamaged.resent_bytes + MIB


def test_what_is_held_is_read_once_at_the_destination(large, folder, monkeypatch):
    monkeypatch.setattr("datamover.engine.verifier.RANGE", 4 * MIB)
    attempts = Attempts(large, folder)
    attempts.cut(0.9)
    ends = attempts.next()
    read, receiver = [], ends.receiver()
    read_back_range = ends.staging.read_back_range

    def counted(number, offset, length, builder):
        read.append(length)
        read_back_range(number, offset, length, builder)

    ends.staging.read_back_range, ends.receiver = counted, lambda: receiver
    _, received = ends.run()
    assert received.error is None
    assert sum(read) <= 64 * MIB - received.held_bytes + 16 * MIB


@pytest.mark.parametrize("streams, level", [(1, "readback"), (3, "readback"), (3, "flight")])
def test_a_tree_with_everything_is_resumed(tmp_path, folder, streams, level):
    root = tmp_path / "source"
    root.mkdir()
    attempts = Attempts(mixed_tree(root), folder, streams=streams, verify=level)
    attempts.cut(0.6)
    _, sent, received = attempts.complete()
    assert received.held_bytes > 0
    assert (received.files, received.directories, received.links, received.entries) == (8, 4, 3, 16)
    assert (attempts.staged / "sparse").stat().st_blocks * 512 < 2 * MIB


def test_a_resume_of_a_resume_of_small_files(tmp_path, folder):
    root = tmp_path / "source"
    root.mkdir()
    for number in range(20):
        plant(root, {f"d{number}": {f"f{each}": os.urandom(20_000) for each in range(40)}})
    attempts = Attempts(root, folder)
    attempts.cut(0.3)
    attempts.cut(0.7)
    _, sent, received = attempts.complete()
    assert sent.held_bytes > 0.5 * 800 * 20_000
    assert sent.moved_bytes < 0.5 * 800 * 20_000
    assert received.files == 800


def test_an_attempt_with_nothing_missing_sends_no_payload(tmp_path, folder, monkeypatch):
    monkeypatch.setattr("datamover.disk.metadata.SUSPECT_AGE_NS", 0)  # what is too young is read again
    root = tmp_path / "source"
    root.mkdir()
    plant(root, {"one": os.urandom(3 * MIB + 5), "two": b"2", "none": b"", "dir": {"three": os.urandom(70_000)}})
    attempts = Attempts(root, folder)
    attempts.complete()
    reads = []
    ends = attempts.next()
    sender = ends.sender()
    tree = sender._tree
    read_small = tree.read_small
    tree.read_small = lambda entry, view: reads.append(entry.name) or read_small(entry, view)
    ends.sender = lambda: sender
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert sent.held_bytes == received.held_bytes == received.bytes
    assert reads == [b"none"], "the digests of the attempt before are used where the file has not changed"


@pytest.mark.parametrize("size", [5 * MIB, 12 * MIB, 30 * MIB])
def test_a_source_that_was_replaced_meanwhile_is_never_mixed(tmp_path, folder, size):
    path = tmp_path / "source"
    path.mkdir()
    plant(path, {"large": random.Random(1).randbytes(12 * MIB), "small": b"one", "dir": {"gone": b"x" * 100_000}})
    age(path)
    attempts = Attempts(path, folder)
    attempts.cut(0.8)
    (path / "new").write_bytes(random.Random(2).randbytes(size))
    os.replace(path / "new", path / "large")
    (path / "small").write_bytes(b"two")
    shutil.rmtree(path / "dir")
    plant(path, {"dir": b"a file now", "0first": b"so that all numbers change"})
    ends, _, received = attempts.complete()
    assert sorted(os.listdir(ends.data)) == ["0first", "dir", "large", "small"]
    assert received.held_bytes < MIB


def test_names_of_one_file_that_became_two_do_not_share_what_is_staged(tmp_path, folder):
    root = tmp_path / "source"
    root.mkdir()
    plant(root, {"a": os.urandom(2 * MIB)})
    os.link(root / "a", root / "b")
    attempts = Attempts(root, folder)
    attempts.complete()
    (root / "b").unlink()
    (root / "b").write_bytes((root / "a").read_bytes()[:MIB] + os.urandom(MIB))
    ends, _, _ = attempts.complete()
    assert (ends.data / "a").stat().st_ino != (ends.data / "b").stat().st_ino


def test_a_single_file_is_resumed(tmp_path, folder):
    path = tmp_path / "single"
    path.write_bytes(os.urandom(10 * MIB + 1))
    attempts = Attempts(path, folder)
    attempts.cut(0.5)
    ends = attempts.next()
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert ends.data.read_bytes() == path.read_bytes()
    assert received.held_bytes >= 4 * MIB


def test_what_became_a_hole_is_one_at_the_destination(tmp_path, folder):
    root = tmp_path / "source"
    root.mkdir()
    plant(root, {"file": random.Random(1).randbytes(6 * MIB)})
    attempts = Attempts(root, folder)
    attempts.complete()
    with open(root / "file", "r+b") as file:
        file.truncate(2 * MIB + 9)
        file.truncate(8 * MIB)
    ends, sent, _ = attempts.complete()
    assert sent.held_bytes == 2 * MIB
    assert (ends.data / "file").stat().st_blocks * 512 <= 3 * MIB


@pytest.mark.parametrize("disturb", [grow, rewrite])
def test_a_file_that_changes_while_an_attempt_compares_it_begins_again(large, folder, disturb):
    attempts = Attempts(large, folder)
    attempts.cut(0.5)
    left = [1]

    class Tree(ChangingTree):
        def disturb(self, path):
            if left[0]:
                left[0] -= 1
                disturb(path)

    ends, sent, received = attempts.complete(tree=Tree)
    assert sent.retried_entries == received.retried_entries == 1
    for end in (ends.alpha, ends.beta):
        assert end.progress.counters.bytes_done == end.progress.counters.bytes_total


def test_digests_of_an_earlier_attempt_that_do_not_fit_the_bytes_are_found_out(large, folder, monkeypatch):
    """Nothing else tells: what has to be sent is compared with them, and read anew."""
    monkeypatch.setattr("datamover.disk.metadata.SUSPECT_AGE_NS", 0)
    attempts = Attempts(large, folder)
    attempts.complete()
    flip(attempts.staged / "large", 5)
    remembered = Journal.remembered

    def wrong(self, identity):
        content = remembered(self, identity)
        return content and content._replace(blocks=(bytes(32), *content.blocks[1:]))

    monkeypatch.setattr(Journal, "remembered", wrong)
    _, sent, _ = attempts.complete()
    assert sent.retried_entries == 1
