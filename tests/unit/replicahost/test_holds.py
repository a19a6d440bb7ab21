"""Changes that undo themselves unless somebody goes on."""

import threading

import pytest

from datamover.host import flock
from datamover.host.lease import Deadline
from replicahost import holds, undoing
from replicaplan.errors import NothingToUndo, ReplicaRefused, RollbackIncomplete, StartFailed


@pytest.fixture
def undone(monkeypatch):
    """What was undone, in order; the guard of systemd is left out."""
    seen = []
    monkeypatch.setattr(holds, "_begin_guard", lambda place: None)
    monkeypatch.setattr(holds, "_remove_guard", lambda place: None)
    monkeypatch.setitem(undoing.HANDLERS, "unit", lambda **details: seen.append(details))
    return seen


@pytest.fixture
def hold(tmp_path, undone):
    return holds.begin(tmp_path, "installation", 30, datadir="/d")


def expire(hold):
    past = Deadline.after(-1)
    hold.note(deadline=[past.boot, past.at])


def test_what_fails_in_a_step_is_taken_back_in_reverse_and_forgotten(hold, undone):
    with pytest.raises(StartFailed, match="it does not run"), hold.working():
        hold.undo.register("unit", number=1)
        hold.undo.register("unit", number=2)
        raise StartFailed("it does not run")
    assert undone == [{"number": 2}, {"number": 1}]
    assert not hold.path.exists()


def test_a_step_that_succeeds_keeps_all_and_lets_the_lease_begin_anew(hold, undone):
    expire(hold)
    with hold.working():
        hold.undo.register("unit", number=1)
    assert (undone, hold.overdue, hold.document["datadir"]) == ([], False, "/d")


def test_minding_takes_nothing_back(hold, undone):
    hold.undo.register("unit", number=1)
    with pytest.raises(StartFailed), hold.minding():
        raise StartFailed("late")
    assert (undone, hold.path.exists()) == ([], True)


def test_only_what_is_overdue_is_taken_back_by_the_timer(hold, undone):
    hold.undo.register("unit", number=1)
    assert holds.take_back_overdue(hold.path.parent) == []
    assert undone == []
    expire(hold)
    holds.take_back_overdue(hold.path.parent)
    assert (undone, hold.path.exists()) == ([{"number": 1}], False)


def test_what_is_just_being_begun_is_not_taken_back_by_the_timer(tmp_path, undone, monkeypatch):
    """Until its deadline is noted it has none, which counts as one that has passed."""
    renew = holds.Hold.renew
    timer = threading.Thread(target=holds.take_back_overdue, args=[holds.directory(tmp_path)])

    def renewed(hold, lease=None):
        timer.start()
        timer.join(1.0)  # so long it would have had for its work; it waits instead until all is noted
        renew(hold, lease)

    monkeypatch.setattr(holds.Hold, "renew", renewed)
    begun = holds.begin(tmp_path, "pause", 30)
    timer.join()
    assert begun.document["lease"] == 30


def test_what_somebody_works_at_is_not_taken_back_though_its_lease_is_over(hold, undone):
    hold.undo.register("unit", number=1)
    with hold.working():
        expire(hold)
        holds.take_back_overdue(hold.path.parent)
    assert (undone, hold.path.exists()) == ([], True)


def test_what_somebody_went_on_with_while_the_timer_waited_is_not_taken_back(hold, undone):
    hold.undo.register("unit", number=1)
    hold.take_back(only_overdue=True)
    assert (undone, hold.path.exists()) == ([], True)


def test_another_boot_is_the_end_of_every_lease(hold):
    hold.note(deadline=["another boot", 1e12])
    assert hold.overdue


def test_what_cannot_be_undone_stays_and_is_tried_again(hold, undone, monkeypatch):
    def fail(**_):
        raise OSError("busy")

    monkeypatch.setitem(undoing.HANDLERS, "datadir", fail)
    hold.undo.register("unit", number=1)
    hold.undo.register("datadir", number=2)
    with pytest.raises(RollbackIncomplete, match="busy"):
        hold.take_back()
    assert (undone, hold.path.exists()) == ([{"number": 1}], True)
    monkeypatch.setitem(undoing.HANDLERS, "datadir", lambda **_: None)
    hold.take_back()
    assert (undone, hold.path.exists()) == ([{"number": 1}], False)


def test_there_is_one_of_a_name_and_a_missing_one_is_told(tmp_path, hold):
    with pytest.raises(ReplicaRefused, match="one installation under way already"):
        holds.begin(tmp_path, "installation", 30)
    with pytest.raises(NothingToUndo):
        holds.find(tmp_path, "pause")
    with pytest.raises(NothingToUndo):
        holds.find(tmp_path, "../holds")


def test_two_do_not_work_at_one(hold, monkeypatch):
    monkeypatch.setattr(flock, "MOMENT", 0.05)
    held = flock.hold(hold.path.with_suffix(".lock"))
    with held, pytest.raises(ReplicaRefused, match="Somebody else works"), hold.working():
        pass


@pytest.mark.parametrize("lease", [0, -5, "soon", 4, 10**9, None])
def test_a_lease_that_cannot_be_one_is_refused(tmp_path, undone, lease):
    with pytest.raises(ReplicaRefused, match="is no number of seconds"):
        holds.begin(tmp_path, "pause", lease)
    assert not holds.directory(tmp_path).joinpath("pause").exists()
