"""By which address an end reaches its peer, and what it does to its host."""

import contextlib
import os
import threading

import pytest

from datamover.engine.progress import Progress
from datamover.engine.stop import Stop
from datamover.errors import Busy, Cancelled, PolicyRefused
from datamover.host import flock
from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import TRANSFER, spec
from transferworker import ends


@pytest.mark.parametrize(("peer", "own"), [("127.0.0.1", "127.0.0.1"), ("127.9.9.9", "127.0.0.1"), ("::1", "::1")])
def test_the_own_address_is_the_one_that_routing_chooses(peer, own):
    assert ends.own_address(peer) == own


def test_without_a_route_there_is_no_own_address():
    assert ends.own_address("192.0.2.1" if not _has_default_route() else "255.255.255.255") is None


def _has_default_route():
    return ends.own_address("192.0.2.1") is not None


@pytest.fixture
def begin(tmp_path):
    """begin(role, **changes of the spec) -> the end of a run whose lock is held, with srv/data as its place."""
    (tmp_path / "srv").mkdir()
    with contextlib.ExitStack() as ended:

        def begin(role, **changes):
            asked = spec(role, path=str(tmp_path / "srv/data"), **changes)
            run = RunDirs(tmp_path / "state").establish(asked)
            ended.enter_context(flock.hold(run.lock))
            end = ends.END_OF[role](run, asked, Progress(), Stop(), lambda what, **details: None)
            ended.callback(end.close)
            return end

        yield begin


@pytest.fixture
def destination(begin):
    return begin("destination")


def test_what_another_attempt_left_in_staging_is_not_this_ones_to_remove(destination, tmp_path):
    left = tmp_path / f"srv/.salt-transfer-{TRANSFER}"
    left.mkdir()
    with pytest.raises(Busy, match="left by an earlier attempt"):
        destination.prepare()
    run = RunDirs(tmp_path / "state").open(TRANSFER)
    assert [change.what for change in run.undo.pending()] == ["place"]


def test_an_end_that_is_withdrawn_publishes_nothing(destination, tmp_path):
    destination.prepare()
    assert destination.withdraw()
    with pytest.raises(Cancelled):
        destination._publish()
    assert RunDirs(tmp_path / "state").open(TRANSFER).read("intent") is None


def test_an_end_that_is_just_publishing_cannot_be_withdrawn(destination, monkeypatch):
    began, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(destination, "_publish_now", lambda: began.set() or go_on.wait(30))
    publishing = threading.Thread(target=destination._publish)
    publishing.start()
    began.wait(30)
    assert not destination.withdraw()
    go_on.set()
    publishing.join()
    assert destination.withdraw()


def test_a_busy_register_is_not_waited_for_long_nor_a_reason_to_lose_the_lease(destination, tmp_path, monkeypatch):
    monkeypatch.setattr(ends, "SHORT", 0.01)
    destination.prepare()
    with flock.hold(tmp_path / "state/register/lock"):
        destination.renew()
        with pytest.raises(Busy):
            destination.account()


def test_an_end_that_is_closed_opens_nothing_any_more(destination, monkeypatch):
    done = []
    monkeypatch.setattr(destination._pinhole, "shut", lambda: done.append(True))
    destination.close()
    assert done == [True]


def asked_about(tmp_path, place):
    RunDirs(tmp_path / "state").open(TRANSFER).write("place", {"real": str(place)})


def test_a_place_that_the_policy_was_not_asked_about_is_not_written(destination, tmp_path):
    asked_about(tmp_path, tmp_path / "allowed/data")
    with pytest.raises(PolicyRefused, match="somebody changed a link"):
        destination.prepare()
    assert os.listdir(tmp_path / "srv") == []


def test_the_place_that_the_policy_was_asked_about_is_taken(destination, tmp_path):
    asked_about(tmp_path, tmp_path / "srv/data")
    destination.prepare()


def test_a_place_that_the_policy_was_not_asked_about_is_not_read(begin, tmp_path):
    source = begin("source")
    (tmp_path / "srv/data").mkdir()
    source.prepare()
    asked_about(tmp_path, tmp_path / "srv/data")
    source._tree().close()
    asked_about(tmp_path, tmp_path / "allowed/data")
    with pytest.raises(PolicyRefused, match="somebody changed a link"):
        source._tree()


def test_an_archive_that_the_policy_was_not_asked_about_is_not_read(begin, tmp_path):
    source = begin("source", stream={"type": "decompress", "format": "gz", "expect": ""})
    (tmp_path / "srv/data").write_bytes(b"archive")
    source.prepare()
    asked_about(tmp_path, tmp_path / "srv/data")
    source._tree().close()
    asked_about(tmp_path, tmp_path / "allowed/data")
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PolicyRefused, match="somebody changed a link"):
        source._tree()
    assert len(os.listdir("/proc/self/fd")) <= descriptors
