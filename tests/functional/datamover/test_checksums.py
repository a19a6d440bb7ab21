"""Checksum files, written for and read from the usual tools."""

import os
import shutil
import subprocess

import pytest

from datamover import digests
from datamover.disk import checksums
from datamover.disk.safepath import encode_path
from datamover.errors import SourceChanged, SourceUnreadable
from tests.functional.datamover.places import plant, run
from tests.functional.datamover.test_copy import HOSTILE

TOOLS = {"sha256": "sha256sum", "blake3": "b3sum"}


@pytest.fixture
def root(tmp_path):
    tree = {name: b"in " + name for name in [*HOSTILE, b"-"]} | {
        "dir": {"a": b"1", "empty": b"", "none": {}},
        "link": "dir/a",
    }
    root = plant(tmp_path, {"root": tree}) / "root"
    os.link(root / "dir" / "a", root / "hard link")
    os.mkfifo(root / "fifo")
    return root


def found(manifest, root, algorithm="sha256"):
    troubles = checksums.verify_manifest(manifest, root, algorithm)
    assert sum(troubles.counts.values()) == len(troubles.shown) and not troubles.more
    return {(trouble["path"], trouble["what"]) for trouble in troubles.shown}


def test_a_manifest_is_checked_by_coreutils(root, tmp_path):
    count = checksums.write_manifest(root, tmp_path / "sums", "sha256")
    checked = run("sha256sum", "--strict", "-c", tmp_path / "sums", cwd=root)
    assert count == len(HOSTILE) + 4 == checked.count(b": OK\n")


@pytest.mark.skipif("blake3" not in digests.available() or not shutil.which("b3sum"), reason="needs blake3 and b3sum")
def test_a_manifest_is_checked_by_b3sum(root, tmp_path):
    """b3sum takes no names that are not UTF-8; all others it must take."""
    (root / os.fsdecode(b"\xff\xfe not utf-8")).unlink()
    count = checksums.write_manifest(root, tmp_path / "sums", "blake3")
    assert run("b3sum", "-c", tmp_path / "sums", cwd=root).count(b": OK\n") == count


def test_we_check_what_coreutils_wrote(root, tmp_path):
    names = run("find", ".", "-type", "f", "-print0", cwd=root)
    sums = run("xargs", "-0", "sha256sum", "--", input=names, cwd=root)
    (tmp_path / "sums").write_bytes(sums)
    assert found(tmp_path / "sums", root) == set()
    assert sums.count(b"\n") == len(HOSTILE) + 4


@pytest.mark.parametrize("algorithm", digests.available())
def test_our_own_manifest_is_true(root, tmp_path, algorithm):
    checksums.write_manifest(root, tmp_path / "sums", algorithm)
    assert not checksums.verify_manifest(tmp_path / "sums", root, algorithm, extra=True)


def test_every_untrue_line_is_reported(root, tmp_path):
    checksums.write_manifest(root, tmp_path / "sums", "sha256")
    (root / "-rf").write_bytes(b"spoiled")
    (root / "~").unlink()
    (root / "dir" / "a").unlink()
    (root / "dir" / "a").mkdir()
    (root / "#").unlink()
    os.mkfifo(root / "#")
    assert found(tmp_path / "sums", root) == {
        ("-rf", "content"),
        ("~", "missing"),
        ("dir/a", "unreadable"),
        ("#", "unreadable"),
    }


def test_files_that_no_line_names_are_reported_when_asked(root, tmp_path):
    checksums.write_manifest(root, tmp_path / "sums", "sha256")
    (root / "dir" / "new").write_bytes(b"")
    assert found(tmp_path / "sums", root) == set()
    troubles = checksums.verify_manifest(tmp_path / "sums", root, extra=True)
    assert [(each["path"], each["what"]) for each in troubles.shown] == [("dir/new", "extra")]


