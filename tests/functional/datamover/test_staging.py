"""The destination's edge: tries, sparseness, reserve, and a disk that fails."""

import errno
import gc
import hashlib
import json
import mmap
import os
import stat
import threading
from contextlib import suppress

import pytest

from datamover import digests
from datamover.blocks import BLOCK, ContentBuilder
from datamover.disk import kernel, publish
from datamover.disk.journal import Journal
from datamover.disk.special import NAMES
from datamover.disk.staging import AHEAD, Staging
from datamover.disk.windows import WINDOW
from datamover.errors import Busy, DiskError, LocalError, ManifestInvalid, MoverError, NoInodes, NoSpace, SpecialRefused
from datamover.manifest import Entry, Kind
from tests.functional.datamover.places import (
    ALGORITHM,
    HASHER,
    TRANSFER,
    destination,
    ext4,
    plant,
    private_mounts,
    run,
    tmpfs,
)

MIB = 1024 * 1024


def directory(number, parent=0, name=b"d", **fields):
    return Entry(number, parent, b"" if number == 0 else name, Kind.DIRECTORY, mode=0o755, **fields)


def file(number, name=b"f", parent=0, size=0, **fields):
    return Entry(number, parent, name, Kind.FILE, mode=0o644, size=size, **fields)


@pytest.fixture
def final(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "final"


@pytest.fixture
def staging(final):
    with destination(final, special=NAMES) as (staging, _):
        staging.announce([directory(0)])
        yield staging


def read(staging, name="f"):
    with open(os.path.join(os.fsdecode(staging.path), "data", name), "rb") as found:
        return found.read()


def status(staging, name="f"):
    return os.lstat(os.path.join(os.fsdecode(staging.path), "data", name))


# Coming and going


def test_the_staging_directory_is_private_and_describes_itself(final, staging):
    assert os.fsdecode(staging.path) == str(final.parent / f".salt-transfer-{TRANSFER}")
    assert stat.S_IMODE(os.stat(staging.path).st_mode) == 0o700
    about = json.loads((final.parent / f".salt-transfer-{TRANSFER}" / "about.json").read_text())
    assert about == {
        "format": 1, "project": "salt-transfer", "transfer": TRANSFER, "final": str(final), "host": "beta",
    }  # fmt: skip


def test_what_an_earlier_attempt_left_is_not_touched(final, staging):
    with pytest.raises(Busy, match="left by an earlier attempt"):
        Staging.create(os.fsencode(final), TRANSFER, {}, None, special=())
    assert os.path.isdir(staging.path)


def test_a_missing_parent_is_said_so(tmp_path):
    with pytest.raises(DiskError, match="cannot make a staging directory beside .*/none/final"):
        Staging.create(os.fsencode(tmp_path / "none" / "final"), TRANSFER, {}, None, special=())


def test_no_descriptor_is_left_open_when_the_beginning_fails(final, staging, tmp_path):
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for place in (final, tmp_path / "none" / "final"):
        with pytest.raises(MoverError):
            Staging.create(os.fsencode(place), TRANSFER, {}, None, special=())
    assert len(os.listdir("/proc/self/fd")) == before


def test_it_is_found_again_and_removed_as_often_as_one_likes(final, staging):
    staging.announce([file(1, size=3)])
    staging.put_small(1, 1, b"abc")
    again = Staging.reopen(os.fsencode(final), TRANSFER)
    again.remove()
    again.remove()
    again.close()
    assert os.listdir(final.parent) == []
    assert Staging.reopen(os.fsencode(final), TRANSFER) is None


@pytest.mark.parametrize("about", [None, b"{}", b"no json", b'{"transfer": "another"}', b"[]"])
def test_a_directory_that_is_not_ours_is_left_alone(final, about):
    name = f".salt-transfer-{TRANSFER}"
    plant(final.parent, {name: {"precious": b"1"} | ({} if about is None else {"about.json": about})})
    with pytest.raises(DiskError, match="was not made by this transfer; nothing is done with it"):
        Staging.reopen(os.fsencode(final), TRANSFER)
    assert (final.parent / name / "precious").exists()


@pytest.mark.root
def test_a_directory_of_another_owner_is_left_alone(final, staging):
    os.chown(staging.path, 1234, 0)
    with pytest.raises(DiskError, match="was not made by this transfer"):
        Staging.reopen(os.fsencode(final), TRANSFER)
    os.chown(staging.path, 0, 0)


def test_what_was_cut_short_while_it_was_made_or_removed_can_be_removed(final):
    (final.parent / f".salt-transfer-{TRANSFER}").mkdir()
    with Staging.reopen(os.fsencode(final), TRANSFER) as staging:
        staging.remove()
    assert os.listdir(final.parent) == []


# Pieces and tries


def test_pieces_may_come_in_any_order(staging):
    staging.announce([file(1, size=300)])
    for offset in (200, 0, 100):
        assert staging.write(1, 1, offset, bytes([offset % 251]) * 100)
    staging.finish(1)
    assert read(staging) == b"\0" * 100 + bytes([100]) * 100 + bytes([200]) * 100


def test_an_empty_file_and_one_that_is_all_hole_need_no_piece(staging):
    staging.announce([file(1, b"empty"), file(2, b"hole", size=10 * MIB)])
    staging.finish(1)
    staging.hole(2, 1, 0, 10 * MIB)
    staging.finish(2)
    assert read(staging, "empty") == b""
    assert status(staging, "hole").st_size == 10 * MIB and status(staging, "hole").st_blocks == 0


def test_a_late_piece_of_an_old_try_is_dropped(staging):
    staging.announce([file(1, size=3)])
    staging.write(1, 1, 0, b"old")
    staging.restart(file(1, size=5), 2)
    assert staging.write(1, 2, 0, b"newer")
    assert not staging.write(1, 1, 0, b"old") and not staging.put_small(1, 1, b"old") and not staging.hole(1, 1, 0, 3)
    staging.finish(1)
    assert read(staging) == b"newer"


def test_a_new_try_has_a_new_inode_so_that_a_write_under_way_cannot_touch_it(staging):
    staging.announce([file(1, size=3)])
    staging.write(1, 1, 0, b"old")
    with staging._files.hold((1, 1)) as under_way:
        staging.restart(file(1, size=3), 2)
        staging.write(1, 2, 0, b"new")
        os.pwrite(under_way, b"OLD", 0)
    staging.finish(1)
    assert read(staging) == b"new"


def test_a_small_file_may_come_again_in_a_new_try(staging):
    staging.announce([file(1, size=3)])
    staging.put_small(1, 1, b"old")
    staging.restart(file(1, size=4), 2)
    assert staging.put_small(1, 2, b"new!")
    assert read(staging) == b"new!"


def put_large(staging, number):
    staging.write(number, 1, 0, b"abc")
    staging.finish(number)


@pytest.mark.parametrize("first", ["packed", "pieces"])
@pytest.mark.parametrize("second", ["packed", "pieces", "symlink", "hardlink", "directory"])
def test_two_entries_of_one_name_are_refused(staging, first, second):
    put = {"packed": lambda number: staging.put_small(number, 1, b"abc"), "pieces": lambda n: put_large(staging, n)}
    staging.announce([file(1, b"twice", size=3), file(2, b"other", size=3)])
    for number in (1, 2):
        put[first](number)
    with pytest.raises(ManifestInvalid, match="twice was announced twice"):
        if second in put:
            staging.announce([file(3, b"twice", size=3)])
            put[second](3)
        elif second == "directory":
            staging.announce([directory(3, name=b"twice")])
        else:
            kind, fields = (Kind.SYMLINK, {"target": b"x"}) if second == "symlink" else (Kind.HARDLINK, {"link": 2})
            staging.announce([Entry(3, 0, b"twice", kind, **fields)])
            staging.make_specials()
    assert read(staging, "twice") == b"abc"


def test_a_large_file_that_is_closed_meanwhile_goes_on(staging, monkeypatch):
    monkeypatch.setattr(staging._files, "_capacity", 1)
    staging.announce([file(1, b"a", size=6), file(2, b"b", size=6)])
    for offset in (0, 3):
        for number in (1, 2):
            staging.write(number, 1, offset, b"abc")
    for number in (1, 2):
        staging.finish(number)
    assert read(staging, "a") == read(staging, "b") == b"abcabc"


def test_a_piece_of_a_try_that_nobody_announced_is_our_own_fault(staging):
    staging.announce([file(1, size=3)])
    with pytest.raises(LocalError, match="try 2 of #1 file f was written before it was announced"):
        staging.write(1, 2, 0, b"abc")


def test_only_files_take_bytes(staging):
    staging.announce([directory(1)])
    with pytest.raises(LocalError, match="only files have bytes"):
        staging.write(1, 1, 0, b"abc")


def test_tries_and_pieces_of_many_threads_never_mix(staging):
    """Four threads write tries of one file while it is restarted again and again; the last try alone may remain."""
    staging.announce([file(1, size=4 * MIB)])
    done = threading.Event()
    current = [1]

    def write(part):
        while not done.is_set():
            try_ = current[0]
            try:
                staging.write(1, try_, part * MIB, bytes([try_ % 256]) * MIB)
            except LocalError:
                pytest.fail("a try is announced before it is current")

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for try_ in range(2, 60):
        staging.restart(file(1, size=4 * MIB), try_)
        current[0] = try_
    done.set()
    for thread in threads:
        thread.join()
    for part in range(4):
        staging.write(1, 59, part * MIB, bytes([59]) * MIB)
    staging.finish(1)
    assert set(read(staging)) == {59}


# Sparse files


def test_a_sparse_file_stays_sparse(staging, final):
    size = 50 * 1024 * MIB
    staging.announce([file(1, size=size)])
    staging.hole(1, 1, 0, 20 * 1024 * MIB)
    staging.write(1, 1, 20 * 1024 * MIB, b"island")
    staging.hole(1, 1, 20 * 1024 * MIB + 4096, size - 20 * 1024 * MIB - 4096)
    staging.finish(1)
    assert status(staging).st_size == size and status(staging).st_blocks * 512 <= 64 * 1024


def test_room_that_was_reserved_ahead_is_given_back_where_a_hole_comes(staging):
    staging.announce([file(1, size=2 * WINDOW)])
    staging.write(1, 1, 0, b"x" * MIB)
    assert status(staging).st_blocks * 512 >= WINDOW, "this file system reserves ahead"
    staging.hole(1, 1, MIB, 2 * WINDOW - MIB)
    staging.finish(1)
    assert status(staging).st_blocks * 512 <= 2 * MIB


@pytest.mark.root
@private_mounts
def test_a_file_system_that_cannot_reserve_takes_large_files_and_holes_too(tmp_path):
    """ramfs reserves nothing and punches nothing."""
    place = tmp_path / "fs"
    place.mkdir()
    run("mount", "-t", "ramfs", "ramfs", place)
    with destination(place / "final", special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=WINDOW + 6)])
        staging.write(1, 1, 0, b"begin")
        staging.hole(1, 1, 5, WINDOW - 5)
        staging.write(1, 1, WINDOW, b"island")
        staging.finish(1)
        data = read(staging)
        assert data[:5] == b"begin" and data[WINDOW:] == b"island" and len(data) == WINDOW + 6


