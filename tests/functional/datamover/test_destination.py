"""A first look at a destination, on real file systems."""

import os
import subprocess

import pytest

from datamover.disk import destination, survey
from datamover.disk.safepath import encode_path


@pytest.fixture
def place(tmp_path):
    return os.fsencode(tmp_path)


def test_nothing_there_yet(place):
    found = destination.survey(place + b"/new")
    assert (found["exists"], found["kind"], found["empty"], found["is_mount"]) == (False, None, False, False)
    assert (found["parent_exists"], found["parent_writable"], found["read_only"]) == (True, True, False)
    assert (found["parent"], found["nearest"]) == (encode_path(place), encode_path(place))


def test_a_missing_parent_is_told_with_the_nearest_directory(place):
    found = destination.survey(place + b"/a/b/new")
    assert (found["parent"], found["parent_exists"], found["parent_writable"]) == (
        encode_path(place + b"/a/b"),
        False,
        False,
    )
    assert found["nearest"] == encode_path(place)
    assert found["bytes_free"] > 0


@pytest.mark.parametrize("below", ["file/new", "file/a/b/new", "dangling/new"])
def test_what_is_no_directory_on_the_way_is_named(tmp_path, below):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    blocked = tmp_path / below.partition("/")[0]
    assert destination.survey(os.fsencode(tmp_path / below))["blocked_by"] == str(blocked)


def test_a_way_that_is_only_missing_is_not_blocked(place):
    assert destination.survey(place + b"/a/b/new")["blocked_by"] is None
    assert destination.survey(place + b"/new")["blocked_by"] is None


@pytest.mark.parametrize(("content", "empty"), [([], True), (["x"], False)])
def test_a_directory_is_empty_or_not(tmp_path, content, empty):
    (tmp_path / "d").mkdir()
    for name in content:
        (tmp_path / "d" / name).touch()
    found = destination.survey(os.fsencode(tmp_path / "d"))
    assert (found["exists"], found["kind"], found["empty"]) == (True, "directory", empty)


def test_a_file_and_a_link_to_nowhere_exist(tmp_path):
    (tmp_path / "f").touch()
    (tmp_path / "l").symlink_to("nowhere")
    assert destination.survey(os.fsencode(tmp_path / "f"))["kind"] == "file"
    assert destination.survey(os.fsencode(tmp_path / "l"))["kind"] == "symlink"


def test_a_parent_that_is_a_file_is_no_parent(tmp_path):
    (tmp_path / "f").touch()
    found = destination.survey(os.fsencode(tmp_path / "f" / "new"))
    assert (found["exists"], found["parent_exists"], found["parent_writable"]) == (False, False, False)
    assert found["nearest"] == str(tmp_path)


def test_links_above_the_final_name_are_resolved(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = destination.survey(os.fsencode(tmp_path / "link" / "new"))
    assert found["real"] == str(tmp_path / "real" / "new")


def test_any_name_can_be_told(place):
    assert destination.survey(place + b"/\xff%\n")["real"].endswith("/%FF%25%0A")


def test_figures_are_those_of_statvfs(place):
    found = destination.survey(place + b"/new")
    system = os.statvfs(place)
    assert found["bytes_total"] == system.f_blocks * system.f_frsize
    assert found["inodes_total"] == system.f_files
    assert found["device"] == os.stat(place).st_dev
    told = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", place], capture_output=True, text=True, check=True)
    assert found["fs_type"] == told.stdout.strip()


@pytest.fixture
def mounted(tmp_path):
    """Mount something in a fresh directory with an odd name; unmounted after the test."""
    point = tmp_path / "a mount\npoint"
    point.mkdir()

    def mount(*words):
        subprocess.run(["mount", *words, str(point)], check=True)
        return point

    yield mount
    subprocess.run(["umount", "--lazy", str(point)], check=False)


@pytest.mark.root
def test_a_mount_point_is_known_and_so_is_what_lies_in_it(mounted):
    point = mounted("-t", "tmpfs", "-o", "size=1m,nr_inodes=50", "none")
    found = destination.survey(os.fsencode(point))
    inside = destination.survey(os.fsencode(point / "new"))
    assert (found["is_mount"], inside["is_mount"]) == (True, False)
    assert (inside["fs_type"], inside["bytes_total"], inside["inodes_total"]) == ("tmpfs", 1 << 20, 50)
    assert inside["mount"] == encode_path(os.fsencode(point))


@pytest.mark.root
def test_a_directory_bound_elsewhere_on_the_same_file_system_is_a_mount_point(mounted, tmp_path):
    (tmp_path / "other").mkdir()
    point = mounted("--bind", str(tmp_path / "other"))
    assert destination.survey(os.fsencode(point))["is_mount"]


@pytest.mark.root
def test_root_cannot_write_what_is_read_only(mounted):
    point = mounted("-t", "tmpfs", "-o", "ro", "none")
    found = destination.survey(os.fsencode(point / "new"))
    assert (found["read_only"], found["parent_writable"]) == (True, False)


@pytest.mark.root
def test_the_inside_of_a_directory_that_is_bound_elsewhere_gives_itself_away(mounted, tmp_path):
    (tmp_path / "source" / "below").mkdir(parents=True)
    point = mounted("--bind", str(tmp_path / "source" / "below"))
    above = destination.survey(os.fsencode(point / "new"))["above"]
    assert survey.survey(os.fsencode(tmp_path / "source" / "below"), 1)["identity"] in above
    assert survey.survey(os.fsencode(tmp_path / "source"), 1)["identity"] not in destination.survey(b"/new")["above"]
