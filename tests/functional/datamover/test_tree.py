"""The source's edge: order, changes under our eyes, and links that lead outside."""

import os
import queue
import socket
import tempfile
import threading
import time

import pytest

from datamover import digests
from datamover.blocks import BLOCK, ContentBuilder
from datamover.disk.kernel import RENAME_EXCHANGE, rename
from datamover.disk.metadata import Identity
from datamover.disk.tree import Skipped
from datamover.errors import MoverError, SourceChanged, SourceUnreadable, SourceVanished
from datamover.manifest import Entry, Kind, Lineage
from datamover.selection import Selection
from tests.functional.datamover.places import ALGORITHM, HASHER, plant, source

DISPLACED = b"bytes from outside the root"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def by_path(tree, journal):
    return {journal.path(entry.number): entry for entry in tree.walk()}


def content_of(tree, entry):
    with tree.open(entry) as file:
        view = memoryview(bytearray(entry.size))
        file.read_into(0, view)
        return bytes(view), file.unchanged()


def test_parents_come_first_and_names_in_byte_order(root):
    plant(root, {"b": {"2": b"", "10": {"x": b""}}, "B": b"", "a": {"z": b""}, "\xfc": b"", "aa": b""})
    with source(root) as (tree, journal):
        entries = list(tree.walk())
        assert [journal.path(entry.number) for entry in entries] == [
            b"", b"B", b"a", b"aa", b"b", "\xfc".encode(), b"a/z", b"b/10", b"b/2", b"b/10/x",
        ]  # fmt: skip
    lineage = Lineage()
    for entry in entries:
        lineage.add(entry)


def test_what_is_excluded_is_not_listed_and_an_excluded_directory_not_entered(root):
    plant(root, {"a.log": b"", "a": b"", "cache": {"x": b""}, "d": {"b.log": b"", "b": b"", "cache": b"a file"}})
    os.chmod(root / "cache", 0)
    with source(root, selection=Selection(exclude=["*.log", "cache/"])) as (tree, journal):
        tree._directories.hold = holding = Holding(tree._directories.hold)
        assert sorted(by_path(tree, journal)) == [b"", b"a", b"d", b"d/b", b"d/cache"]
        assert tree.excluded == 3 and len(holding.numbers) == 4


class Holding:
    """Notes which directories are held open."""

    def __init__(self, hold):
        self._hold = hold
        self.numbers = []

    def __call__(self, number):
        self.numbers.append(number)
        return self._hold(number)


def test_only_what_is_included_is_listed(root):
    plant(root, {"x": b"", "d": {"x": b"", "y": b""}, "conf": {"z": {"y": b""}}, "deep": {"down": {}}})
    with source(root, selection=Selection(include=["x", "/conf/"])) as (tree, journal):
        found = sorted(by_path(tree, journal))
        assert found == [b"", b"conf", b"conf/z", b"conf/z/y", b"d", b"d/x", b"deep", b"deep/down", b"x"]
        assert tree.excluded == 1


def test_a_hard_link_whose_first_name_is_excluded_is_a_file_of_its_own(root):
    plant(root, {"a.log": b"bytes"})
    os.link(root / "a.log", root / "b")
    os.link(root / "a.log", root / "c")
    with source(root, selection=Selection(exclude=["*.log"])) as (tree, journal):
        entries = by_path(tree, journal)
    assert (entries[b"b"].kind, entries[b"c"].kind, entries[b"c"].link) == (Kind.FILE, Kind.HARDLINK, 1)


def test_what_is_excluded_may_be_of_any_kind(root):
    os.mkfifo(root / "fifo.skip")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(root / "socket.skip"))
        with source(root, special=(), selection=Selection(exclude=["*.skip"])) as (tree, journal):
            assert sorted(by_path(tree, journal)) == [b""]
            assert tree.skipped.shown == [] and tree.excluded == 2