def test_holes_and_data_are_digested_as_the_bytes_they_read_as(staging, tmp_path):
    size = 3 * BLOCK + 5
    staging.announce([file(1, size=size), file(2, b"plain", size=size)])
    staging.hole(1, 1, 0, BLOCK + 4096)
    staging.write(1, 1, BLOCK + 4096, b"data")
    staging.hole(1, 1, BLOCK + 8192, size - BLOCK - 8192)
    staging.finish(1)
    plain = b"\0" * (BLOCK + 4096) + b"data" + b"\0" * (size - BLOCK - 4100)
    staging.write(2, 1, 0, plain)
    staging.finish(2)
    staging.flush([1, 2])
    sparse, dense = (staging.read_back(number, HASHER, BLOCK) for number in (1, 2))
    assert sparse == dense and len(sparse.blocks) == 4
    expected = run("sha256sum", os.path.join(os.fsdecode(staging.path), "data", "plain"))
    assert sparse.whole.hex().encode() == expected[:64]


# Reading back, and the metadata


def test_what_was_spoiled_on_the_disk_is_seen_when_it_is_read_back(staging):
    staging.announce([file(1, size=3 * MIB)])
    staging.write(1, 1, 0, b"x" * 3 * MIB)
    staging.finish(1)
    staging.flush([1])
    good = staging.read_back(1, HASHER, BLOCK)
    with open(os.path.join(os.fsdecode(staging.path), "data", "f"), "r+b") as spoil:
        spoil.seek(2 * MIB)
        spoil.write(b"y")
    assert staging.read_back(1, HASHER, BLOCK) != good


