"""A tree goes through both disk edges and arrives equal, as rsync and coreutils see it, who are not ours."""

import os
import socket
import stat
import subprocess

import pytest

from datamover.disk import publish
from datamover.disk.special import NAMES
from datamover.disk.staging import DATA
from datamover.errors import SpecialRefused
from datamover.manifest import Kind
from tests.functional.datamover.places import (
    TRANSFER,
    copy,
    destination,
    ext4,
    independent_differences,
    plant,
    private_mounts,
    run,
    source,
    tmpfs,
)

HOSTILE = [
    b"new\nline",
    b"quote'\"`",
    b"$(reboot)",
    b"-rf",
    b"--help",
    b" leading and trailing ",
    b"back\\slash",
    b"return\r",
    b"\xff\xfe not utf-8",
    b"\x1b[31mred",
    b"*?[x]",
    b"...",
    b"a:b",
    b"%41",
    b"~",
    b"#",
    b"x" * 255,
]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def final(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "final"


def staged(final):
    return final.parent / f".salt-transfer-{TRANSFER}" / os.fsdecode(DATA)


def assert_arrives_equal(root, final, **options):
    """Copy and compare by every means; gives the report."""
    with destination(final, special=NAMES) as (staging, received):
        copied = copy(root, staging, received, **options)
        assert copied.roots_equal and copied.differences == []
        assert independent_differences(root, staged(final)) == []
    return copied


def test_files_directories_and_links(root, final):
    plant(
        root,
        {"a": b"1", "empty": b"", "dir": {"b": b"x" * 100_000, "none": {}}, "link": "dir/b", "dangling": "/nowhere"},
    )
    assert_arrives_equal(root, final)


def test_hostile_names_arrive_byte_for_byte(root, final):
    plant(root, {name: b"in " + name for name in HOSTILE} | {b"d" + name[:200]: {name: b""} for name in HOSTILE})
    plant(root, {b"l" + name[:200]: os.fsdecode(name) for name in HOSTILE})
    assert_arrives_equal(root, final)


def test_a_tree_deeper_than_any_path(root, final):
    """60 levels of 200 bytes: 12,000 bytes, three times what a path may have. No tool of others can look at that."""
    name, depth = b"d" * 200, 60
    directory = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=directory)
        below = os.open(name, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(os.open(b"bottom", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)
    with destination(final, special=NAMES) as (staging, received):
        copied = copy(root, staging, received)
        assert copied.roots_equal and copied.differences == []
        bottom = max(received.entries(), key=lambda entry: entry.number)
        assert received.path(bottom.number) == (name + b"/") * depth + b"bottom"


def test_hard_links_of_every_kind_stay_links(root, final):
    plant(root, {"file": b"shared", "dir": {}, "link": "target"})
    os.mkfifo(root / "fifo")
    for name in ("file", "link", "fifo"):
        os.link(root / name, root / "dir" / name, follow_symlinks=False)
    os.link(root / "file", root / "dir" / "third")
    assert_arrives_equal(root, final)


def test_modes_times_and_directories_without_write_permission(root, final):
    plant(root, {"closed": {"inside": {"file": b"1"}}, "sticky": {}, "setgid": {"f": b""}, "secret": b"s"})
    for name, mode in (
        ("closed/inside", 0o111),
        ("closed", 0o555),
        ("sticky", 0o1777),
        ("setgid", 0o2775),
        ("secret", 0o000),
    ):
        os.chmod(root / name, mode)
    os.symlink("x", root / "link")
    for name, when in (
        ("link", 1),
        ("closed", -1),
        ("secret", 2**33 * 10**9 + 7),
        ("setgid", 1_234_567_890_123_456_789),
    ):
        os.utime(root / name, ns=(when, when), follow_symlinks=False)
    assert_arrives_equal(root, final)


def test_the_root_itself_keeps_its_mode_and_time(root, final):
    plant(root, {"f": b"1"})
    root.chmod(0o2750)
    os.utime(root, ns=(5, 5))
    assert_arrives_equal(root, final)


def test_after_publishing_it_is_still_equal(root, final):
    plant(root, {"f": b"1", "dir": {"g": b"2"}})
    for name in ("dir", "."):
        os.utime(root / name, ns=(7, 7))
    with destination(final, special=NAMES) as (staging, received):
        copy(root, staging, received)
        publish.publish(staging, publish.intend(staging, overwrite=False))
        assert independent_differences(root, final) == []


def test_a_single_file_is_a_tree_of_one(tmp_path, final):
    plant(tmp_path, {"single": b"x" * 300_000})
    (tmp_path / "single").chmod(0o640)
    with destination(final, special=NAMES) as (staging, received):
        copied = copy(tmp_path / "single", staging, received)
        assert copied.roots_equal and copied.differences == []
        assert run("cmp", tmp_path / "single", staged(final)) == b""
        assert [entry.kind for entry in received.entries()] == [Kind.FILE]


@pytest.mark.root
def test_owners_setuid_and_capabilities(root, final):
    plant(root, {"suid": b"1", "sgid": b"2", "cap": b"3", "both": b"4" * 100_000, "link": "x", "dir": {}})
    for name in ("suid", "cap", "both", "link", "dir"):
        os.chown(root / name, 1234, 2345, follow_symlinks=False)
    os.chmod(root / "suid", 0o4755)
    os.chmod(root / "sgid", 0o2755)
    os.chmod(root / "both", 0o6755)
    for name in ("cap", "both"):
        run("setcap", "cap_net_raw,cap_dac_override+ep", root / name)
    assert_arrives_equal(root, final)


@pytest.mark.root
def test_attributes_and_acls_of_files_directories_and_links(root, final):
    plant(root, {"file": b"1", "big": b"2" * 100_000, "dir": {"inherits": b"3"}, "link": "file"})
    for name in ("file", "big", "dir"):
        os.setxattr(root / name, "user.note", b"with \0 and \xff")
        os.setxattr(root / name, "trusted.note", b"")
    os.setxattr(root / "link", "trusted.note", b"on the link", follow_symlinks=False)
    run("setfacl", "-m", "u:1000:rwx,g:2000:r--,m::r-x", root / "file")
    run("setfacl", "-m", "u:0:r--", root / "big")
    run("setfacl", "-m", "u:1000:rwx,d:u:1001:rw-,d:g::r-x", root / "dir")
    assert_arrives_equal(root, final)


@pytest.mark.root
def test_nothing_is_inherited_from_where_the_copy_is_put(root, final):
    """A setgid parent with a default ACL gives both to all that is made in it: but not to ours."""
    run("setfacl", "-m", "u:1000:rwx,d:u:1001:rwx,d:m::rwx", final.parent)
    os.chown(final.parent, 0, 4242)
    final.parent.chmod(0o2777)
    plant(root, {"file": b"1", "big": b"2" * 100_000, "dir": {"f": b"3"}, "link": "file"})
    assert_arrives_equal(root, final)


@pytest.mark.root
@private_mounts
def test_a_file_system_that_hands_down_groups_does_not_hand_them_to_us(tmp_path):
    """Mounted with grpid, every new file gets the group of its directory."""
    place = ext4(tmp_path / "fs", tmp_path / "image", 64)
    run("mount", "-o", "remount,grpid", place)
    os.chown(place, 0, 4242)
    root = plant(tmp_path, {"source": {"a": b"1", "d": {"b": b"2" * 100_000}, "l": "a"}}) / "source"
    assert_arrives_equal(root, place / "final")


@pytest.mark.root
def test_fifos_and_devices(root, final):
    os.mkfifo(root / "fifo", 0o622)
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root / "disk", stat.S_IFBLK | 0o660, os.makedev(259, 70_000))
    os.chown(root / "null", 5, 6)
    os.utime(root / "fifo", ns=(7, 7))
    assert_arrives_equal(root, final)


def test_sockets_are_named_and_left_out(root, final):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        plant(root, {"file": b"1"})
        with destination(final, special=NAMES) as (staging, received):
            copied = copy(root, staging, received)
            assert copied.roots_equal and copied.skipped == [(b"socket", "a socket cannot travel")]
            assert os.listdir(staged(final)) == ["file"]


@pytest.mark.root
def test_special_files_are_refused_together_and_by_name(root):
    plant(root, {"dir": {"suid": b"1", "plain": b"2"}, "cap": b"3", "late": b"4"})
    os.chmod(root / "dir" / "suid", 0o4755)
    run("setcap", "cap_net_raw+ep", root / "cap")
    os.mkfifo(root / "fifo")
    os.mknod(root / "null", stat.S_IFCHR, os.makedev(1, 3))
    with source(root, special=()) as (tree, _), pytest.raises(SpecialRefused) as caught:
        list(tree.walk())
    for words in ("setuid: 1 (dir/suid)", "capabilities: 1 (cap)", "fifos: 1 (fifo)", "devices: 1 (null)"):
        assert words in caught.value.text


@pytest.mark.root
@pytest.mark.parametrize("missing", NAMES)
def test_each_special_kind_has_its_own_permission(root, missing):
    plant(root, {"suid": b"1", "cap": b"3"})
    os.chmod(root / "suid", 0o4755)
    run("setcap", "cap_net_raw+ep", root / "cap")
    os.mkfifo(root / "fifo")
    os.mknod(root / "null", stat.S_IFCHR, os.makedev(1, 3))
    with source(root, special=set(NAMES) - {missing}) as (tree, _), pytest.raises(SpecialRefused) as caught:
        list(tree.walk())
    assert caught.value.evidence["counts"] == {missing: 1}


@pytest.mark.root
@private_mounts
def test_another_file_system_below_the_root_is_named_and_not_entered(tmp_path):
    root = plant(tmp_path, {"source": {"before": b"1", "mounted": {}, "zafter": b"2"}}) / "source"
    plant(tmpfs(root / "mounted", "size=1m"), {"other": b"not ours"})
    with source(root) as (tree, journal):
        names = [journal.path(entry.number) for entry in tree.walk()]
        assert names == [b"", b"before", b"mounted", b"zafter"]
        assert tree.skipped.shown == [
            (b"mounted", "another file system is mounted here; it travels as an empty directory")
        ]


@pytest.mark.root
@private_mounts
@pytest.mark.parametrize("kind", ["ext4", "ext4-old", "tmpfs"])
def test_other_file_systems_hold_a_tree_too(tmp_path, kind):
    """An ext4 with small inodes keeps times by the second: that is noticed and allowed for."""
    place = {
        "ext4": lambda: ext4(tmp_path / "fs", tmp_path / "image", 64),
        "ext4-old": lambda: ext4(tmp_path / "fs", tmp_path / "image", 64, "-I", "128"),
        "tmpfs": lambda: tmpfs(tmp_path / "fs", "size=64m"),
    }[kind]()
    root = plant(tmp_path, {"source": {"a": b"1" * 300_000, "d": {"b": b"2"}, "l": "d"}}) / "source"
    os.chmod(root / "a", 0o4711)
    with destination(place / "final", special=NAMES) as (staging, received):
        copied = copy(root, staging, received)
        assert copied.roots_equal and copied.differences == []
        assert staging.granularity == (1_000_000_000 if kind == "ext4-old" else 1)


def test_the_source_is_not_touched_not_even_its_access_times(root, final):
    plant(root, {"file": b"1" * 100_000, "dir": {"f": b"2"}})
    for name in ("file", "dir/f", "dir", "."):
        os.utime(root / name, ns=(1, 1))
    before = run("find", root, "-printf", "%p %A@ %T@ %C@ %i %m\n")
    with destination(final, special=NAMES) as (staging, received):
        copy(root, staging, received)
    files = run("find", root, "-type", "f", "-printf", "%p %A@ %T@ %C@ %i %m\n").splitlines()
    assert set(files) <= set(before.splitlines())


def test_what_the_journal_exports_is_what_coreutils_and_b3sum_check(root, final, tmp_path):
    plant(
        root,
        {name: b"in " + name for name in [*HOSTILE, b"-"]}
        | {b"d": {name: name * 9 for name in HOSTILE}, b"big": b"x" * 10**7},
    )
    os.link(root / "big", root / "big too")
    with destination(final, special=NAMES) as (staging, received):
        copy(root, staging, received)
        count = received.export_sums(tmp_path / "sums")
        checked = run("sha256sum", "--strict", "-c", tmp_path / "sums", cwd=staged(final))
        assert count == len(HOSTILE) * 2 + 3 and checked.count(b": OK\n") == count
        (staged(final) / "big").write_bytes(b"y")
        spoiled = subprocess.run(
            ["sha256sum", "-c", tmp_path / "sums"], cwd=staged(final), capture_output=True, check=False
        )
        assert spoiled.returncode == 1 and b"big: FAILED" in spoiled.stdout
