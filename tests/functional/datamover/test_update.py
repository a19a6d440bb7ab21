"""Updates by the disk edges alone: what differs is found, staged and put in place file by file; rsync is the judge."""

import os
import socket
import stat
from contextlib import nullcontext, suppress

import pytest

from datamover.disk import settle
from datamover.disk.extras import Limit
from datamover.disk.journal import Journal
from datamover.disk.planning import Tallies
from datamover.disk.publish import Found
from datamover.disk.special import NAMES
from datamover.disk.staging import Staging
from datamover.disk.update import Asked, UpdateStaging
from datamover.errors import DeletionRefused, DestinationChanged, KindClash, PublishFailed
from tests.functional.datamover.places import (
    TRANSFER,
    independent_differences,
    plant,
    private_mounts,
    run,
    source,
    tmpfs,
)
from tests.functional.datamover.updates import BLOCK, bring, publish, standing, update


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    tree = {
        "large": os.urandom(5 * BLOCK + 77),
        "small": b"small",
        "empty": b"",
        "dir": {"deep": {"last": b"last"}, "link": "../small", "none": {}},
    }
    plant(tmp_path / "source", tree)
    os.link(tmp_path / "source" / "small", tmp_path / "source" / "dir" / "again")
    os.mkfifo(tmp_path / "source" / "fifo")
    os.setxattr(tmp_path / "source" / "small", "user.note", b"kept")
    return tmp_path / "source"


@pytest.fixture
def final(tmp_path, root):
    """What an earlier copy left, equal in everything."""
    (tmp_path / "place").mkdir()
    run("cp", "-a", root, tmp_path / "place" / "final")
    return tmp_path / "place" / "final"


def names(place):
    return sorted(os.listdir(place))


def test_on_equal_trees_nothing_is_moved_and_nothing_touched(root, final):
    before = {path: os.lstat(path) for path in final.rglob("*")}
    moved, tallies = update(root, final)
    assert (moved, tallies) == (0, Tallies(unchanged=11, trusted=3))
    assert {path: os.lstat(path) for path in final.rglob("*")} == before
    assert names(final.parent) == ["final"]


def test_on_equal_trees_digests_prove_it_without_trust(root, final):
    assert update(root, final, compare="digest") == (0, Tallies(unchanged=11))


def test_of_a_changed_file_only_the_changed_block_moves(root, final):
    with open(root / "large", "r+b") as file:
        file.seek(2 * BLOCK + 5)
        file.write(b"changed")
    before = os.lstat(final / "large").st_ino
    moved, tallies = update(root, final)
    assert (moved, tallies) == (BLOCK, Tallies(changed=1, unchanged=10, trusted=2))
    assert os.lstat(final / "large").st_ino != before
    assert independent_differences(root, final) == []


def test_a_file_that_was_only_touched_is_mended_in_place(root, final):
    os.utime(root / "large", (1, 1))
    before = os.lstat(final / "large").st_ino
    moved, tallies = update(root, final)
    assert (moved, tallies.changed) == (0, 1)
    assert os.lstat(final / "large").st_ino == before
    assert independent_differences(root, final) == []


def test_a_change_that_keeps_size_and_time_is_trusted_but_found_by_digest(root, final):
    then = os.lstat(root / "small").st_mtime_ns
    (root / "small").write_bytes(b"SMALL")
    os.utime(root / "small", ns=(then, then))
    assert update(root, final)[1].trusted == 3 and (final / "small").read_bytes() == b"small"
    assert update(root, final, compare="digest")[0] == 5
    assert independent_differences(root, final) == []


@pytest.mark.parametrize("size", [0, 3, BLOCK, 3 * BLOCK, 9 * BLOCK + 1])
def test_a_file_that_grew_or_shrank(root, final, size):
    data = (root / "large").read_bytes()
    (root / "large").write_bytes((data + os.urandom(9 * BLOCK))[:size])
    update(root, final)
    assert independent_differences(root, final) == []