def test_many_files_are_read_back_together(staging):
    count = 2 * AHEAD + 5
    sizes = {number: number * 100 for number in range(1, count + 1)}
    staging.announce([file(number, b"%d" % number, size=size) for number, size in sizes.items()])
    for number, size in sizes.items():
        staging.put_small(number, 1, bytes([number % 256]) * size)
    staging.flush(list(sizes))
    os.unlink(os.path.join(staging.path, b"data", b"7"))
    found = dict(staging.read_back_many(list(sizes), HASHER, BLOCK))
    assert found.pop(7) is None, "it was discarded for another try"
    assert found == {number: staging.read_back(number, HASHER, BLOCK) for number in sizes if number != 7}


def whole(staging):
    return staging.read_back(1, HASHER, BLOCK)


def by_ranges(staging):
    builder = ContentBuilder(digests.constructor(ALGORITHM), BLOCK)
    for offset in range(0, 8 * MIB, 2 * MIB):
        staging.read_back_range(1, offset, 2 * MIB, builder)
    return builder.finish()


@pytest.mark.root
@private_mounts
@pytest.mark.parametrize("read_back", [whole, by_ranges])
def test_what_is_read_back_is_what_the_disk_has_and_not_the_cache(tmp_path, read_back):
    """A bit is flipped in the image below the file system: who reads sees the cache, who reads back the disk."""
    place = ext4(tmp_path / "fs", tmp_path / "image", 64)
    with destination(place / "final", special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=8 * MIB)])
        data = os.urandom(8 * MIB)
        staging.write(1, 1, 0, data)
        staging.finish(1)
        staging.flush([1])
        good = read_back(staging)
        assert read(staging) == data
        with open(tmp_path / "image", "r+b") as image, mmap.mmap(image.fileno(), 0) as disk:
            at = disk.find(data[5 * MIB : 5 * MIB + 4096])
            disk[at] ^= 1
        assert read(staging) == data, "the cache does not know"
        bad = read_back(staging)
    assert good.whole.hex() == hashlib.sha256(data).hexdigest()
    assert bad.length == good.length and bad.blocks[0] == good.blocks[0] and bad.blocks[1] != good.blocks[1]


