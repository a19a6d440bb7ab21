"""What one end knows of every entry."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from datamover import digests
from datamover.blocks import BLOCK, ContentBuilder
from datamover.disk.journal import FEW, PAGE, PAGES, ROWS, Counts, Journal, Side
from datamover.disk.metadata import Identity
from datamover.errors import LocalError
from datamover.manifest import Entry, Kind, RootBuilder
from tests.conftest import CHECKOUT
from tests.support.memory import traced

ALGORITHM = "sha256"


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "entries.db")
    yield journal
    journal.close()


def root():
    return Entry(0, 0, b"", Kind.DIRECTORY, mode=0o755)


def file(number, parent=0, name=None, size=0, **fields):
    return Entry(number, parent, name or b"f%d" % number, Kind.FILE, mode=0o644, size=size, **fields)


def content(data, block=BLOCK):
    builder = ContentBuilder(digests.constructor(ALGORITHM), block)
    builder.update(data)
    return builder.finish()


IDENTITY = Identity(2**63 + 5, 2**64 - 1, 2**50, -1, 2**62)


def test_entries_come_back_as_they_were(journal):
    rich = Entry(
        1, 0, b"\xff\n", Kind.FILE, mode=0o4755, uid=2**32 - 2, gid=7, owner="ällice", group="g", size=2**62,
        mtime_ns=-(2**62), xattrs=((b"user.a", b"\0\xff"), (b"user.b", b"")),
    )  # fmt: skip
    link = Entry(2, 0, b"l", Kind.SYMLINK, target=b"/x\xff")
    device = Entry(3, 0, b"d", Kind.CHARDEV, device=2**40)
    hard = Entry(4, 0, b"h", Kind.HARDLINK, link=1)
    journal.add([root(), rich, link, device, hard], [IDENTITY] * 5)
    for fresh in (False, True):
        if fresh:
            journal._pages.clear()
        assert [journal.entry(number) for number in range(5)] == [root(), rich, link, device, hard]
        assert journal.known(1).identity == IDENTITY and journal.known(1).try_ == 1
    assert list(journal.entries()) == [root(), rich, link, device, hard]
    assert [entry.number for entry in journal.entries(reverse=True)] == [4, 3, 2, 1, 0]
    assert list(journal.entries((Kind.SYMLINK, Kind.HARDLINK))) == [link, hard]


def test_an_entry_that_nobody_added_is_a_key_error(journal):
    journal.add([root()])
    for number in (1, PAGE, 10**9):
        with pytest.raises(KeyError):
            journal.entry(number)


def test_paths_are_joined_from_parents(journal):
    journal.add([root(), Entry(1, 0, b"a", Kind.DIRECTORY), Entry(2, 1, b"b\n", Kind.DIRECTORY), file(3, 2, b"c")])
    assert [journal.path(number) for number in range(4)] == [b"", b"a", b"a/b\n", b"a/b\n/c"]


def test_more_entries_than_stay_in_memory_are_read_again(journal):
    count = PAGE * (PAGES + 10)
    for start in range(0, count, 1000):
        journal.add([root() if number == 0 else file(number) for number in range(start, min(start + 1000, count))])
    assert len(journal._pages) <= PAGES
    for number in (1, count - 1, PAGE, count // 2, 0):
        assert journal.entry(number).number == number
    assert len(journal._pages) <= PAGES
    assert sum(1 for _ in journal.entries()) == count


def test_another_try_voids_the_digests_of_both_sides(journal):
    journal.add([root(), file(1, size=3)], [IDENTITY] * 2)
    journal.put_content(1, 1, content(b"one"))
    journal.put_content(1, 1, content(b"one"), Side.SOURCE)
    journal.suspect(1)
    journal.replace(file(1, size=5), 2, IDENTITY._replace(size=5))
    assert journal.known(1) == (file(1, size=5), 2, IDENTITY._replace(size=5))
    assert journal.content(1) is None and journal.content(1, Side.SOURCE) is None
    assert list(journal.suspects()) == []
    journal._pages.clear()
    assert journal.known(1).try_ == 2


def test_digests_may_come_before_their_try_and_never_go_back(journal):
    """The two columns come over different connections: what is early waits, what is late is dropped."""
    journal.add([root(), file(1, size=3)])
    journal.put_content(1, 2, content(b"two"), Side.SOURCE)
    assert journal.content(1, Side.SOURCE) is None
    journal.replace(file(1, size=3), 2)
    assert journal.content(1, Side.SOURCE) == content(b"two")
    journal.put_content(1, 1, content(b"one"), Side.SOURCE)
    assert journal.content(1, Side.SOURCE) == content(b"two")


@pytest.mark.parametrize("data", [b"", b"small", b"x" * 100_000, b"y" * (3 * 65536)])
def test_digests_come_back_as_they_were(journal, data):
    journal.add([root(), file(1, size=len(data))])
    journal.put_content(1, 1, content(data, 65536))
    assert journal.content(1) == content(data, 65536)


def test_the_root_is_that_of_the_manifest(journal):
    entries = [root(), file(1, size=3), Entry(2, 0, b"l", Kind.SYMLINK, target=b"x")]
    journal.add(entries)
    journal.put_content(1, 1, content(b"one"))
    builder = RootBuilder(BLOCK, ALGORITHM)
    builder.add(entries[0])
    builder.add(entries[1], content(b"one"))
    builder.add(entries[2])
    assert journal.root(BLOCK, ALGORITHM) == builder.digest()


def test_there_is_no_root_while_a_file_has_no_digests(journal):
    journal.add([root(), file(1, size=3)])
    with pytest.raises(LocalError, match="entry 1 was never digested"):
        journal.root(BLOCK, ALGORITHM)


def test_counts_are_by_kind(journal):
    links = [Entry(3, 0, b"l", Kind.SYMLINK, target=b"x"), Entry(4, 0, b"h", Kind.HARDLINK, link=1)]
    journal.add([root(), file(1, size=10), file(2, size=5), *links, Entry(5, 0, b"p", Kind.FIFO)])
    assert journal.counts() == Counts(entries=6, files=2, directories=1, links=2, bytes=15)


def test_nothing_is_counted_in_an_empty_journal(journal):
    assert journal.counts() == Counts(0, 0, 0, 0, 0) and list(journal.entries()) == []


def test_the_first_name_of_a_file_is_remembered(journal):
    other = IDENTITY._replace(inode=1)
    assert journal.first_name(IDENTITY, 5) == 5
    assert journal.first_name(IDENTITY._replace(size=9), 8) == 5
    assert journal.first_name(other, 8) == 8


def test_another_process_reads_what_was_committed_after_kill_9(tmp_path):
    """The writer is killed in the middle of a batch; what it had committed is whole."""
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from datamover.disk.journal import Journal\n"
        "from datamover.manifest import Entry, Kind\n"
        "journal = Journal(sys.argv[2])\n"
        "journal.add([Entry(n, 0, b'f%d' % n, Kind.FILE) for n in range(5000)])\n"
        "journal.flush()\n"
        "journal.add([Entry(n, 0, b'f%d' % n, Kind.FILE) for n in range(5000, 9000)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "entries.db"
    died = subprocess.run([sys.executable, "-c", script, CHECKOUT / "_utils", path], check=False)
    assert died.returncode == -signal.SIGKILL
    journal = Journal(path)
    assert journal.counts().entries == 5000 and journal.entry(4999).name == b"f4999"
    journal.close()


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "entries.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(LocalError, match="the journal has format 99; this version writes 1"):
        Journal(path)


def test_many_threads_may_use_one_journal(journal):
    journal.add([root(), *(file(number, size=3) for number in range(1, 2001))])
    troubles = []

    def work(first):
        try:
            for number in range(first, 2001, 4):
                journal.put_content(number, 1, content(b"%03d" % (number % 1000)))
                assert journal.entry(number).number == number
                assert journal.content(number) == content(b"%03d" % (number % 1000))
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    journal.root(BLOCK, ALGORITHM)


def test_entries_may_be_listed_while_others_write(journal):
    journal.add([root(), *(file(number) for number in range(1, 3001))])
    seen = []
    for entry in journal.entries():
        journal.suspect(entry.number)
        seen.append(entry.number)
    assert seen == list(range(3001))


MEMORY = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from datamover.blocks import BLOCK, Content
from datamover.disk.journal import Journal
from datamover.manifest import Entry, Kind
from datamover.disk.metadata import Identity

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

journal = Journal(sys.argv[2])
count = 200_000
journal.add([Entry(0, 0, b"", Kind.DIRECTORY)])
for start in range(1, count, 500):
    numbers = range(start, min(start + 500, count))
    journal.add(
        [Entry(n, 0, b"file with a name %d" % n, Kind.FILE, owner="root", group="root", size=9) for n in numbers],
        [Identity(1, n, 9, 1, 1) for n in numbers],
    )
    journal.put_contents(0, [(n, 1, Content(9, (bytes(32),), bytes(32))) for n in numbers])
    if start == 50_001:
        before = peak()
journal.root(BLOCK, "sha256")
journal.export_sums(sys.argv[2] + ".sums")
assert sum(1 for _ in journal.entries()) == count
print(peak() - before)
"""


