"""Whole transfers that go well: real sockets, real TLS, real files, and rsync as the judge."""

import functools
import os
import socket
import threading

import pytest

from datamover.disk.tree import SourceTree
from datamover.engine import sealing
from datamover.selection import Selection
from tests.functional.datamover.ends import Ends
from tests.functional.datamover.places import age, independent_differences, plant, run
from tests.support.waiting import PATIENCE

MIB = 1024 * 1024


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def arrived(ends):
    """Run, demand that all went well at both ends, return the outcomes."""
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert sent.cleanup == received.cleanup == ()
    assert sent.root == received.root and sent.root is not None
    assert ends.sealed == [True]
    assert independent_differences(ends.root.decode(), ends.data) == []
    return sent, received


def mixed_tree(root):
    """Every size class, and several of each kind of thing."""
    plant(
        root,
        {
            "empty": b"",
            "small": b"one",
            "limit": os.urandom(64 * 1024),
            "over": os.urandom(64 * 1024 + 1),
            "block": os.urandom(MIB),
            "large": os.urandom(5 * MIB + 123),
            "dir": {"none": {}, "deep": {"file": b"deep", "link": "../../small"}},
            "dangling": "/nowhere",
        },
    )
    os.link(root / "large", root / "dir" / "again")
    os.mkfifo(root / "dir" / "fifo")
    os.setxattr(root / "small", "user.note", b"kept")
    (root / "small").chmod(0o640)
    with open(root / "sparse", "wb") as out:
        out.truncate(20 * MIB)
        out.seek(7 * MIB + 5)
        out.write(b"in the middle")
    return root


@pytest.mark.parametrize("level", ["readback", "flight"])
@pytest.mark.parametrize("bulk", ["sealed", "tls", "plain"])
@pytest.mark.parametrize("streams", [1, 3])
def test_a_tree_with_everything_arrives_equal(monkeypatch, root, folder, level, bulk, streams):
    monkeypatch.setattr(sealing, "available", lambda: bulk == "sealed")
    ends = Ends(mixed_tree(root), folder, verify=level, encrypt=bulk != "plain", streams=streams)
    sent, received = arrived(ends)
    for outcome in (sent, received):
        assert (outcome.files, outcome.directories, outcome.links, outcome.entries) == (8, 4, 3, 16)
        assert outcome.bytes == sum(each.stat().st_size for each in root.rglob("*") if counts(each))
    assert sent.sparse_bytes == received.sparse_bytes > 15 * MIB
    assert sent.moved_bytes == received.moved_bytes < sent.bytes
    assert (ends.data / "sparse").stat().st_blocks * 512 < MIB


PATTERNS = ["*.log", "/dir/none/", "deep/link", "s?all", "**/file"]


def test_what_is_excluded_stays_and_all_else_arrives_equal(root, folder, tmp_path):
    plant(mixed_tree(root), {"x.log": b"log", "dir": {"y.log": {"below": b""}}})
    os.link(root / "x.log", root / "zz")
    selection = Selection(exclude=PATTERNS)
    ends = Ends(root, folder, tree=functools.partial(SourceTree, selection=selection))
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert (sent.excluded, received.excluded) == (5, 0)
    excluded = [f"--exclude={pattern}" for pattern in ("*.log", "/dir/none/", "/deep/link", "s?all", "**/file", "file")]
    run("rsync", "-aHX", *excluded, f"{root}/", tmp_path / "expected")
    assert independent_differences(tmp_path / "expected", ends.data) == []


def counts(path):
    return path.is_file() and not path.is_symlink() and path.name != "again"


@pytest.mark.parametrize("digest", ["sha256", "blake3"])
def test_both_digests(root, folder, digest):
    plant(root, {"file": os.urandom(3 * MIB), "small": b"x"})
    arrived(Ends(root, folder, digest=digest))


@pytest.mark.parametrize("content", [b"", b"x", os.urandom(2 * MIB + 1)], ids=["empty", "one byte", "three blocks"])
def test_a_single_file(tmp_path, folder, content):
    path = tmp_path / "single"
    path.write_bytes(content)
    path.chmod(0o604)
    ends = Ends(path, folder)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert ends.data.read_bytes() == content and ends.data.stat().st_mode & 0o7777 == 0o604
    assert (received.files, received.entries, received.bytes) == (1, 1, len(content))