def test_a_range_that_is_not_there_yet_gives_what_there_is(staging):
    staging.announce([file(1, size=10 * MIB)])
    staging.write(1, 1, 0, b"x" * MIB)
    builder = ContentBuilder(digests.constructor(ALGORITHM), BLOCK)
    staging.read_back_range(1, 0, 2 * MIB, builder)
    assert builder.length == MIB


def test_many_files_are_flushed_at_once_and_a_few_one_by_one(staging, monkeypatch):
    staging.announce([file(number, b"%d" % number, size=1) for number in range(1, 21)])
    for number in range(1, 21):
        staging.put_small(number, 1, b"x")
    calls = []
    monkeypatch.setattr("datamover.disk.staging.os.fdatasync", lambda descriptor: calls.append("file"))
    monkeypatch.setattr("datamover.disk.staging.kernel.syncfs", lambda descriptor: calls.append("system"))
    staging.flush(range(1, 21))
    staging.flush([1, 2])
    assert calls == ["system", "file", "file"]


def test_what_differs_is_listed_by_path(staging):
    staging.announce([directory(1, name=b"dir"), file(2, b"f\n", parent=1, size=1, mtime_ns=5)])
    staging.put_small(2, 1, b"x")
    staging.apply_metadata()
    data = os.path.join(staging.path, b"data")
    assert staging.check_metadata() == []
    os.chmod(os.path.join(data, b"dir", b"f\n"), 0o600)
    os.setxattr(os.path.join(data, b"dir"), "user.extra", b"1")
    found = staging.check_metadata()
    assert [(each.path, each.what) for each in found] == [(b"dir", "attributes"), (b"dir/f\n", "mode")]


def test_of_many_differences_a_hundred_are_told(staging):
    staging.announce([file(number, b"%d" % number, mtime_ns=5) for number in range(1, 151)])
    for number in range(1, 151):
        staging.put_small(number, 1, b"")
        os.utime(os.path.join(staging.path, b"data", b"%d" % number))
    staging.apply_metadata()
    assert len(staging.check_metadata()) == 100


