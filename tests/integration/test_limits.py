"""What a destination's disk cannot hold: refused before anything begins, or in the middle ended cleanly, with figures.

The destination has a small file system of its own at /srv/small; what happens to it is seen by df, find and the kernel.
"""

import contextlib
import os
import re
from pathlib import Path

import pytest

from tests.support.copying import Copying, plant_random, slowed
from tests.support.runs import names, outcome, words

SMALL = "/srv/small"
MB = 1_000_000
DISK = 64
"""MiB."""


@pytest.fixture
def disk(beta):
    """A file system of DISK MiB at SMALL."""
    beta.mount_disk(SMALL, DISK)
    yield beta.path(SMALL)
    beta.run(["umount", SMALL], check=False)  # a test may have taken it away


@pytest.fixture
def few_inodes(beta):
    """A file system of 400 inodes at SMALL."""
    beta.run(["mkdir", SMALL])
    beta.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m,nr_inodes=400", "tmpfs", SMALL])
    yield beta.path(SMALL)
    beta.run(["umount", SMALL])


def free(machine, path=SMALL):
    """(bytes, inodes) that are free, as df sees it."""
    shown = machine.output("df", "--block-size=1", "--output=avail,iavail", path).splitlines()[-1]
    return tuple(map(int, shown.split()))


def plant_files(machine, path, count):
    """So many small files, in a directory."""
    machine.disk(path).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (machine.disk(path) / f"{number}").write_bytes(b"%d" % number)


def what_is_there(place):
    """The names in a file system, without what mkfs puts there."""
    return set(os.listdir(place)) - {"lost+found"}


# --- before -----------------------------------------------------------------------------------------------------------


def test_too_many_bytes_are_refused_with_the_figures_of_df(run, alpha, beta, disk):
    plant_random(alpha, "/srv/data/big", 70 * MB)
    done = run(src="alpha:/srv/data", dst=f"beta:{SMALL}/")
    assert (outcome(done), names(done)) == ((3, "refused"), {"no-space"})
    assert mebibytes(words(done))[0] == pytest.approx(free(beta)[0] / 2**20, abs=0.1)
    assert mebibytes(words(done))[1] == pytest.approx(70 * MB / 2**20, abs=0.1)
    assert what_is_there(disk) == set()


def mebibytes(text):
    return [float(figure) for figure in re.findall(r"([0-9.]+) MiB", text)]


@pytest.mark.slow
def test_too_many_bytes_and_too_many_inodes_are_refused_together(run, alpha, beta, few_inodes):
    plant_random(alpha, "/srv/data/big", 70 * MB)
    plant_files(alpha, "/srv/data", 500)
    done = run(src="alpha:/srv/data", dst=f"beta:{SMALL}/")
    assert (outcome(done), names(done)) == ((3, "refused"), {"no-space"})
    assert len(done.data["reasons"]) == 2
    assert f"{free(beta)[1]} inodes free; this transfer needs 506" in words(done)
    assert what_is_there(few_inodes) == set()


# --- in the middle ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def copying_slowly(lab, beta, rate="48mbit", **options):
    """A copy of alpha's /srv/data that is in the middle."""
    ends = "alpha:/srv/data", f"beta:{SMALL}/"
    with slowed(beta, rate), Copying(lab, *ends, keep_partial=0, **options) as copying:
        copying.await_moving()
        yield copying


def test_a_disk_that_others_fill_ends_the_copy_with_figures_and_without_a_trace(clean_lab, alpha, beta, disk):
    plant_random(alpha, "/srv/data/big", 40 * MB)
    with copying_slowly(clean_lab, beta, "24mbit", reserve="4MiB") as copying:
        beta.run(["fallocate", "--length=30MiB", f"{SMALL}/of others"])
        done = copying.finish()
    assert (outcome(done), names(done)) == ((2, "failed"), {"no-space"})
    told = re.search(r"([0-9]+) bytes free; [0-9]+ more are needed and 4194304 stay in reserve", words(done))
    assert told and int(told[1]) >= 4 * 2**20
    assert what_is_there(disk) == {"of others"}


@pytest.mark.slow
def test_a_disk_on_which_others_leave_no_inodes_is_told_as_such(clean_lab, alpha, beta, few_inodes):
    plant_random(alpha, "/srv/data/00-first", 8 * MB)
    plant_files(alpha, "/srv/data", 300)
    with copying_slowly(clean_lab, beta, "6mbit") as copying:
        beta.run(["sh", "-c", f"seq -f '{SMALL}/of others %g' 250 | xargs -d '\\n' touch"])
        done = copying.finish()
    assert (outcome(done), names(done)) == ((2, "failed"), {"no-inodes"})
    assert re.search("[0-9]+ inodes (are )?free", words(done))
    assert len(what_is_there(few_inodes)) == 250


@pytest.mark.slow
def test_a_disk_that_turns_read_only_is_told_and_what_cannot_be_removed_too(clean_lab, run, alpha, beta, disk):
    plant_random(alpha, "/srv/data/big", 30 * MB)
    beta.run(["mount", "-o", "remount,errors=remount-ro", SMALL])
    with copying_slowly(clean_lab, beta) as copying:
        report_an_error_to(disk)
        done = copying.finish()
    assert (outcome(done), names(done)) == ((2, "failed"), {"disk-error"})
    assert "read-only" in words(done)
    assert what_is_there(disk) == {f".salt-transfer-{copying.transfer}"}
    assert "read-only" in str(done.data["destinations"]["beta"]["cleanup"]).lower()
    waiting = run("sweep", test=True).data["hosts"]["beta"]["found"]
    assert [each["what"] for each in waiting if each["transfer"] == copying.transfer] == ["old partial data"]
    beta.run(["umount", SMALL])
    assert run("sweep").returncode == 0, "with the disk, what was to be removed is gone"


def report_an_error_to(mounted):
    """Make the kernel believe that this ext4 is damaged."""
    device = os.stat(mounted).st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("planted by a test")
