"""What the desk does of its own: old records, and ends of which only little is there. No worker is started."""

import pytest

from datamover.host import flock
from tests.unit.transferworker.samples import TRANSFER, spec
from transferworker.control import Refusal
from transferworker.desk import Desk
from transferworker.limits import Limits
from transferworker.policy import Policy


@pytest.fixture
def started(monkeypatch):
    """The runs whose worker was to be started, and whose unit was to be stopped."""
    calls = []
    monkeypatch.setattr("transferworker.launch.start", lambda run, _spec: calls.append(("start", run.transfer)))
    monkeypatch.setattr("transferworker.launch.stop", lambda run: calls.append(("stop", run.transfer)))
    return calls


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr("transferworker.desk.END_PATIENCE", 0)
    return Desk(tmp_path, "alpha", Limits(keep_runs=-1))


def test_a_damaged_old_record_does_not_keep_a_new_transfer_from_being_prepared(desk, started):
    (desk._runs.establish(spec(transfer="f" * 32)).path / "verdict.json").write_text("{")
    assert not desk.prepare(spec(), Policy())["attached"]
    assert started == [("start", TRANSFER)]


def test_the_unit_of_one_that_lives_is_not_stopped(desk, started):
    with flock.hold(desk._runs.establish(spec()).lock):
        desk._settled(desk._runs.open(TRANSFER))
    assert started == []
    desk._settled(desk._runs.open(TRANSFER))
    assert started == [("stop", TRANSFER)]


def test_one_that_died_before_it_had_a_state_is_undone_and_not_started_again(desk, started):
    run = desk._runs.establish(spec())
    run.undo.register("place")
    with pytest.raises(Refusal, match="without a word"):
        desk.prepare(spec(), Policy())
    assert started == [] and run.undo.pending() == []
