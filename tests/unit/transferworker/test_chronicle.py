"""The record of a run: what the live worker tells and what the disk tells afterwards are the same."""

import json
import threading

import pytest

from datamover.engine.progress import Progress
from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import spec
from transferworker import chronicle
from transferworker.chronicle import Chronicle

VERDICT = {"result": "published", "error": None}


@pytest.fixture
def run(tmp_path):
    return RunDirs(tmp_path).establish(spec())


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def record(run, progress):
    return Chronicle(run, progress)


def test_a_run_that_has_not_begun_has_a_status(run):
    status = chronicle.recorded(run)
    assert (status["phase"], status["seq"], status["events"], status["verdict"]) == ("preparing", 0, [], None)
    assert status["role"] == "destination" and status["host"] == "alpha" and not status["alive"]


def test_phases_are_events_with_numbers_and_times(record, progress):
    progress.enter("prepared")
    progress.enter("armed")
    status = record.status()
    assert [(event["seq"], event["what"], event["phase"]) for event in status["events"]] == [
        (1, "phase", "prepared"),
        (2, "phase", "armed"),
    ]
    assert set(status["phases"]) == {"prepared", "armed"}
    assert 0 <= status["phases"]["prepared"] <= status["phases"]["armed"]
    assert status["alive"] and status["phase"] == "armed" and status["seq"] == 2


def test_a_phase_entered_twice_keeps_its_first_time(record, progress):
    progress.enter("moving")
    first = record.status()["phases"]["moving"]
    progress.enter("moving")
    assert record.status()["phases"]["moving"] == first


def test_the_disk_tells_what_the_worker_told(run, record, progress):
    progress.enter("moving")
    progress.put(bytes_done=17, bytes_total=20)
    record.save_progress()
    record.note("warning", text="slow")
    record.conclude(VERDICT)
    run.write("verdict", VERDICT)
    assert chronicle.recorded(run) == {**record.status(), "alive": False}


def test_the_curve_is_drawn_while_bytes_move_and_outlives_the_worker(run, record, progress):
    record.save_progress()
    assert record.status()["curve"] == []
    progress.enter("moving")
    progress.put(bytes_done=17, bytes_total=20)
    record.save_progress()
    progress.put(bytes_done=20, bytes_total=20)
    progress.enter("verifying")
    progress.put(bytes_done=21, bytes_total=21)
    progress.enter("sealed")
    assert [done for _, done in record.status()["curve"]] == [17, 20]
    assert chronicle.recorded(run)["curve"] == record.status()["curve"]


def test_counters_are_saved_when_they_changed_and_only_then(run, record, progress):
    record.save()
    (run.path / "state.json").unlink()
    record.save_progress()
    assert run.read("state") is None
    progress.add(bytes_done=5)
    record.save_progress()
    assert run.read("state")["progress"]["bytes_done"] == 5


def test_events_are_told_from_where_one_left_off_and_at_most_fifty(run, record):
    for number in range(120):
        record.note("tick", number=number)
    first = record.status(0)
    assert len(first["events"]) == chronicle.EVENTS_TOLD and first["seq"] == 50
    assert [event["seq"] for event in record.status(first["seq"])["events"]] == list(range(51, 101))
    assert record.status(120)["events"] == [] and record.status(120)["seq"] == 120
    assert chronicle.recorded(run, 100)["events"] == record.status(100)["events"]


def test_the_status_fits_into_one_return_however_long_the_texts(record):
    for _ in range(60):
        record.note("warning", text="x" * 100_000)
    assert len(json.dumps(record.status())) < 60_000


def test_following_ends_with_the_next_event(record):
    record.note("one")
    heard = []
    follower = threading.Thread(target=lambda: heard.append(record.follow(1, 30)))
    follower.start()
    record.note("two")
    follower.join()
    assert [event["what"] for event in heard[0]["events"]] == ["two"]


def test_following_what_already_happened_does_not_wait(record):
    record.note("one")
    assert record.follow(0, 30)["seq"] == 1


def test_following_ends_with_the_deadline(record):
    assert record.follow(0, 0.01)["events"] == []


def test_following_after_the_verdict_does_not_wait(record):
    record.conclude(VERDICT)
    status = record.follow(99, 30)
    assert status["verdict"] == VERDICT and status["phase"] == "published"


def test_an_event_torn_by_a_kill_is_left_out(run, record):
    record.note("one")
    with open(run.path / "events.jsonl", "a") as file:
        file.write('{"seq": 2, "wh')
    assert [event["what"] for event in chronicle.recorded(run)["events"]] == ["one"]


def test_phases_from_many_threads_are_all_recorded(record, progress):
    phases = ["armed", "connecting", "proved", "moving", "verifying"]
    threads = [threading.Thread(target=progress.enter, args=(phase,)) for phase in phases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(record.status()["phases"]) == set(phases)
    assert sorted(event["seq"] for event in record.status()["events"]) == [1, 2, 3, 4, 5]


def test_a_full_disk_does_not_keep_a_transfer_from_going_on(run, record, progress, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "write", fail)
    progress.enter("moving")
    progress.add(bytes_done=1)
    record.save_progress()
    record.conclude(VERDICT)
    assert record.status()["phases"].keys() == {"moving"} and record.status()["verdict"] == VERDICT