def test_an_empty_directory(root, folder):
    root.chmod(0o710)
    _, received = arrived(Ends(root, folder))
    assert (received.files, received.directories, received.bytes) == (0, 1, 0)


def test_three_thousand_small_files(root, folder):
    for number in range(30):
        plant(root, {f"d{number}": {f"f{each}": b"%d " % each * (each % 40) for each in range(100)}})
    sent, received = arrived(Ends(root, folder))
    assert (received.files, received.directories) == (3000, 31)
    assert received.retried_entries == sent.retried_entries == 0


def test_ipv6(root, folder):
    plant(root, {"file": os.urandom(2 * MIB)})
    arrived(Ends(root, folder, address="::1"))


def test_a_file_of_many_ranges_is_read_back_while_it_arrives(root, folder, monkeypatch):
    monkeypatch.setattr("datamover.engine.verifier.RANGE", 2 * MIB)
    size = 13 * MIB + 7
    plant(root, {"file": os.urandom(size)})
    ends = Ends(root, folder, streams=2)
    ranges, some_read = [], threading.Event()
    ends_receiver = ends.receiver()
    read, write = ends.staging.read_back_range, ends.staging.write

    def read_back_range(number, offset, length, builder):
        read(number, offset, length, builder)
        ranges.append((offset, length))
        some_read.set()

    def write_the_last_when_some_was_read(number, try_, offset, view):
        assert offset + len(view) < size or some_read.wait(PATIENCE), "nothing was read back before all was there"
        return write(number, try_, offset, view)

    ends.staging.read_back_range, ends.staging.write = read_back_range, write_the_last_when_some_was_read
    ends.receiver = lambda: ends_receiver
    arrived(ends)
    assert len(ranges) >= 5 and sum(length for _, length in ranges) == size


def test_phases_and_counters_are_told_at_both_ends(root, folder):
    plant(root, {"file": os.urandom(3 * MIB), "small": b"12345"})
    ends = Ends(root, folder)
    arrived(ends)
    assert ends.alpha.phases() == ["connecting", "proved", "moving", "verifying", "sealed", "published"]
    assert ends.beta.phases() == ["proved", "moving", "verifying", "sealed", "publishing", "published"]
    for end in (ends.alpha, ends.beta):
        counters = end.progress.counters
        assert (counters.bytes_done, counters.bytes_total) == (3 * MIB + 5, 3 * MIB + 5)
        assert (counters.files_done, counters.files_total, counters.estimated) == (2, 2, False)
    assert ends.beta.progress.counters.bytes_verified == 3 * MIB + 5


def test_seconds_of_each_part(root, folder):
    plant(root, {"file": b"x"})
    for outcome in arrived(Ends(root, folder)):
        assert set(outcome.seconds) == {"move", "verify", "publish", "total"}
        assert all(seconds >= 0 for seconds in outcome.seconds.values())


def test_what_the_source_skipped_is_in_its_outcome(root, folder):
    plant(root, {"file": b"x"})
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        sent, received = Ends(root, folder).run()
    assert (sent.error, received.error) == (None, None)
    assert sent.skipped == ((b"socket", "a socket cannot travel"),) and sent.skipped_more == 0


def test_nothing_is_left_running_or_open(root, folder):
    plant(root, {"file": os.urandom(MIB)})
    before = threads(), descriptors()
    ends = Ends(root, folder)
    arrived(ends)
    ends.made.remove(ends)
    ends.close()
    assert threads() == before[0]
    sockets = [each for each in descriptors() - before[1] if "socket" in each]
    assert sockets == []


def threads():
    return {thread.name for thread in threading.enumerate()}


def descriptors():
    found = set()
    for each in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{each}"))
        except FileNotFoundError:
            continue
    return found


def test_the_callers_stop_stays_unset(root, folder):
    plant(root, {"file": b"x"})
    ends = Ends(root, folder)
    arrived(ends)
    assert not ends.alpha.stop.is_set() and not ends.beta.stop.is_set()


def test_an_independent_tool_agrees_with_the_destinations_digests(root, folder, tmp_path):
    mixed_tree(root)
    age(root)
    ends = Ends(root, folder)
    arrived(ends)
    count = ends.beta.journal.export_sums(tmp_path / "sums")
    checked = run("sha256sum", "--strict", "-c", tmp_path / "sums", cwd=ends.data)
    assert count == 9 and checked.count(b": OK\n") == count