def test_everything_new_everything_gone_and_metadata(root, final):
    plant(root, {"new": {"a": b"a", "deeper": {"b": b"b" * 3 * BLOCK, "to": "a"}}, "fresh": b"fresh"})
    os.link(root / "fresh", root / "new" / "fresh")
    (root / "small").chmod(0o600)
    os.chown(root / "dir", 7, 8)
    os.setxattr(root / "dir", "user.tag", b"x")
    (root / "dir" / "link").unlink()
    os.symlink("../large", root / "dir" / "link")
    (root / "fifo").unlink()
    (root / "empty").unlink()
    _, tallies = update(root, final, delete=True)
    assert tallies.deleted == 2 and tallies.created == 7
    assert independent_differences(root, final) == []
    assert update(root, final, delete=True) == (0, Tallies(unchanged=16, trusted=6))


def test_without_delete_what_is_there_beside_stays(root, final):
    plant(final, {"mine": b"mine", "dir": {"own": {"x": b"x"}}})
    assert update(root, final)[1].deleted == 0
    assert (final / "mine").read_bytes() == b"mine" and (final / "dir" / "own" / "x").read_bytes() == b"x"


def test_hard_links_become_what_the_source_has(root, final):
    (final / "dir" / "again").unlink()
    (final / "dir" / "again").write_bytes(b"small")
    os.link(final / "large", final / "twin")
    run("cp", "-a", final / "large", root / "twin")
    (root / "twin").write_bytes(b"other now")
    update(root, final)
    assert independent_differences(root, final) == []
    assert os.lstat(final / "large").st_ino != os.lstat(final / "twin").st_ino


@pytest.mark.parametrize("compare", ["time", "digest"])
@pytest.mark.parametrize("content", [b"", b"same", b"much" * BLOCK])
def test_what_is_linked_there_and_not_at_the_source_becomes_files_of_their_own(root, final, compare, content):
    plant(root, {"one": content, "two": content, "zzz": content})
    for name, mode in {"one": 0o644, "two": 0o600, "zzz": 0o640}.items():
        (root / name).chmod(mode)
        os.utime(root / name, (5, 5))
    os.link(root / "two", root / "dir" / "two")
    run("cp", "-a", root / "one", final / "one")
    for name in ("two", "zzz", "dir/two"):
        os.link(final / "one", final / name)
    assert update(root, final, compare=compare)[0] == 0
    assert independent_differences(root, final) == []
    assert [os.lstat(final / name).st_nlink for name in ("one", "two", "zzz")] == [1, 2, 1]
    assert update(root, final, compare=compare)[1].changed == 0


def test_a_single_file_is_updated(tmp_path):
    plant(tmp_path, {"source": os.urandom(4 * BLOCK), "place": {"final": b"old"}})
    assert update(tmp_path / "source", tmp_path / "place" / "final")[1] == Tallies(changed=1)
    assert (tmp_path / "place" / "final").read_bytes() == (tmp_path / "source").read_bytes()
    assert names(tmp_path / "place") == ["final"]


def test_nothing_that_an_earlier_attempt_staged_for_a_copy_gets_into_an_update(root, final):
    """At the first attempt nothing stood there yet."""
    zeros, changed = bytes(4 * BLOCK), os.urandom(BLOCK)
    (root / "large").write_bytes(zeros + changed)
    (final / "large").write_bytes(changed)
    os.truncate(final / "large", 0)
    os.truncate(final / "large", 5 * BLOCK)
    with Journal("") as journal:
        how = os.fsencode(final), TRANSFER, {"host": "beta"}
        with Staging.create(*how, journal, special=NAMES) as earlier, source(root) as (tree, ours):
            earlier.announce(list(tree.walk()))
            number = next(entry.number for entry in ours.entries() if entry.name == b"large")
            assert earlier.write(number, 1, 0, memoryview(os.urandom(4 * BLOCK)))
    with Journal("") as journal, UpdateStaging.take_over(*how, journal, special=NAMES, asked=Asked()) as staging:
        assert bring(root, staging, journal) == BLOCK
        settle.discard(staging, publish(staging))
    assert independent_differences(root, final) == []


def test_holes_stay_holes_in_what_is_held(root, final):
    for place in (root, final):
        with open(place / "sparse", "wb") as file:
            file.truncate(400 * BLOCK)
            file.seek(200 * BLOCK)
            file.write(b"middle" * BLOCK)
    with open(root / "sparse", "r+b") as file:
        file.write(b"beginning")
    os.utime(root / "sparse", (1, 1))
    assert update(root, final)[0] == BLOCK
    assert independent_differences(root, final) == []
    assert os.lstat(final / "sparse").st_blocks * 512 < 20 * BLOCK