def test_a_symbolic_link_as_root_is_refused_and_named(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    with (
        source(tmp_path / "link") as (tree, _),
        pytest.raises(SourceUnreadable, match="symbolic link; name what it points"),
    ):
        list(tree.walk())


def test_a_device_as_root_is_refused():
    with (
        source("/dev/null") as (tree, _),
        pytest.raises(SourceUnreadable, match="neither a directory nor a regular file"),
    ):
        list(tree.walk())


def test_a_source_that_is_not_there_is_said_so(tmp_path):
    with source(tmp_path / "gone") as (tree, _), pytest.raises(SourceVanished, match="gone vanished"):
        list(tree.walk())


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"grown much longer"),
        lambda path: path.write_bytes(b"s"),
        lambda path: path.write_bytes(b"SAME SIZE"),
        lambda path: (path.unlink(), path.write_bytes(b"same size")),
        lambda path: path.chmod(0o600),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
    ],
    ids=["grows", "shrinks", "is written", "is replaced", "gets a mode", "becomes a FIFO", "becomes a link"],
)
def test_a_change_between_listing_and_opening_is_noticed(root, change):
    plant(root, {"file": b"same size"})
    with source(root) as (tree, journal):
        entry = by_path(tree, journal)[b"file"]
        change(root / "file")
        with pytest.raises(SourceChanged, match="file"):
            tree.open(entry)


def test_a_file_that_vanished_is_said_so(root):
    plant(root, {"dir": {"file": b"1"}})
    with source(root) as (tree, journal):
        entry = by_path(tree, journal)[b"dir/file"]
        (root / "dir" / "file").unlink()
        with pytest.raises(SourceVanished, match="dir/file vanished"):
            tree.open(entry)
        with pytest.raises(SourceVanished):
            tree.refresh(entry)


@pytest.mark.parametrize("size", [2, 9, 20], ids=["shrinks", "is written", "grows"])
def test_a_change_while_reading_is_noticed(root, size):
    plant(root, {"file": b"same size"})
    with source(root) as (tree, journal), tree.open(by_path(tree, journal)[b"file"]) as file:
        assert file.unchanged()
        (root / "file").write_bytes(b"x" * size)
        view = memoryview(bytearray(9))
        assert file.read_into(0, view) == min(size, 9)
        assert not file.unchanged()


def test_a_small_file_is_read_and_checked_in_one_go(root):
    plant(root, {"file": b"small"})
    with source(root) as (tree, journal):
        entry = by_path(tree, journal)[b"file"]
        buffer = memoryview(bytearray(100))
        assert tree.read_small(entry, buffer) == 5 and buffer[:5] == b"small"
        (root / "file").write_bytes(b"SMALL")
        with pytest.raises(SourceChanged):
            tree.read_small(entry, buffer)


def test_a_changed_file_is_listed_anew_and_then_reads_well(root):
    plant(root, {"file": b"before"})
    with source(root) as (tree, journal):
        entry = by_path(tree, journal)[b"file"]
        journal.put_content(entry.number, 1, tree.open(entry).digest(HASHER, BLOCK))
        (root / "file").write_bytes(b"after and longer")
        (root / "file").chmod(0o640)
        again, try_ = tree.refresh(entry)
        assert (again.number, again.size, again.mode, try_) == (entry.number, 16, 0o640, 2)
        assert content_of(tree, again) == (b"after and longer", True)
        assert journal.content(entry.number) is None, "digests of the first try are void"
        assert tree.refresh(again)[1] == 3


def test_a_file_that_became_something_else_cannot_be_listed_anew(root):
    plant(root, {"file": b"before"})
    with source(root) as (tree, journal):
        entry = by_path(tree, journal)[b"file"]
        (root / "file").unlink()
        (root / "file").mkdir()
        with pytest.raises(SourceChanged, match="file became something of another kind"):
            tree.refresh(entry)


def test_a_file_that_got_setuid_meanwhile_is_refused(root):
    plant(root, {"file": b"before"})
    with source(root, special=()) as (tree, journal):
        entry = by_path(tree, journal)[b"file"]
        (root / "file").chmod(0o4755)
        with pytest.raises(MoverError, match="setuid: 1 .file."):
            tree.refresh(entry)


def old(monkeypatch, seconds):
    """Look from a time that is so much later: change times cannot be set back."""
    now = time.time_ns()
    monkeypatch.setattr("datamover.disk.tree.time.time_ns", lambda: now + seconds * 10**9)


def test_what_is_young_when_it_is_read_is_suspect(root):
    plant(root, {"file": b"1", "link": "x", "dir": {}})
    with source(root) as (tree, journal):
        found = by_path(tree, journal)
        assert {entry.kind for entry in tree.suspects()} == {Kind.DIRECTORY, Kind.SYMLINK}
        content_of(tree, found[b"file"])
        assert len(list(tree.suspects())) == 4


