"""Taking up a run for a further attempt: refused in words, archived whole, harmless wherever it is interrupted."""

import os

import pytest

from datamover.engine.outcome import Outcome
from datamover.errors import Busy, Cancelled, DiskError, OutOfTurn, SpecMismatch
from datamover.host import documents, flock
from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import spec
from transferworker import attempts, undoing, verdicts

PATIENCE = 30


@pytest.fixture
def run(tmp_path):
    """A run whose first attempt failed."""
    run = RunDirs(tmp_path / "state").establish(spec(path=os.fspath(tmp_path / "data")))
    for name in ("answer", "roster"):
        run.write(f"attempts/1/{name}", {})
    run.write("state", {"phase": "moving"})
    for name in ("entries.db", "entries.db-wal", "entries.db-shm", "events.jsonl"):
        (run.path / name).write_text(f"{name} of attempt 1")
    run.write("verdict", verdict(run, DiskError("the disk is gone")))
    return run


def verdict(run, error=None):
    return verdicts.verdict(run.spec, Outcome(error))


def again(run, **changes):
    return {**run.spec, "attempt": run.spec["attempt"] + 1, **changes}


def take_up(run, **changes):
    asked = again(run, **changes)
    attempts.take_up(run, asked, PATIENCE)
    return asked


def test_everything_that_tells_of_an_attempt_is_archived(run):
    before, told = run.spec, run.verdict
    asked = take_up(run, peers=[{"host": "beta", "role": "source", "addresses": ["192.0.2.1"]}])
    assert run.spec == asked
    assert run.read("attempts/1/spec") == before and run.read("attempts/1/verdict") == told
    assert sorted(os.listdir(run.path / "attempts" / "1")) == [
        "answer.json",
        "entries.db",
        "entries.db-wal",
        "events.jsonl",
        "roster.json",
        "spec.json",
        "state.json",
        "verdict.json",
    ]
    assert {*os.listdir(run.path)} <= {"attempts", "format", "spec.json", "lock", "undo.log"}


def test_the_same_spec_changes_nothing(run):
    before = sorted(os.listdir(run.path))
    attempts.take_up(run, run.spec, PATIENCE)
    assert sorted(os.listdir(run.path)) == before


@pytest.mark.parametrize("name", [*attempts.ARCHIVED, *attempts.JOURNAL])
def test_an_archiving_that_was_interrupted_is_completed(run, name, monkeypatch):
    def die(source, target):
        if os.path.basename(source) == name:
            raise KeyboardInterrupt
        os.replace(source, target)

    told = run.verdict
    for each in ("place", "intent"):
        run.write(each, {"real": "/"} if each == "place" else None)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(attempts.os, "rename", die)
        take_up(run)
    asked = take_up(run)
    assert run.spec == asked and run.read("attempts/1/verdict") == told


def test_the_journals_of_the_last_two_attempts_are_kept(run):
    for number in (2, 3, 4):
        take_up(run)
        (run.path / "entries.db").write_text(f"entries.db of attempt {number}")
        run.write("verdict", verdict(run, DiskError("again")))
    take_up(run)
    known = attempts.journals(run, 4)
    assert [path.exists() for path in known] == [True, True, False, False]
    assert known[0].read_text() == "entries.db of attempt 4"


def test_attempts_may_be_left_out(run):
    """One that was prepared at the other end only."""
    attempts.take_up(run, {**run.spec, "attempt": 5}, PATIENCE)
    assert run.spec["attempt"] == 5


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"path": "/etc"}, "path"),
        ({"settings": {**spec()["settings"], "digest": "blake3", "owners": "numbers"}}, "digest, owners"),
        ({"dataset": "f" * 32, "generation": 3}, "dataset, generation"),
    ],
)
def test_what_the_data_was_made_with_cannot_change(run, changes, named):
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    with pytest.raises(SpecMismatch, match=f"attempt 2 .* cannot have another {named} than attempt 1 had"):
        take_up(run, **changes)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_what_was_a_stream_may_come_as_the_tree_that_it_became(run):
    """Of a stream that broke nothing is kept, so nothing was made with it."""
    tree = run.spec
    stream = {"type": "decompress", "format": "gz", "expect": ""}
    run.write("spec", {**tree, "stream": stream, "settings": {**tree["settings"], "verify": "flight"}})
    with pytest.raises(SpecMismatch, match="cannot have another stream than"):
        take_up(run, stream={**stream, "format": "xz"})
    attempts.take_up(run, {**tree, "attempt": 2}, PATIENCE)
    assert "stream" not in run.spec


def test_what_may_change_may_change(run):
    for name in attempts.SETTINGS_THAT_MAY_CHANGE:
        assert name in run.spec["settings"]
    take_up(run, settings={**run.spec["settings"], "lease": 60, "streams": 3}, firewall={}, expect={}, version="9")


@pytest.mark.parametrize("attempt", [1, 2])
def test_an_attempt_that_somebody_else_has_taken_is_refused(run, attempt):
    take_up(run)
    with pytest.raises(OutOfTurn, match="is at attempt 2 on this host already"):
        attempts.take_up(run, {**run.spec, "attempt": attempt, "asked_by": {"user": "bob"}}, PATIENCE)
    assert run.spec["attempt"] == 2


def test_a_run_that_lives_is_left_alone(run):
    with flock.hold(run.lock), pytest.raises(Busy, match="attempt 1 of transfer .* still runs"):
        take_up(run)
    assert run.spec["attempt"] == 1


@pytest.mark.parametrize(
    ("error", "words"), [(None, "was published"), (Cancelled("by a test"), "was cancelled and kept nothing")]
)
def test_a_run_that_is_over_for_good_is_refused(run, error, words):
    run.write("verdict", verdict(run, error))
    with pytest.raises(OutOfTurn, match=words):
        take_up(run)
    assert run.spec["attempt"] == 1


def test_who_undoes_after_an_earlier_worker_leaves_a_later_attempt_alone(run):
    take_up(run)
    before = documents.digest(run.spec)
    assert undoing.undo_dead(run, PATIENCE, attempt=1)
    assert run.verdict is None and documents.digest(run.spec) == before
    assert undoing.undo_dead(run, PATIENCE, attempt=2)
    assert run.verdict["error"]["name"] == "worker-died"