def test_a_hard_link_that_is_a_copy_is_a_difference(staging):
    staging.announce([file(1, b"a", size=1), Entry(2, 0, b"b", Kind.HARDLINK, link=1)])
    staging.put_small(1, 1, b"x")
    staging.make_specials()
    staging.apply_metadata()
    assert staging.check_metadata() == []
    path = os.path.join(staging.path, b"data", b"b")
    os.unlink(path)
    run("cp", "-p", os.path.join(staging.path, b"data", b"a"), path)
    assert [each.what for each in staging.check_metadata() if each.path == b"b"] == ["inode"]


@pytest.mark.root
@private_mounts
def test_a_file_system_without_an_attribute_is_said_so(tmp_path):
    """ramfs holds no user attributes at all."""
    place = tmp_path / "fs"
    place.mkdir()
    run("mount", "-t", "ramfs", "ramfs", place)
    with destination(place / "final", special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=1, xattrs=((b"user.note", b"1"),))])
        with pytest.raises(DiskError, match="cannot write f: .*ENOTSUP.*cannot hold it"):
            staging.put_small(1, 1, b"x")


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("setuid", Entry(1, 0, b"x", Kind.FILE, mode=0o4755)),
        ("capabilities", Entry(1, 0, b"x", Kind.FILE, mode=0o755, xattrs=((b"security.capability", b"1"),))),
        ("fifos", Entry(1, 0, b"x", Kind.FIFO, mode=0o644)),
        ("devices", Entry(1, 0, b"x", Kind.BLOCKDEV, mode=0o644, device=os.makedev(254, 0))),
    ],
)
def test_what_was_not_asked_for_is_refused_whatever_the_source_says(final, name, entry):
    with destination(final, special=set(NAMES) - {name}) as (staging, journal):
        staging.announce([directory(0)])
        with pytest.raises(SpecialRefused, match=f"{name}: 1 .x."):
            staging.announce([entry])
        assert journal.counts().entries == 1


def test_a_file_does_not_become_setuid_by_a_second_try(final):
    with destination(final, special=()) as (staging, journal):
        staging.announce([directory(0), file(1)])
        with pytest.raises(SpecialRefused):
            staging.restart(Entry(1, 0, b"f", Kind.FILE, mode=0o4755), 2)
        assert journal.known(1).try_ == 1


# Links in the way


@pytest.mark.parametrize("action", ["write", "put_small", "directory", "link"])
def test_a_link_in_the_way_is_never_followed(final, tmp_path, action):
    """Nobody but root can put a link into staging; even then nothing outside is touched."""
    outside = plant(tmp_path, {"outside": {"f": b"precious"}}) / "outside"
    with destination(final, special=NAMES) as (staging, _):
        staging.announce([directory(0), directory(1), file(2, parent=1, size=3)])
        staging._directories.close()
        data = final.parent / f".salt-transfer-{TRANSFER}" / "data"
        (data / "d").rmdir()
        (data / "d").symlink_to(outside)
        with pytest.raises(DiskError):
            {
                "write": lambda: staging.write(2, 1, 0, b"bad"),
                "put_small": lambda: staging.put_small(2, 1, b"bad"),
                "directory": lambda: staging.announce([directory(3, parent=1, name=b"new")]),
                "link": lambda: (
                    staging.announce([Entry(3, 1, b"l", Kind.SYMLINK, target=b"x")]),
                    staging.make_specials(),
                ),
            }[action]()
        assert os.listdir(outside) == ["f"] and (outside / "f").read_bytes() == b"precious"


@pytest.mark.parametrize("action", ["write", "put_small", "read_back"])
def test_a_file_exchanged_for_a_link_is_never_followed(final, tmp_path, action):
    precious = plant(tmp_path, {"precious": b"precious"}) / "precious"
    with destination(final, special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=3)])
        os.symlink(precious, os.path.join(staging.path, b"data", b"f"))
        with pytest.raises(MoverError, match="ELOOP" if action == "read_back" else "takes two of the announced names"):
            {
                "write": lambda: staging.write(1, 1, 0, b"bad"),
                "put_small": lambda: staging.put_small(1, 1, b"bad"),
                "read_back": lambda: staging.read_back(1, HASHER, BLOCK),
            }[action]()
        assert precious.read_bytes() == b"precious"


