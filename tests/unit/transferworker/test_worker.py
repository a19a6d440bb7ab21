"""What the main loop does when parts of it fail. The end is a stand-in; run, record and verdict are real."""

import errno
import threading

import pytest

from datamover.errors import Busy, Cancelled
from datamover.host import flock
from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import spec
from transferworker import undoing, worker
from transferworker.notify import Nobody


class Exited(BaseException):
    """Instead of the end of the process."""


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """begin() -> a worker that holds its run's lock, and takes no signals."""
    monkeypatch.setattr("signal.signal", lambda *_arguments: None)
    (tmp_path / "srv").mkdir()
    run = RunDirs(tmp_path / "state").establish(spec(path=str(tmp_path / "srv/data")))
    with flock.hold(run.lock):
        yield lambda: worker.Worker(run, Nobody())


def full(*_arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_that_nobody_foresaw_ends_in_a_verdict_with_everything_undone(begin, tmp_path, monkeypatch):
    made = begin()
    monkeypatch.setattr(made._end, "_make_staging", full)
    assert made.work() == 61
    run = RunDirs(tmp_path / "state").open(spec()["transfer"])
    assert run.verdict["error"]["name"] == "internal-error" and "No space left" in run.verdict["error"]["text"]
    assert run.undo.pending() == []


def test_bookkeeping_that_fails_ends_nothing(begin, monkeypatch):
    def busy():
        raise Busy("the register is locked")

    made = begin()
    monkeypatch.setattr(made._end, "account", busy)
    made._renew()
    assert made._outcome is None


def test_a_lease_that_cannot_be_renewed_ends_the_run(begin, monkeypatch):
    made = begin()
    monkeypatch.setattr(made._end, "renew", full)
    made._renew()
    assert made._outcome.error.name == "lease-expired"


def test_one_that_hangs_while_it_publishes_is_left_to_who_undoes(begin, tmp_path, monkeypatch):
    def leave(_status):
        raise Exited

    closed = []
    monkeypatch.setattr("os._exit", leave)
    monkeypatch.setattr("transferworker.pinhole.close", lambda tag: closed.append(tag))
    made, began, go_on = begin(), threading.Event(), threading.Event()
    made._prepare()
    made._run.undo.register("pinhole", tag="salt-transfer:x:1")
    monkeypatch.setattr(made._end, "_publish_now", lambda: began.set() or go_on.wait(30))
    hanging = threading.Thread(target=made._end._publish)
    hanging.start()
    began.wait(30)
    made._outcome = worker.Outcome(Cancelled("enough"))
    with pytest.raises(Exited):
        made._conclude()
    assert made._run.verdict is None and closed == ["salt-transfer:x:1"]
    assert {change.what for change in made._run.undo.pending()} == {"staging", "place", "trail"}
    go_on.set()
    hanging.join()
    made._server.close(1)
    undoing.conclude(made._run, worker.verdicts.verdict(made._spec, made._outcome))