# Kinds

CHANGES = {
    "a file for a directory": ("dir", b"a file now"),
    "a directory for a file": ("large", {"inside": b"inside"}),
    "a link for a file": ("small", "elsewhere"),
    "a file for a link": ("dir/link", b"a file now"),
    "a directory for a link": ("dir/link", {"inside": b"inside"}),
    "a link for a directory": ("dir", "elsewhere"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_kind_is_refused_unless_it_may_be_overwritten(root, final, change):
    name, what = CHANGES[change]
    run("rm", "-r", root / name)
    plant(root, {name: what})
    before = run("find", final, "-printf", "%p %y %T@ %C@\n")
    with pytest.raises(KindClash, match="remove them at the destination, or add overwrite=True"):
        update(root, final)
    assert run("find", final, "-printf", "%p %y %T@ %C@\n") == before
    update(root, final, overwrite=True)
    assert independent_differences(root, final) == []


KEPT = {
    "left out": {"deep": {"keep.me": b"k"}},
    "another transfer's": {"deep": {".salt-transfer-" + "ef" * 16: {"about.json": b"{}"}}},
}


@pytest.mark.parametrize("kept", KEPT)
def test_a_directory_with_something_in_it_that_stays_is_not_replaced(root, final, kept):
    plant(final, {"small-one": KEPT[kept]})
    plant(root, {"small-one": b"a file"})
    protected = {"protected": lambda path, _: path.endswith(b"keep.me")}
    with pytest.raises(KindClash, match="small-one is a directory there and a file .*, and in it is small-one/deep/"):
        update(root, final, overwrite=True, **protected)
    assert (final / "small-one" / "deep").is_dir() and names(final.parent) == ["final"]
    run("rm", "-r", final / "small-one" / "deep")
    plant(final, {"small-one": {"other": {"a": b"a"}}})
    update(root, final, overwrite=True, **protected)
    assert independent_differences(root, final) == []


def test_a_directory_that_became_a_link_out_of_the_tree_is_never_followed(root, final, tmp_path):
    plant(tmp_path, {"outside": {"deep": {"last": b"precious"}}})
    run("mv", final / "dir", tmp_path / "moved")
    os.symlink(tmp_path / "outside", final / "dir")
    with pytest.raises(KindClash):
        update(root, final)
    update(root, final, overwrite=True, delete=True)
    assert independent_differences(root, final) == []
    assert (tmp_path / "outside" / "deep" / "last").read_bytes() == b"precious"


def test_a_link_put_in_the_place_of_a_directory_after_planning_is_not_followed(root, final, tmp_path):
    plant(tmp_path, {"outside": {"deep": {"last": b"precious"}}})
    (root / "dir" / "deep" / "last").write_bytes(b"a new one")
    with standing(final) as (staging, journal):
        bring(root, staging, journal)
        intent = settle.intend(staging, "names")
        run("mv", final / "dir", tmp_path / "moved")
        os.symlink(tmp_path / "outside", final / "dir")
        with pytest.raises(PublishFailed, match="cannot put final/dir/deep/last"):
            settle.publish(staging, intent)
    assert (tmp_path / "outside" / "deep" / "last").read_bytes() == b"precious"


def test_a_root_that_was_exchanged_is_not_touched(root, final, tmp_path):
    (root / "small").write_bytes(b"new")
    with standing(final) as (staging, journal):
        bring(root, staging, journal)
        intent = settle.intend(staging, "names")
        run("mv", final, tmp_path / "moved")
        run("cp", "-a", tmp_path / "moved", final)
        with pytest.raises(PublishFailed, match="another directory than when the update was planned"):
            settle.publish(staging, intent)
    assert (final / "small").read_bytes() == b"small"


# What changes meanwhile


def test_a_kept_file_that_changes_meanwhile_is_noticed(root, final):
    with standing(final) as (staging, journal):
        original = staging.find_extras
        staging.find_extras = lambda: (original(), (final / "large").write_bytes(b"changed"))
        with pytest.raises(DestinationChanged, match="large changed while it was compared"):
            bring(root, staging, journal)


def test_what_comes_into_being_meanwhile_is_not_replaced(root, final):
    (root / "fresh").write_bytes(b"fresh")
    with standing(final) as (staging, journal):
        bring(root, staging, journal)
        (final / "fresh").write_bytes(b"mine")
        with pytest.raises(PublishFailed, match="cannot put final/fresh"):
            publish(staging)
    assert (final / "fresh").read_bytes() == b"mine"


# Deletion


def test_more_deletions_than_permitted_are_refused_and_nothing_changes(root, final):
    run("rm", "-r", root / "dir", root / "large")
    with pytest.raises(DeletionRefused, match="7 of the 11 .* among them large, dir/.* delete_limit=50% permits less"):
        update(root, final, delete=True)
    assert (final / "dir" / "deep" / "last").exists() and names(final.parent) == ["final"]
    assert update(root, final, delete=True, limit=Limit.read(7))[1].deleted == 7
    assert independent_differences(root, final) == []


def test_an_empty_source_deletes_nothing_by_default(root, final, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DeletionRefused):
        update(tmp_path / "nothing", final, delete=True)
    update(tmp_path / "nothing", final, delete=True, limit=Limit.read("100%"))
    assert names(final) == []


def test_what_is_protected_stays_with_all_that_holds_it(root, final):
    plant(final, {"old": {"a": b"a", "deep": {"keep.me": b"k", "b": b"b"}}, "keep.me": b"k"})
    tallies = update(root, final, delete=True, protected=lambda path, _: path.endswith(b"keep.me"))[1]
    assert tallies.deleted == 2
    assert names(final / "old") == ["deep"] and names(final / "old" / "deep") == ["keep.me"]
    assert (final / "keep.me").exists()


def test_links_to_be_deleted_are_not_followed(root, final, tmp_path):
    plant(tmp_path, {"outside": {"precious": b"precious"}})
    os.symlink(tmp_path / "outside", final / "way-out")
    assert update(root, final, delete=True)[1].deleted == 1
    assert (tmp_path / "outside" / "precious").exists() and not (final / "way-out").is_symlink()


@private_mounts
def mounted_case(root, final):
    tmpfs(final / "mounted", "size=1m")
    (final / "mounted" / "precious").write_bytes(b"precious")
    assert update(root, final, delete=True)[1].deleted == 0
    assert (final / "mounted" / "precious").exists()
    plant(root, {"mounted": {"new": b"new"}})
    with pytest.raises(PublishFailed, match="something is mounted at mounted"):
        update(root, final)


@pytest.mark.root
def test_what_is_mounted_in_the_destination_is_neither_deleted_nor_entered(root, final):
    mounted_case(root, final)


@private_mounts
def listed_mount_case(root, final, where):
    plant(root, {where: {}})
    tmpfs(final / where, "size=1m")
    plant(final / where, {"precious": b"precious", "deep": {"precious": b"precious"}})
    assert update(root, final, delete=True, limit=Limit.read("100%"))[1].deleted == 0
    assert (final / where / "precious").exists() and (final / where / "deep" / "precious").exists()


@pytest.mark.root
@pytest.mark.parametrize("where", ["mounted", "dir/none", "dir/deep/farther/down"])
def test_what_is_mounted_where_the_source_has_an_empty_directory_is_not_entered(root, final, where):
    listed_mount_case(root, final, where)


@private_mounts
def bound_case(root, final, elsewhere):
    plant(root, {"bound": {}})
    elsewhere.mkdir()
    plant(elsewhere, {"precious": b"precious"})
    (final / "bound").mkdir()
    run("mount", "--bind", elsewhere, final / "bound")
    assert update(root, final, delete=True)[1].deleted == 0
    assert (elsewhere / "precious").exists()


@pytest.mark.root
def test_a_directory_of_the_same_file_system_that_is_mounted_there_is_not_entered(root, final, tmp_path):
    bound_case(root, final, tmp_path / "elsewhere")


@private_mounts
def late_mount_case(root, final):
    plant(final, {"dir": {"old": b"old"}})
    with standing(final, delete=True) as (staging, journal):
        bring(root, staging, journal)
        intent = settle.intend(staging, "names")
        tmpfs(final / "dir", "size=1m")
        plant(final / "dir", {"old": b"precious"})
        with suppress(PublishFailed):
            settle.publish(staging, intent)
    assert (final / "dir" / "old").read_bytes() == b"precious"


@pytest.mark.root
def test_what_is_mounted_only_after_all_was_compared_is_not_entered_either(root, final):
    late_mount_case(root, final)


def test_a_socket_never_travels_and_so_is_never_deleted(root, final):
    plant(final, {"old": {"a": b"a"}})
    for place in (final / "server.sock", final / "old" / "server.sock"):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.fsencode(place))
    assert update(root, final, delete=True)[1].deleted == 1
    assert (final / "server.sock").exists() and names(final / "old") == ["server.sock"]


@private_mounts
def mounted_source_case(root, final, deleting, wanted):
    plant(final, {"mounted": {"precious": b"precious"}})
    tmpfs(root / "mounted", "size=1m")
    with source(root, whole=deleting) as (tree, _), wanted:
        list(tree.walk())


@pytest.mark.root
def test_what_the_source_does_not_enter_is_told_to_who_would_delete_it(root, final):
    sentence = "another file system is mounted at mounted .* delete=True .* exclude=/mounted"
    mounted_source_case(root, final, True, pytest.raises(DeletionRefused, match=sentence))
    mounted_source_case(root, final, False, nullcontext())


def test_another_transfers_staging_is_not_deleted(root, final):
    plant(final, {".salt-transfer-" + "ef" * 16: {"about.json": b"{}"}})
    assert update(root, final, delete=True)[1].deleted == 0


# Crashes


def states(place):
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if is_a_file(path)}


