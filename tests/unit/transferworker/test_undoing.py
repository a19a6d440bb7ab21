"""What is done after a dead worker, at every moment in which it may have died. Real files, real renames."""

import os
from pathlib import Path

import pytest

from datamover.disk import publish, settle
from datamover.disk.journal import Journal
from datamover.disk.staging import Staging
from datamover.disk.steps import Writer
from datamover.disk.update import UpdateStaging
from datamover.engine.outcome import Outcome
from datamover.errors import DiskError
from datamover.host import flock
from datamover.host.register import Need, Place, Register
from datamover.host.rundir import RunDirs
from datamover.host.trail import Trail
from tests.unit.transferworker.samples import spec
from transferworker import undoing, verdicts


@pytest.fixture
def srv(tmp_path):
    path = tmp_path / "srv"
    path.mkdir()
    return path


class Dying:
    """A destination's worker that does its steps and then is no more."""

    def __init__(self, home, srv, **settings):
        self.state_dir = home / "state"
        self.final = os.fsencode(srv / "data")
        changes = {f"settings__{name}": value for name, value in settings.items()}
        self.run = RunDirs(self.state_dir).establish(spec(path=os.fsdecode(self.final), **changes))
        self._held = flock.hold(self.run.lock)
        self.run.undo.register("place")
        Register(self.state_dir).claim(self.run, Place.of(self.final), Need(1, 1))

    def stage(self):
        self.run.undo.register("staging")
        journal = Journal(":memory:")
        self.staging = Staging.create(self.final, self.run.transfer, {"attempt": 1}, journal, special=())
        os.mkdir(b"data", 0o755, dir_fd=self.staging.anchor)
        return self

    def intend(self):
        self.intent = publish.intend(self.staging, overwrite=True)
        self.verdict = verdicts.verdict(self.run.spec, Outcome(root=b"\1" * 32, files=7))
        self.run.write("intent", {"publish": self.intent.as_dict(), "verdict": self.verdict})
        return self

    def publish(self):
        publish.publish(self.staging, self.intent)
        return self

    def conclude(self):
        self.run.write("verdict", self.verdict)
        return self

    def die(self):
        self._held.release()
        return self.run


class DyingUpdate(Dying):
    """The same of an update, which keeps what arrived."""

    def __init__(self, home, srv):
        super().__init__(home, srv, update=True, in_place=True, keep_partial=3600)

    def stage(self, *names):
        self.run.undo.register("staging")
        self.staging = UpdateStaging.create(self.final, self.run.transfer, {}, Journal(":memory:"), special=())
        for name in names:
            (Path(os.fsdecode(self.staging.path)) / "changes" / name).write_bytes(b"new")
        return self

    def intend(self):
        with Writer(self.staging.anchor):
            self.intent = settle.intend(self.staging, "names")
        self.verdict = verdicts.verdict(self.run.spec, Outcome(root=b"\1" * 32, files=7))
        self.run.write("intent", {"publish": self.intent.as_dict(), "verdict": self.verdict})
        return self


@pytest.fixture
def dying(tmp_path, srv):
    return Dying(tmp_path, srv)


@pytest.fixture
def updating(tmp_path, srv):
    (srv / "data").mkdir()
    return DyingUpdate(tmp_path, srv)


def nothing_left(run, srv, left=()):
    assert sorted(os.listdir(srv)) == sorted(left)
    assert run.undo.pending() == []
    assert Register(run.path.parents[1]).void() == []


def test_one_that_lives_is_left_alone(dying):
    dying.stage()
    assert not undoing.undo_dead(dying.run, patience=0)
    assert dying.run.verdict is None and len(dying.run.undo.pending()) == 2


def test_death_before_the_intent_removes_the_staging(dying, srv):
    run = dying.stage().die()
    assert undoing.undo_dead(run)
    assert (run.verdict["result"], run.verdict["error"]["name"]) == ("failed", "worker-died")
    assert run.verdict["error"]["retryable"]
    nothing_left(run, srv)


def test_death_between_registration_and_change_is_no_trouble(dying, srv):
    dying.run.undo.register("staging")
    run = dying.die()
    undoing.undo_dead(run)
    assert run.verdict["cleanup"] == []
    nothing_left(run, srv)


def test_death_between_intent_and_rename_removes_the_staging(dying, srv):
    run = dying.stage().intend().die()
    undoing.undo_dead(run)
    assert run.verdict["error"]["name"] == "worker-died"
    nothing_left(run, srv)


def test_death_between_rename_and_verdict_is_a_success_with_its_figures(dying, srv):
    run = dying.stage().intend().publish().die()
    undoing.undo_dead(run)
    assert (run.verdict["result"], run.verdict["error"]) == ("published", None)
    assert run.verdict["root"] == "01" * 32 and run.verdict["files"] == 7
    assert "after it was published" in run.verdict["cleanup"][0]
    nothing_left(run, srv, ["data"])


