"""Changes that undo themselves unless somebody goes on."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from datamover.host import flock, process
from datamover.host.lease import Deadline
from replicahost import holds, timer, undoing
from replicaplan.errors import NothingToUndo, ReplicaRefused, RollbackIncomplete, ServiceFailed, StartFailed


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


def test_what_waits_is_kept_for_so_long_and_can_be_taken_back_meanwhile(hold, undone):
    hold.undo.register("unit", number=1)
    with hold.waiting(3600):
        assert Deadline(*hold.document["deadline"]).remaining > 3500
        hold.take_back()
    assert (undone, hold.path.exists()) == ([{"number": 1}], False)


def test_the_lease_begins_anew_after_a_wait(hold, undone):
    with pytest.raises(StartFailed), hold.waiting(3600):
        raise StartFailed("late")
    assert (undone, hold.document["lease"], Deadline(*hold.document["deadline"]).remaining <= 30) == ([], 30, True)
    with hold.waiting(1):
        assert Deadline(*hold.document["deadline"]).remaining > 25


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


def test_what_is_over_is_never_found_half_gone_and_taken_back(hold, undone, monkeypatch):
    """The timer may look at any moment, also while the files of a hold are removed one by one."""
    hold.undo.register("unit", number=1)
    rmtree = shutil.rmtree

    def slowly(path, **options):
        (Path(path) / "hold.json").unlink(missing_ok=True)
        assert holds.take_back_overdue(hold.path.parent) == []
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", slowly)
    with hold.ending():
        pass
    assert (undone, os.listdir(hold.path.parent)) == ([], ["guard.lock", "installation.lock"])


def test_what_is_over_is_over_for_good_before_anything_else_is_done(hold, monkeypatch):
    """Else a power cut could bring the undo log back, after somebody has removed the old data."""
    flushed = []
    monkeypatch.setattr(holds.documents, "flush_directory", lambda path: flushed.append((path, hold.path.exists())))
    hold.forget()
    assert flushed == [(hold.path.parent, False)]


def test_a_last_step_that_fails_is_taken_back(hold, undone):
    hold.undo.register("unit", number=1)
    with pytest.raises(StartFailed), hold.ending():
        raise StartFailed("it does not run")
    assert (undone, hold.path.exists()) == ([{"number": 1}], False)


@pytest.mark.parametrize("step", ["working", "minding", "ending", "waiting"])
def test_who_waited_for_what_is_over_meanwhile_is_told_so(hold, undone, step):
    hold.forget()
    with pytest.raises(NothingToUndo, match="is over"), getattr(hold, step)(*[9] * (step == "waiting")):
        pass
    with pytest.raises(NothingToUndo):
        hold.take_back()
    assert not hold.path.exists()


def test_one_whose_timer_cannot_be_started_is_not_begun(tmp_path, undone, monkeypatch):
    def fail(_place):
        raise RollbackIncomplete("systemd does not answer")

    monkeypatch.setattr(timer, "begin", fail)
    with pytest.raises(RollbackIncomplete):
        holds.begin(tmp_path, "pause", 30)
    with pytest.raises(NothingToUndo):
        holds.find(tmp_path, "pause")


def test_another_boot_is_the_end_of_every_lease(hold):
    hold.note(deadline=["another boot", 1e12])
    assert hold.overdue


@pytest.fixture
def stuck(hold, undone, monkeypatch):
    """A hold of which the middle change cannot be undone; `free` mends that."""

    def fail(**_):
        raise OSError("busy")

    monkeypatch.setitem(undoing.HANDLERS, "datadir", fail)
    for what, number in (("unit", 1), ("datadir", 2), ("unit", 3)):
        hold.undo.register(what, number=number)
    hold.free = lambda: monkeypatch.setitem(undoing.HANDLERS, "datadir", lambda **_: None)
    return hold


def test_what_lies_under_a_change_that_cannot_be_undone_waits_for_it(stuck, undone):
    """A server whose data cannot be put back must not be started again: that would run on the new data."""
    with pytest.raises(RollbackIncomplete, match=r"datadir: OSError\('busy'\) Until then these wait: unit\."):
        stuck.take_back()
    assert (undone, stuck.path.exists()) == ([{"number": 3}], True)
    stuck.free()
    stuck.take_back()
    assert (undone, stuck.path.exists()) == ([{"number": 3}, {"number": 1}], False)


@pytest.mark.parametrize("step", ["working", "minding", "ending"])
def test_with_what_is_half_undone_nobody_goes_on(stuck, step):
    with pytest.raises(RollbackIncomplete):
        stuck.take_back()
    with pytest.raises(ReplicaRefused, match="is being taken back: datadir.*busy"), getattr(stuck, step)():
        pass
    assert stuck.path.exists()


def test_what_is_half_undone_is_tried_again_by_the_timer_without_waiting_for_its_lease(stuck, undone):
    with pytest.raises(StartFailed, match="not run Taking it back did not work wholly: .*busy"), stuck.working():
        raise StartFailed("it does not run")
    (trouble,) = holds.take_back_overdue(stuck.path.parent)
    assert "busy" in trouble
    stuck.free()
    assert holds.take_back_overdue(stuck.path.parent) == []
    assert (undone, stuck.path.exists()) == ([{"number": 3}, {"number": 1}], False)


def test_what_cannot_be_undone_for_good_is_given_up_by_its_name(stuck, undone):
    assert stuck.take_back(without=("datadir",)) == ["datadir was given up: OSError('busy')"]
    assert (undone, stuck.path.exists()) == ([{"number": 3}, {"number": 1}], False)


def test_a_full_disk_keeps_nothing_from_being_undone(hold, undone, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    hold.undo.register("unit", number=1)
    hold.undo.register("unit", number=2)
    monkeypatch.setattr(hold, "note", full)
    monkeypatch.setattr(hold.undo, "done", full)
    assert hold.take_back() == []
    assert (undone, hold.path.exists()) == ([{"number": 2}, {"number": 1}], False)


def test_what_is_not_quite_as_it_was_is_told(hold, undone, monkeypatch):
    monkeypatch.setitem(undoing.HANDLERS, "datadir", lambda **_: "The new data is elsewhere.")
    hold.undo.register("datadir")
    said = []
    expire(hold)
    assert holds.take_back_overdue(hold.path.parent, said.append) == []
    assert said == ["The new data is elsewhere."]


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


@pytest.mark.parametrize("lease", [0, -5, "soon", 4, 10**9, None, "²", "١٢٣", True, [30]])
def test_a_lease_that_cannot_be_one_is_refused(tmp_path, undone, lease):
    with pytest.raises(ReplicaRefused, match="is no number of seconds"):
        holds.begin(tmp_path, "pause", lease)
    assert not holds.directory(tmp_path).joinpath("pause").exists()


# The timer


class Systemd:
    """Remembers what it was asked, and answers with a status."""

    def __init__(self):
        self.asked, self.status = [], 0

    def run(self, command, _timeout=0):
        self.asked.append(command.argv[1])
        return process.Result(self.status)


@pytest.fixture
def units(tmp_path, monkeypatch):
    """Where units are."""
    place = tmp_path / "units"
    place.mkdir()
    monkeypatch.setattr(timer, "UNITS", place)
    return place


@pytest.fixture
def systemd(units, monkeypatch):
    systemd = Systemd()
    monkeypatch.setattr(process, "run", systemd.run)
    return systemd


def there(units):
    return sorted(os.listdir(units))


GUARDED = ["salt-transfer-replica.service", "salt-transfer-replica.timer"]


def test_the_timer_is_there_as_long_as_anything_is_held_and_ended_by_its_own_run(tmp_path, units, systemd):
    """Nobody else ends it: its program may just be starting, and would not find itself."""
    one, other = holds.begin(tmp_path, "installation", 30), holds.begin(tmp_path, "pause", 30)
    place = one.path.parent
    one.forget()
    assert (holds.take_back_overdue(place), there(units)) == ([], GUARDED)
    other.forget()
    assert (there(units), (place / "code").is_dir(), "disable" in systemd.asked) == (GUARDED, True, False)
    assert (holds.take_back_overdue(place), there(units), (place / "code").exists()) == ([], [], False)


def test_a_timer_that_cannot_be_ended_stays_whole_and_is_ended_by_its_next_run(tmp_path, units, systemd):
    hold = holds.begin(tmp_path, "pause", 30)
    place = hold.path.parent
    hold.forget()
    systemd.status = 124
    (trouble,) = holds.take_back_overdue(place)
    assert "cannot be ended" in trouble
    assert (there(units), (place / "code").is_dir()) == (GUARDED, True)
    systemd.status = 0
    assert (holds.take_back_overdue(place), there(units)) == ([], [])


def test_without_its_timer_nothing_is_held(tmp_path, units, systemd, monkeypatch):
    monkeypatch.setattr(timer.units, "reload", lambda: None)
    systemd.status = 1
    with pytest.raises(ServiceFailed, match="The timer that would take changes back cannot be started"):
        holds.begin(tmp_path, "pause", 30)
    assert not holds.directory(tmp_path).joinpath("pause").exists()


def test_the_program_of_the_timer_is_not_written_anew_while_one_may_read_it(tmp_path, units, systemd):
    first = holds.begin(tmp_path, "installation", 30)
    program = first.path.parent / "code/replicahost/holds.py"
    program.with_name("server.py").write_text("of another version")
    before = program.stat().st_ino
    holds.begin(tmp_path, "pause", 30)
    assert program.stat().st_ino == before
    assert "of another version" not in program.with_name("server.py").read_text()
    assert not list(program.parent.glob("*.part"))


def test_what_an_interruption_left_half_begun_or_half_gone_is_in_nobodys_way(tmp_path, units, systemd):
    place = holds.directory(tmp_path)
    for name in (".pause.new", ".pause.over"):
        (place / name / "deep").mkdir(parents=True)
    holds.begin(tmp_path, "pause", 30).forget()
    (place / ".pause.new").mkdir(exist_ok=True)
    holds.take_back_overdue(place)
    assert sorted(os.listdir(place)) == ["guard.lock"]
