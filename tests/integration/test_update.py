"""`salt-run transfer.copy update=True` between real minions: what differs moves, a second run moves nothing."""

import os

import pytest

from tests.functional.datamover.places import plant
from tests.support.runs import assert_ok, differences, names, plant_at

LARGE = 40_000_000


def copied(run):
    assert_ok(run(src="alpha:/srv/data", dst="beta:/srv/"))


def updated(run, **options):
    """Update; what the destination tells of it."""
    done = run(src="alpha:/srv/data", dst="beta:/srv/", update=True, **options)
    assert_ok(done)
    return done.data["destinations"]["beta"], done.data["receipt"]


def test_an_update_brings_over_what_differs_and_the_next_one_nothing(run, alpha, beta):
    tree = plant_at(alpha, "/srv/data", {"large": os.urandom(LARGE), "same": b"same", "dir": {"gone": b"gone"}})
    copied(run)
    with open(tree / "large", "r+b") as large:
        large.seek(LARGE // 2)
        large.write(b"changed")
    (tree / "dir" / "gone").unlink()
    plant(tree, {"new": b"new"})
    told, receipt = updated(run, delete=True)
    assert (told["created"], told["deleted"], receipt["trusted"]) == (1, 1, 1)
    assert told["changed"] == 3  # the file, and the two directories whose times are others now
    assert told["moved_bytes"] < LARGE // 4
    assert differences(alpha, beta) == []
    told, receipt = updated(run, delete=True, compare="digest")
    assert (told["created"], told["changed"], told["deleted"], told["moved_bytes"]) == (0, 0, 0, 0)
    assert receipt["trusted"] == 0 and receipt["proved"]


@pytest.mark.slow
def test_an_update_that_would_delete_too_much_is_refused_and_tells_beforehand(run, alpha, beta):
    tree = plant_at(alpha, "/srv/data", {str(number): b"x" for number in range(20)})
    copied(run)
    for number in range(18):
        (tree / str(number)).unlink()
    refused = run(src="alpha:/srv/data", dst="beta:/srv/", update=True, delete=True)
    assert (refused.returncode, names(refused)) == (3, {"deletion-limit"})
    assert len(os.listdir(beta.disk("/srv/data"))) == 20
    assert updated(run, delete=True, delete_limit="100%")[0]["deleted"] == 18
    assert differences(alpha, beta) == []


@pytest.mark.slow
def test_an_update_of_nothing_is_a_plain_copy_and_delete_alone_is_refused(run, alpha, beta):
    plant_at(alpha, "/srv/data", {"file": b"file"})
    assert names(run(src="alpha:/srv/data", dst="beta:/srv/", delete=True)) == {"bad-option"}
    updated(run)
    assert differences(alpha, beta) == []