def test_death_after_the_verdict_only_tidies(dying, srv):
    run = dying.stage().intend().publish().conclude().die()
    undoing.undo_dead(run)
    assert run.verdict == dying.verdict
    nothing_left(run, srv, ["data"])


def test_what_an_update_had_staged_is_kept(updating, srv):
    run = updating.stage("something").die()
    undoing.undo_dead(run)
    assert run.verdict["result"] == "failed"
    assert [change.what for change in run.undo.pending()] == ["staging"]
    assert (srv / f".salt-transfer-{run.transfer}" / "changes" / "something").exists()


def test_an_update_that_had_staged_nothing_leaves_nothing(updating, srv):
    run = updating.stage().die()
    undoing.undo_dead(run)
    nothing_left(run, srv, ["data"])


def test_nothing_is_kept_of_an_update_that_could_not_be_put_in_place(updating, srv):
    updating.stage("something").intend()
    os.rename(srv / "data", srv / "elsewhere")
    (srv / "data").mkdir()
    run = updating.die()
    undoing.undo_dead(run)
    assert run.verdict["result"] == "failed"
    nothing_left(run, srv, ["data", "elsewhere"])


def test_of_an_update_that_another_version_began_to_put_in_place_nothing_is_removed(updating, srv):
    """What it staged is found by other names here: nothing would be found, and all of it seem to be in place."""
    updating.stage("something").intend()
    intent = updating.run.read("intent")
    updating.run.write("intent", {**intent, "publish": {**intent["publish"], "how": "update"}})
    run = updating.die()
    undoing.undo_dead(run)
    assert run.verdict["result"] == "failed"
    assert "could not find out whether it was published" in run.verdict["cleanup"][0]
    assert (srv / f".salt-transfer-{run.transfer}" / "changes" / "something").exists()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_was_there_is_lost_only_once_the_new_is_published(dying, srv, moment):
    (srv / "data").mkdir()
    (srv / "data/old").touch()
    dying.stage().intend()
    if moment == "after":
        dying.publish()
    run = dying.die()
    undoing.undo_dead(run)
    assert os.listdir(srv / "data") == ([] if moment == "after" else ["old"])
    nothing_left(run, srv, ["data"])


def test_a_death_in_a_rename_of_two_steps_is_finished(dying, srv):
    (srv / "data").mkdir()
    (srv / "data/old").touch()
    dying.stage().intend()
    os.rename(srv / "data", b"old", dst_dir_fd=dying.staging.anchor)
    run = dying.die()
    undoing.undo_dead(run)
    assert run.verdict["result"] == "published"
    assert os.listdir(srv / "data") == []
    nothing_left(run, srv, ["data"])


def test_what_was_replaced_is_kept_when_the_new_was_moved_on_meanwhile(dying, srv):
    (srv / "data").mkdir()
    (srv / "data/old").touch()
    run = dying.stage().intend().publish().die()
    os.rename(srv / "data", srv / "moved on")
    undoing.undo_dead(run)
    assert run.verdict["result"] == "published"
    assert "holds what was there before; nothing is removed" in " ".join(run.verdict["cleanup"])
    assert os.listdir(os.path.join(dying.staging.path, b"data")) == [b"old"]
    os.rename(srv / "moved on", srv / "data")
    undoing.undo_dead(run)
    nothing_left(run, srv, ["data"])


def test_a_staging_directory_whose_data_was_lost_is_kept(dying, srv):
    run = dying.stage().intend().publish().die()
    os.rename(srv / "data", srv / "moved on")
    undoing.undo_dead(run)
    assert run.verdict["result"] == "failed"
    assert "neither staged nor under its final name" in " ".join(run.verdict["cleanup"])
    assert os.path.isdir(dying.staging.path)


def test_a_failure_after_the_rename_does_not_deny_what_is_published(dying, srv):
    run = dying.stage().intend().publish().run
    failed = verdicts.verdict(run.spec, Outcome(DiskError("no room for the verdict")))
    verdict = undoing.conclude(run, failed)
    assert (verdict["result"], verdict["error"]) == ("published", None)
    assert verdict["cleanup"] == ["after it was published: no room for the verdict"]
    nothing_left(run, srv, ["data"])


def test_while_it_is_unknown_whether_it_is_published_nothing_is_removed(dying, srv, monkeypatch):
    def fail(*_arguments):
        raise DiskError("cannot look")

    run = dying.stage().intend().publish().die()
    with monkeypatch.context() as patched:
        patched.setattr(publish, "recover", fail)
        undoing.undo_dead(run)
    assert run.verdict["result"] == "failed"
    assert any("cannot look" in sentence for sentence in run.verdict["cleanup"])
    assert [change.what for change in run.undo.pending()] == ["staging"]
    assert (srv / "data").exists()