def is_a_file(path):
    return path.is_file() and not path.is_symlink()


def test_whatever_step_is_the_last_each_file_is_whole_and_recover_finishes(root, final, tmp_path):
    old = states(final)
    plant(root, {"new": {"a": b"a"}, "small": b"changed", "large": os.urandom(4 * BLOCK)})
    run("rm", "-r", root / "dir" / "none", root / "empty", root / "dir" / "link")
    plant(root / "dir", {"link": b"a file now"})
    new = states(root)
    run("mv", final, tmp_path / "kept")
    for last in range(30):
        run("cp", "-a", tmp_path / "kept", final)
        with standing(final, overwrite=True, delete=True) as (staging, journal):
            bring(root, staging, journal)
            intent = settle.intend(staging, "names")
            died = die_after(last, staging, intent)
            assert all(data in (old.get(path), new.get(path)) for path, data in states(final).items())
            assert settle.recover(staging, intent) is Found.PUBLISHED
        assert independent_differences(root, final) == []
        assert names(final.parent) == ["final"]
        run("rm", "-r", final)
        if not died:
            return
    pytest.fail("there were more steps than thought")


def die_after(last, staging, intent):
    """Take so many steps and no more; whether that was before the end."""

    class Died(Exception):
        pass

    left = iter(range(last))

    def step():
        if next(left, None) is None:
            raise Died

    try:
        settle.publish(staging, intent, step)
    except Died:
        return True
    return False


def test_a_directory_moved_aside_comes_back_when_nothing_can_take_its_place(root, final):
    run("rm", "-r", root / "dir")
    (root / "dir").write_bytes(b"a file now")
    with standing(final, overwrite=True) as (staging, journal):
        bring(root, staging, journal)
        intent = settle.intend(staging, "names")
        refuse_files_in(final)
        try:
            with pytest.raises(PublishFailed):
                settle.publish(staging, intent)
        finally:
            run("chattr", "-i", final)
    assert (final / "dir" / "deep" / "last").read_bytes() == b"last"


def refuse_files_in(final):
    try:
        run("chattr", "+i", final)
    except Exception:
        pytest.skip("this file system has no immutable flag")


def test_setuid_survives_a_changed_owner(root, final):
    (root / "small").chmod(0o4755)
    os.chown(root / "small", 7, 8)
    (root / "small").chmod(0o4755)
    update(root, final)
    assert stat.S_IMODE(os.lstat(final / "small").st_mode) == 0o4755
    assert independent_differences(root, final) == []