def test_what_is_old_is_not_suspect(root, monkeypatch):
    plant(root, {"file": b"1", "link": "x", "dir": {}})
    old(monkeypatch, 10)
    with source(root) as (tree, journal):
        content_of(tree, by_path(tree, journal)[b"file"])
        assert list(tree.suspects()) == []


def read_and_digest(tree, journal, name):
    entry = by_path(tree, journal)[name]
    with tree.open(entry) as file:
        journal.put_content(entry.number, 1, file.digest(HASHER, BLOCK))
    return entry


def test_a_suspect_that_did_not_change_passes_the_second_check(root):
    plant(root, {"dir": {"file": b"1"}, "link": "x"})
    with source(root) as (tree, journal):
        read_and_digest(tree, journal, b"dir/file")
        assert all(tree.recheck(entry, HASHER, BLOCK) for entry in tree.suspects())


def test_a_change_that_leaves_no_trace_in_the_times_is_found_by_the_second_check(root):
    """As on a file system whose clock did not tick between two writes: the identity is equal, the bytes are not."""
    plant(root, {"file": b"one"})
    with source(root) as (tree, journal):
        entry = read_and_digest(tree, journal, b"file")
        known = journal.known(entry.number)
        (root / "file").write_bytes(b"two")
        journal.replace(entry, 1, tree_identity(root / "file"))
        journal.put_content(entry.number, 1, content_of_bytes(b"one"))
        assert known.entry == entry and not tree.recheck(entry, HASHER, BLOCK)


def tree_identity(path):
    return Identity.of(os.stat(path))


def content_of_bytes(data):
    builder = ContentBuilder(digests.constructor(ALGORITHM), BLOCK)
    builder.update(data)
    return builder.finish()


@pytest.mark.parametrize("name", [b"dir", b"link", b"dir/file"])
def test_a_suspect_that_changed_or_went_fails_the_second_check(root, name):
    plant(root, {"dir": {"file": b"1"}, "link": "x"})
    with source(root) as (tree, journal):
        entry = read_and_digest(tree, journal, b"dir/file") if name == b"dir/file" else by_path(tree, journal)[name]
        path = root / os.fsdecode(name)
        if name == b"dir":
            plant(path, {"new": b""})
        else:
            path.unlink()
        assert not tree.recheck(entry, HASHER, BLOCK)


def test_a_name_that_vanishes_after_it_was_listed_is_left_out(root, monkeypatch):
    plant(root, {"a": b"1"})
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda place: [*real(place), "ghost"])
    with source(root) as (tree, journal):
        assert list(by_path(tree, journal)) == [b"", b"a"]


def test_what_changes_each_time_it_is_looked_at_is_named(root, monkeypatch):
    plant(root, {"restless": {}})
    real, ticks = os.stat, iter(range(1000))

    def stat(name, **options):
        if name == b"restless":
            os.utime(root / "restless", ns=(0, next(ticks)))
        return real(name, **options)

    monkeypatch.setattr(os, "stat", stat)
    with (
        source(root) as (tree, _),
        pytest.raises(SourceChanged, match="restless changed 5 times while it was looked at"),
    ):
        list(tree.walk())


def test_a_link_that_is_a_file_when_it_is_read_is_looked_at_again(root, monkeypatch):
    plant(root, {"changes": "target"})
    real = os.readlink

    def readlink(name, **options):
        monkeypatch.undo()
        (root / "changes").unlink()
        (root / "changes").write_bytes(b"a file now")
        return real(name, **options)

    monkeypatch.setattr(os, "readlink", readlink)
    with source(root) as (tree, journal):
        assert by_path(tree, journal)[b"changes"].kind == Kind.FILE


def test_a_file_that_became_a_socket_cannot_be_listed_anew(root):
    plant(root, {"file": b"before"})
    with source(root) as (tree, journal), socket.socket(socket.AF_UNIX) as server:
        entry = by_path(tree, journal)[b"file"]
        (root / "file").unlink()
        server.bind(str(root / "file"))
        with pytest.raises(SourceChanged, match="file became a socket"):
            tree.refresh(entry)


def test_thousands_of_directories_need_few_descriptors(root):
    plant(root, {f"d{number}": {"f": b"1"} for number in range(2000)})
    with source(root) as (tree, journal):
        before = len(os.listdir("/proc/self/fd"))
        for entry in tree.walk():
            if entry.kind == Kind.FILE:
                content_of(tree, entry)
        assert len(os.listdir("/proc/self/fd")) < before + 200