def test_whoever_owns_the_place_beside_cannot_lead_us_elsewhere(final, tmp_path):
    """A thread exchanges the staging directory and a link to outside, while we write, publish and remove."""
    outside = plant(tmp_path, {"outside": {"data": {"d": {"precious": b"precious"}}}}) / "outside"
    (final.parent / "decoy").symlink_to(outside)
    stop = threading.Event()

    def swap():
        place = os.open(final.parent, os.O_RDONLY)
        with suppress(FileNotFoundError):  # in the end it may be removed
            while not stop.is_set():
                kernel.rename(place, os.fsencode(f".salt-transfer-{TRANSFER}"), place, b"decoy", kernel.RENAME_EXCHANGE)
        os.close(place)

    with Journal("") as journal, Staging.create(os.fsencode(final), TRANSFER, {}, journal, special=()) as staging:
        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            staging.announce([directory(0), directory(1), *(file(n, b"%d" % n, 1, 1) for n in range(2, 300))])
            for number in range(2, 300):
                staging.put_small(number, 1, b"x")
            staging.apply_metadata()
            publish.publish(staging, publish.intend(staging, overwrite=False))
            for _ in range(50):
                with suppress(DiskError):
                    staging.remove()
        finally:
            stop.set()
            swapper.join()
    assert len(os.listdir(final / "d")) == 298
    assert (outside / "data" / "d" / "precious").read_bytes() == b"precious"
    assert os.listdir(outside / "data") == ["d"] and os.listdir(outside) == ["data"]


# Room, and disks that fail


@pytest.mark.root
@private_mounts
def test_the_reserve_of_bytes_is_kept(tmp_path):
    place = tmpfs(tmp_path / "fs", "size=16m")
    with destination(place / "final", reserve=(4 * MIB, 0), special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=32 * MIB)])
        with pytest.raises(
            NoSpace, match="has [0-9]+ bytes free; 262144 more are needed and 4194304 stay in reserve"
        ) as caught:
            for offset in range(0, 32 * MIB, 256 * 1024):
                staging.write(1, 1, offset, b"x" * (256 * 1024))
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        assert 4 * MIB <= free < 5 * MIB and caught.value.evidence["reserve"] == 4 * MIB


@pytest.mark.root
@private_mounts
def test_room_that_is_reserved_ahead_leaves_the_reserve_alone_too(tmp_path):
    place = tmpfs(tmp_path / "fs", "size=160m")
    with destination(place / "final", reserve=(50 * MIB, 0), special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=3 * WINDOW)])
        staging.write(1, 1, 0, b"x" * MIB)
        with pytest.raises(NoSpace, match=f"{WINDOW} more are needed and {50 * MIB} stay in reserve"):
            staging.write(1, 1, WINDOW, b"x" * MIB)
        assert os.statvfs(place).f_bavail * os.statvfs(place).f_frsize > 50 * MIB


@pytest.mark.root
@private_mounts
def test_the_reserve_of_inodes_is_kept(tmp_path):
    place = tmpfs(tmp_path / "fs", "size=16m,nr_inodes=200")
    with destination(place / "final", reserve=(0, 50), special=NAMES) as (staging, _):
        entries = [file(number, b"%d" % number, size=1) for number in range(1, 200)]
        staging.announce([directory(0), *entries])
        with pytest.raises(NoInodes, match="has 50 inodes free; 1 more are needed and 50 stay in reserve"):
            for entry in entries:
                staging.put_small(entry.number, 1, b"x")
        assert os.statvfs(place).f_favail == 50


@pytest.mark.root
@private_mounts
def test_the_reserve_is_kept_though_others_write_there_too(tmp_path, monkeypatch):
    monkeypatch.setattr("datamover.disk.headroom.BELIEVED", 0.0)
    place = tmpfs(tmp_path / "fs", "size=16m")
    with destination(place / "final", reserve=(4 * MIB, 0), special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=8 * MIB)])
        staging.write(1, 1, 0, b"x" * MIB)
        (place / "other").write_bytes(b"x" * 10 * MIB)
        with pytest.raises(NoSpace, match=f"{MIB} more are needed and {4 * MIB} stay in reserve"):
            staging.write(1, 1, MIB, b"x" * MIB)


@pytest.fixture
def long_belief(monkeypatch):
    """What others do after the first look is not seen by the next one."""
    monkeypatch.setattr("datamover.disk.headroom.BELIEVED", 600.0)