@pytest.mark.slow
def test_memory_is_bounded_for_many_entries(tmp_path):
    """The caches are full after 50,000 entries; 150,000 more, the root and the sums over all cost next to nothing."""
    out = subprocess.run(
        [sys.executable, "-c", MEMORY, CHECKOUT / "_utils", tmp_path / "entries.db"], check=True, capture_output=True
    ).stdout
    assert int(out) < 6_000, f"{int(out)} KiB more"
    assert os.path.getsize(tmp_path / "entries.db.sums") > 200_000 * 64


@pytest.mark.parametrize("count", [0, 3, FEW - 1, FEW, 3 * FEW])
def test_names_come_in_byte_order_however_many(journal, count):
    names = [b"%d\xff" % (number * 7919 % 100_003) for number in range(count)]
    assert list(journal.in_order(iter(names))) == sorted(names)
    assert list(journal.in_order(iter([b"b", b"a"]))) == [b"a", b"b"]


def test_many_names_and_entries_take_little_memory(journal):
    """What grows with the number of entries is on the disk."""
    journal.add([root()])
    with traced() as peak:
        assert sum(1 for _ in journal.in_order(b"name %d" % number for number in range(10 * FEW))) == 10 * FEW
        for first in range(1, 20_001, ROWS):
            journal.add([file(number) for number in range(first, first + ROWS)])
            journal.put_contents(Side.OWN, [(number, 1, content(b"")) for number in range(first, first + ROWS)])
        journal.root(BLOCK, ALGORITHM)
        assert journal.counts().files == 20_000
    assert peak() < 10 << 20