def test_other_threads_read_while_the_tree_is_still_listed(root):
    plant(root, {f"d{d}": {f"f{f}": b"%d %d" % (d, f) for f in range(20)} for d in range(100)})
    with source(root) as (tree, journal):
        found, waiting = {}, queue.SimpleQueue()

        def read():
            while entry := waiting.get():
                found[journal.path(entry.number)] = content_of(tree, entry)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for entry in tree.walk():
            if entry.kind == Kind.FILE:
                waiting.put(entry)
        for _ in readers:
            waiting.put(None)
        for reader in readers:
            reader.join()
    assert found == {b"d%d/f%d" % (d, f): (b"%d %d" % (d, f), True) for d in range(100) for f in range(20)}


def test_an_attribute_of_this_host_only_is_named_once(root, monkeypatch):
    plant(root, {"d": {"e": {"a": b"1", "b": b"2"}}})
    for name in ("a", "b"):
        os.setxattr(root / "d" / "e" / name, "user.note", b"1")
    monkeypatch.setattr("datamover.disk.metadata.carried", lambda attribute: False)
    with source(root) as (tree, _):
        list(tree.walk())
        assert tree.skipped.shown == [(b"d/e/a", "the attribute user.note does not travel, here and elsewhere")]


def test_what_does_not_travel_is_counted_beyond_a_hundred(root):
    skipped = Skipped()
    for number in range(130):
        skipped.add(b"%d" % number, "why")
    assert len(skipped.shown) == 100 and skipped.more == 30


# Links in the way. Outside the root lies a file of the same name with other bytes: those must never be seen.


@pytest.fixture
def trap(tmp_path, root):
    plant(root, {"dir": {"sub": {"file": b"inside"}}})
    return plant(tmp_path, {"outside": {"sub": {"file": DISPLACED}}}) / "outside"


@pytest.mark.parametrize("name", ["dir", "dir/sub"])
def test_a_directory_exchanged_for_a_link_is_never_followed(root, trap, name, monkeypatch):
    with source(root) as (tree, journal):
        entry = by_path(tree, journal)[b"dir/sub/file"]
    victim = root / name
    victim.rename(root / "moved")
    victim.symlink_to(trap / name.removeprefix("dir").removeprefix("/"))
    with source(root) as (tree, journal):
        journal.add([entry_of(n, entry) for n in range(entry.number + 1)])
        with pytest.raises(SourceChanged, match="replaced by something of another kind"):
            tree.open(entry)


def entry_of(number, file):
    """The chain of entries above dir/sub/file, in a journal that was written before the exchange."""
    names = [b"", b"dir", b"sub"]
    return file if number == file.number else Entry(number, max(0, number - 1), names[number], Kind.DIRECTORY)


def test_links_that_swap_in_and_out_all_the_time_never_lead_outside(root, trap):
    """A thread exchanges the directory and a link to outside as fast as it can, while the tree is listed and read."""
    (root / "decoy").symlink_to(trap)
    stop = threading.Event()
    swaps = [0]

    def swap():
        directory = os.open(root, os.O_RDONLY)
        while not stop.is_set():
            rename(directory, b"dir", directory, b"decoy", RENAME_EXCHANGE)
            swaps[0] += 1
        os.close(directory)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen, refused = [], 0
    try:
        for _ in range(300):
            try:
                with source(root) as (tree, _):
                    seen += [content_of(tree, entry) for entry in tree.walk() if entry.kind == Kind.FILE]
            except (SourceChanged, SourceVanished):
                refused += 1
    finally:
        stop.set()
        swapper.join()
    assert swaps[0] and seen and all(data == b"inside" for data, _ in seen)


@pytest.mark.root
def test_a_reader_without_rights_reads_what_it_may_and_is_told_what_not():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        os.chmod(place, 0o755)
        plant(place, {"dir": {"open": b"for all", "secret": b"1"}})
        os.chmod(os.path.join(place, "dir", "secret"), 0)
        child = os.fork()
        if not child:
            os.setresuid(65534, 65534, 65534)
            os._exit(_reads_only_what_is_open(place))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _reads_only_what_is_open(root):
    with source(root) as (tree, journal):
        entries = by_path(tree, journal)
        if content_of(tree, entries[b"dir/open"]) != (b"for all", True):
            return 3
        try:
            tree.open(entries[b"dir/secret"])
        except SourceUnreadable as error:
            return 0 if "cannot open dir/secret: Permission denied" in error.text else 2
    return 4