def test_lines_that_are_none_or_lead_outside_are_reported_and_not_followed(root, tmp_path):
    digest = b"0" * 64
    shutil.rmtree(root / "dir")
    (root / "dir").symlink_to("/etc")
    names = [b"../sums", b"/etc/passwd", b"dir/passwd", b"dir/../../sums", b"link"]
    (tmp_path / "sums").write_bytes(b"# a comment\nno line\n" + b"".join(digest + b"  %s\n" % name for name in names))
    assert found(tmp_path / "sums", root) == {
        ("no line", "unusable"), ("../sums", "unusable"), ("/etc/passwd", "unusable"), ("dir/../../sums", "unusable"),
        ("dir/passwd", "unreadable"), ("link", "unreadable"),
    }  # fmt: skip


def test_a_file_has_its_own_digest_and_a_tree_that_of_its_lines(root, tmp_path):
    path = root / "-rf"
    assert checksums.digest(path, "sha256").encode() == run("sha256sum", path)[:64]
    checksums.write_manifest(root, tmp_path / "sums", "sha256")
    assert checksums.digest(root, "sha256").encode() == run("sha256sum", tmp_path / "sums")[:64]


def test_a_single_files_manifest_is_checked_beside_it(root, tmp_path):
    assert checksums.write_manifest(root / "-rf", tmp_path / "sums", "sha256") == 1
    assert run("sha256sum", "-c", tmp_path / "sums", cwd=root) == b"-rf: OK\n"


def test_a_large_sparse_file_is_digested_as_its_bytes(tmp_path):
    with open(tmp_path / "sparse", "wb") as out:
        out.truncate(100_000_000)
        out.seek(50_000_000)
        out.write(b"island")
    assert checksums.digest(tmp_path / "sparse", "sha256").encode() == run("sha256sum", tmp_path / "sparse")[:64]


def test_a_link_is_not_followed(root):
    with pytest.raises(SourceUnreadable, match="is a symbolic link"):
        checksums.digest(root / "link", "sha256")


def test_a_file_that_never_rests_is_named(root, monkeypatch):
    monkeypatch.setattr("datamover.disk.tree.SourceFile.unchanged", lambda self: False)
    with pytest.raises(SourceChanged, match="-rf changed 3 times while it was read"):
        checksums.digest(root / "-rf", "sha256")


def test_equal_trees_have_no_differences(root, tmp_path):
    run("cp", "-a", root, tmp_path / "copy")
    assert checksums.compare(root, tmp_path / "copy") == []


def test_each_difference_of_two_trees_is_named(root, tmp_path):
    copy = tmp_path / "copy"
    run("cp", "-a", root, copy)
    (copy / "only there").write_bytes(b"")
    (copy / "~").unlink()
    (copy / "dir" / "empty").chmod(0o600)
    (copy / "link").unlink()
    (copy / "link").symlink_to("elsewhere")
    stat = (copy / "-rf").stat()
    (copy / "-rf").write_bytes(b"IN -RF")
    os.utime(copy / "-rf", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    os.setxattr(copy / "#", "user.note", b"\xff")
    stat = (copy / "dir").stat()
    differences = {(each["path"], each["what"]): (each["one"], each["other"]) for each in checksums.compare(root, copy)}
    differences.pop(("", "mtime_ns"))
    whole = {name: run("sha256sum", tree / "-rf")[:64].decode() for name, tree in (("one", root), ("other", copy))}
    assert differences.pop(("-rf", "content")) == _blake_or(whole, root, copy)
    assert differences == {
        ("only there", "exists"): (None, "file"),
        ("~", "exists"): ("file", None),
        ("dir/empty", "mode"): (0o644, 0o600),
        ("link", "target"): ("dir/a", "elsewhere"),
        ("#", "xattrs"): ({}, {"user.note": encode_path(b"\xff")}),
    }


def _blake_or(whole, root, copy):
    algorithm = digests.available()[0]
    return tuple(checksums.digest(tree / "-rf", algorithm) for tree in (root, copy))


def test_two_files_are_compared_as_such(root, tmp_path):
    run("cp", "-p", root / "-rf", tmp_path / "other name")
    assert checksums.compare(root / "-rf", tmp_path / "other name") == []
    assert subprocess.run(["cmp", root / "-rf", tmp_path / "other name"], check=False).returncode == 0