# What an earlier attempt found.


def identity(number):
    return Identity(1, number, 10, 20, 30)


def earlier(path, *numbers, suspects=()):
    """A journal in a file, with the digests of these files."""
    with Journal(path) as journal:
        journal.add([root(), *map(file, numbers)], [identity(0), *map(identity, numbers)])
        journal.put_contents(Side.OWN, [(number, 1, content(b"%d" % number)) for number in numbers])
        for number in suspects:
            journal.suspect(number)
    return path


def test_a_file_is_remembered_by_exactly_its_identity(tmp_path):
    with Journal("", [earlier(tmp_path / "1", 1, 2)]) as journal:
        assert journal.remembered(identity(2)) == content(b"2")
        for other in (identity(3), identity(2)._replace(size=11), identity(2)._replace(ctime_ns=31)):
            assert journal.remembered(other) is None


def test_what_was_too_young_or_never_read_is_not_remembered(tmp_path):
    path = earlier(tmp_path / "1", 1, 2, suspects=[2])
    with Journal(path) as journal:
        journal.add([file(3)], [identity(3)])
    with Journal("", [path]) as journal:
        assert journal.remembered(identity(1)) == content(b"1")
        assert journal.remembered(identity(2)) is journal.remembered(identity(3)) is None


def test_what_an_attempt_remembered_is_remembered_by_the_next(tmp_path):
    with Journal(tmp_path / "2", [earlier(tmp_path / "1", 1)]) as journal:
        assert journal.remembered(identity(1)) == content(b"1")
    with Journal("", [tmp_path / "2", tmp_path / "none"]) as journal:
        assert journal.remembered(identity(1)) == content(b"1")


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 1000, None])
def test_a_journal_that_cannot_be_read_is_only_forgotten(tmp_path, damage):
    path = earlier(tmp_path / "1", 1, 2)
    path.write_bytes(path.read_bytes()[: 3 * 4096 + 7] if damage is None else damage)
    with Journal(tmp_path / "2", [path, earlier(tmp_path / "0", 5)]) as journal:
        assert journal.remembered(identity(1)) in (None, content(b"1"))
        assert journal.remembered(identity(5)) == content(b"5")
        journal.add([root()])


def test_digests_that_are_not_what_was_written_are_not_remembered(tmp_path):
    path = earlier(tmp_path / "1", 1, 2)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE contents SET whole = zeroblob(32) WHERE number = 1")
        database.commit()
    with Journal("", [path]) as journal:
        assert journal.remembered(identity(1)) is None
        assert journal.remembered(identity(2)) == content(b"2")
    with Journal(path) as journal, pytest.raises(LocalError, match="damaged"):
        journal.content(1)