@pytest.mark.root
@private_mounts
def test_a_full_disk_ends_cleanly_even_without_a_reserve(tmp_path, long_belief):
    place = tmpfs(tmp_path / "fs", "size=16m")
    with destination(place / "final", special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, b"dir\nf", size=32 * MIB)])
        staging.write(1, 1, 0, b"x" * MIB)
        (place / "other").write_bytes(b"x" * 14 * MIB)
        full = r"cannot write dir%0Af: No space left on device .ENOSPC.: [0-9]+ bytes and [0-9]+ inodes are free there"
        with pytest.raises(NoSpace, match=full):
            staging.write(1, 1, MIB, b"x" * 2 * MIB)


@pytest.mark.root
@private_mounts
def test_inodes_that_others_took_are_told_as_such(tmp_path, long_belief):
    place = tmpfs(tmp_path / "fs", "size=16m,nr_inodes=60")
    with destination(place / "final", special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=1), file(2, b"second", size=1)])
        staging.put_small(1, 1, b"x")
        with suppress(OSError):
            for number in range(60):
                (place / f"other {number}").touch()
        with pytest.raises(NoInodes, match="cannot write second: No space .*: [0-9]+ bytes and 0 inodes are free"):
            staging.put_small(2, 1, b"x")


@pytest.mark.root
@private_mounts
def test_a_disk_that_turns_read_only_is_said_so(tmp_path):
    place = tmpfs(tmp_path / "fs", "size=16m")
    with destination(place / "final", special=NAMES) as (staging, _):
        staging.announce([directory(0), file(1, size=1)])
        run("mount", "-o", "remount,ro", place)
        with pytest.raises(DiskError, match="cannot write f: Read-only file system .EROFS.*remount it"):
            staging.put_small(1, 1, b"x")
        run("mount", "-o", "remount,rw", place)


@pytest.mark.root
@private_mounts
@pytest.mark.parametrize("files", [1, 12])
def test_an_error_while_writing_back_is_told_at_flush(tmp_path, files):
    """The disk is a file on a file system that is too small for it: what the page cache took cannot be written back."""
    host = tmpfs(tmp_path / "host", "size=8m")
    place = ext4(tmp_path / "fs", host / "image", 64, "-O", "^has_journal")
    with destination(place / "final", special=NAMES) as (staging, _):
        entries = [file(number, b"%d" % number, size=24 * MIB // files) for number in range(1, files + 1)]
        staging.announce([directory(0), *entries])
        for entry in entries:
            staging.write(entry.number, 1, 0, os.urandom(entry.size))
        with pytest.raises(NoSpace, match="cannot flush "):
            staging.flush([entry.number for entry in entries])


@pytest.fixture
def close_fails(monkeypatch):
    """Closing the file f fails, as network file systems do when they find out only then."""
    real = os.close

    def close(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        real(descriptor)
        if name.endswith("data/f"):
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "close", close)


@pytest.mark.parametrize("small", [True, False])
def test_an_error_of_close_is_told(staging, close_fails, small):
    staging.announce([file(1, size=1)])
    with pytest.raises(NoSpace, match="f: Disk quota exceeded .EDQUOT.; raise the quota"):
        if small:
            staging.put_small(1, 1, b"x")
        else:
            staging.write(1, 1, 0, b"x")
            staging.finish(1)


def test_an_error_of_close_does_not_hide_an_earlier_one(staging, close_fails):
    staging.announce([file(1, size=1, xattrs=((b"user.x", b"1" * 60_000),))])
    with pytest.raises(MoverError) as caught:
        staging.put_small(1, 1, b"x")
    assert "EDQUOT" not in caught.value.text


# Calls of the kernel


def test_renames_of_the_kernel_do_not_replace(tmp_path):
    plant(tmp_path, {"a": b"a", "b": b"b"})
    here = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(FileExistsError):
        kernel.rename(here, b"a", here, b"b", kernel.RENAME_NOREPLACE)
    kernel.rename(here, b"a", here, b"b", kernel.RENAME_EXCHANGE)
    assert (tmp_path / "a").read_bytes() == b"b"
    kernel._renameat2, kept = None, kernel._renameat2
    try:
        kernel.rename(here, b"a", here, b"b", kernel.RENAME_EXCHANGE)
        with pytest.raises(FileExistsError):
            kernel.rename(here, b"a", here, b"b", kernel.RENAME_NOREPLACE)
    finally:
        kernel._renameat2 = kept
    assert (tmp_path / "a").read_bytes() == b"a"
    os.close(here)


def test_syncfs_of_a_closed_descriptor_is_an_error():
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.syncfs(-1)