@pytest.mark.parametrize("keep_partial", [0, 60])
def test_data_that_arrived_is_kept_when_asked(tmp_path, srv, keep_partial):
    run = Dying(tmp_path, srv, keep_partial=keep_partial).stage().die()
    undoing.undo_dead(run)
    assert bool(os.listdir(srv)) == bool(keep_partial)
    undoing.undo_dead(run, keep=False)
    nothing_left(run, srv)


def test_the_directory_that_held_the_place_may_be_gone(dying, srv):
    run = dying.stage().die()
    os.rename(srv, srv.with_name("moved"))
    undoing.undo_dead(run)
    assert run.verdict["cleanup"] == [] and run.undo.pending() == []


def test_what_was_published_before_its_worker_died_is_not_given_up(dying, srv):
    run = dying.stage().intend().publish().die()
    assert undoing.give_up(run, "a test")
    assert run.verdict is None and run.read("given-up") is None
    undoing.undo_dead(run)
    assert run.verdict["result"] == "published"
    nothing_left(run, srv, ["data"])


def test_the_trail_tells_who_closed_the_pinhole_of_one_that_died_and_was_given_up(dying, monkeypatch):
    monkeypatch.setattr("transferworker.pinhole.close", lambda tag: None)
    dying.run.undo.register("pinhole", tag="salt-transfer:x:1")
    run = dying.stage().die()
    undoing.give_up(run, "a test")
    lines = list(Trail(run.path.parents[1]).read())
    assert [(line["what"], line["by"]) for line in lines] == [
        ("pinhole closed", "who undid after the worker"),
        ("given up", "a test"),
    ]


def no_space(*_arguments):
    raise OSError(28, "No space left on device")


@pytest.fixture
def closed(dying, monkeypatch):
    """What was closed of the one pinhole that `dying` has registered."""
    closed = []
    monkeypatch.setattr("transferworker.pinhole.close", lambda tag: closed.append(tag))
    dying.run.undo.register("pinhole", tag="salt-transfer:x:1")
    return closed


def test_a_full_disk_keeps_nothing_of_what_is_given_up_open(dying, srv, closed, monkeypatch):
    run = dying.stage().die()
    with monkeypatch.context() as full:
        full.setattr("datamover.host.documents.save", no_space)
        with pytest.raises(OSError, match="No space"):
            undoing.give_up(run, "a test")
    assert closed == ["salt-transfer:x:1"] and os.listdir(srv) == []


def test_what_cannot_be_undone_is_told_once_and_tried_again(dying, srv, monkeypatch):
    def fail(tag):
        raise DiskError(f"the firewall does not answer about {tag}")

    dying.run.undo.register("pinhole", tag="salt-transfer:x:1")
    run = dying.stage().die()
    with monkeypatch.context() as patched:
        patched.setattr("transferworker.pinhole.close", fail)
        undoing.undo_dead(run)
        undoing.undo_dead(run)
    assert len(run.verdict["cleanup"]) == 1 and "the firewall does not answer" in run.verdict["cleanup"][0]
    assert [change.what for change in run.undo.pending()] == ["pinhole"]
    assert os.listdir(srv) == []
    monkeypatch.setattr("transferworker.pinhole.close", lambda tag: None)
    undoing.undo_dead(run)
    assert run.undo.pending() == []


def test_undoing_again_changes_nothing(dying, srv):
    run = dying.stage().intend().publish().conclude().die()
    undoing.undo_dead(run)
    before = {path.name: path.stat().st_mtime_ns for path in run.path.iterdir()}
    undoing.undo_dead(run)
    assert {path.name: path.stat().st_mtime_ns for path in run.path.iterdir()} == before


def test_a_full_disk_keeps_nothing_open(dying, srv, closed, monkeypatch):
    run = dying.stage().run
    monkeypatch.setattr(run, "write", no_space)
    verdict = undoing.conclude(run, verdicts.verdict(run.spec, Outcome(DiskError("full"))))
    assert closed == ["salt-transfer:x:1"] and os.listdir(srv) == []
    assert "No space left on device" in verdict["cleanup"][0]


def test_a_disk_that_takes_no_byte_keeps_nothing_open_and_can_be_undone_again(dying, srv, closed, monkeypatch):
    run = dying.stage().run
    with monkeypatch.context() as full:
        full.setattr("datamover.host.documents.save", no_space)
        full.setattr("datamover.host.undo.UndoLog._append", no_space)
        undoing.conclude(run, verdicts.verdict(run.spec, Outcome(DiskError("full"))))
    assert closed == ["salt-transfer:x:1"] and os.listdir(srv) == []
    undoing.undo_dead(dying.die())
    nothing_left(run, srv)
