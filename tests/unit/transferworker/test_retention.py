"""What is kept no longer: too old, or beyond its room, the oldest first; and what must stay."""

import os
import time

import pytest

from datamover.engine.outcome import Outcome
from datamover.errors import Stalled
from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import spec
from transferworker import resting, retention, verdicts
from transferworker.limits import Limits

FOREVER = 10**9
DAY = 86400
MIB = 1024 * 1024


@pytest.fixture
def runs(tmp_path):
    return RunDirs(tmp_path / "state")


@pytest.fixture
def ended(runs, tmp_path):
    """ended(name, age=..., size=..., rests=...): a failed run at a destination, with what is left of it."""

    def ended(name, age=0, size=0, rests=False, keep_partial=7 * DAY):
        srv = tmp_path / "srv"
        made = spec(transfer=name * 32, path=str(srv / name), settings__keep_partial=keep_partial)
        run = runs.establish(made)
        if rests:
            run.undo.register("staging")
            staging = srv / f".salt-transfer-{run.transfer}"
            staging.mkdir(parents=True)
            (staging / "data").write_bytes(b"x" * size)
        else:
            (run.path / "entries.db").write_bytes(b"x" * size)
        run.write("verdict", verdicts.verdict(made, Outcome(Stalled("nothing moved"))))
        for document in ("spec.json", "verdict.json"):
            moment = time.time() - age
            os.utime(run.path / document, (moment, moment))
        return run

    return ended


def what(found):
    return [(each.about["what"], each.about["transfer"][0]) for each in found]


def expired(runs, **limits):
    return what(retention.expired(runs, Limits(**{"keep_runs": FOREVER, **limits})))


def test_a_record_goes_when_its_time_is_over(runs, ended):
    ended("a", age=2 * DAY), ended("b")
    assert expired(runs, keep_runs=DAY) == [("old record", "a")]


def test_the_oldest_records_go_when_their_room_is_over(runs, ended):
    for name, age in (("a", 300), ("b", 200), ("c", 100)):
        ended(name, age, size=MIB)
    assert expired(runs, keep_runs_bytes=5 * MIB // 2) == [("old record", "a")]
    assert expired(runs, keep_runs_bytes=1) == [("old record", name) for name in "cba"]
    assert expired(runs) == []


def test_partial_data_goes_when_its_time_is_over(runs, ended):
    ended("a", age=8 * DAY, rests=True), ended("b", age=8 * DAY, rests=True, keep_partial=30 * DAY)
    assert expired(runs) == [("old partial data", "a")]


def test_the_oldest_partial_data_goes_when_its_room_is_over(runs, ended):
    for name, age in (("a", 300), ("b", 200), ("c", 100)):
        ended(name, age, size=MIB, rests=True)
    assert expired(runs, keep_partial_bytes=5 * MIB // 2) == [("old partial data", "a")]


def test_a_record_of_what_rests_is_no_old_record(runs, ended):
    run = ended("a", age=2 * DAY, rests=True)
    assert resting.rests(run) and expired(runs, keep_runs=DAY) == []


def test_what_rests_within_its_time_is_only_given_up_when_asked(runs, ended):
    ended("a", rests=True, size=MIB)
    (found,) = retention.partials(runs, Limits(FOREVER))
    assert (found.about["what"], found.removed) == ("partial data", None)
    assert found.about["bytes"] >= MIB and "transfer.resume " in found.about["advice"]
    (asked,) = retention.partials(runs, Limits(FOREVER), give_up=True)
    assert asked.removed is not None


def test_what_was_published_or_cancelled_does_not_rest(runs, ended):
    run = ended("a", rests=True)
    run.write("verdict", {**run.verdict, "result": "published"})
    assert not resting.rests(run)


def test_counting_does_not_follow_links_and_ends_in_time(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_bytes(b"x" * MIB)
    (tmp_path / "tree/loop").symlink_to("..")
    (tmp_path / "big").write_bytes(b"x" * 8 * MIB)
    assert MIB <= resting.disk_bytes(tmp_path / "tree") < 2 * MIB
    assert resting.disk_bytes(tmp_path / "tree", budget=0) == 0
    assert resting.disk_bytes(tmp_path / "nothing") == 0


def test_the_record_of_a_probe_goes_when_nobody_asks_after_it_any_more(runs, ended):
    for name, age in (("a", 30), ("b", 90)):
        run = ended(name, age)
        run.write("spec", {**run.spec, "stream": {"type": "probe", "seconds": 2, "bytes": 1}})
        moment = time.time() - age
        os.utime(run.path / "spec.json", (moment, moment))
    assert expired(runs) == [("old record", "b")]
