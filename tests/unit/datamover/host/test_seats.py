"""How many transfers take part at once is decided under one lock, whoever asks, in however many processes."""

import multiprocessing

import pytest

from datamover.errors import Busy
from datamover.host import flock
from datamover.host.rundir import RunDirs
from datamover.host.seats import Seats
from tests.unit.transferworker.samples import spec

ONE, TWO, THREE = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture
def runs(tmp_path):
    return RunDirs(tmp_path)


@pytest.fixture
def seats(tmp_path):
    return Seats(tmp_path)


def begun(runs, transfer, role="destination"):
    """A run that is being prepared, and what holds it there."""
    run = runs.establish(spec(role, transfer=transfer))
    return run, flock.hold(run.preparing)


def test_as_many_as_are_allowed_sit_and_the_next_is_told_who(runs, seats):
    (one, _a), (two, _b), (three, _c) = (begun(runs, each) for each in (ONE, TWO, THREE))
    seats.take(one, 2)
    seats.take(two, 2)
    with pytest.raises(Busy, match=f"2 transfers already .{ONE}, {TWO}. and its max_transfers is 2"):
        seats.take(three, 2)


def test_a_seat_is_taken_again_by_who_has_it(runs, seats):
    one, _held = begun(runs, ONE)
    seats.take(one, 1)
    seats.take(one, 1)


def test_both_ends_of_a_transfer_on_one_host_are_one(runs, seats):
    (one, _a), (other, _b) = begun(runs, ONE), begun(runs, ONE, "source")
    seats.take(one, 1)
    seats.take(other, 1)


def test_without_a_bound_anybody_may_sit_and_still_counts(runs, seats):
    (one, _a), (two, _b) = begun(runs, ONE), begun(runs, TWO)
    seats.take(one, 0)
    with pytest.raises(Busy):
        seats.take(two, 1)


def test_a_seat_is_free_when_nobody_prepares_and_no_worker_lives(runs, seats):
    (one, held), (two, _b) = begun(runs, ONE), begun(runs, TWO)
    seats.take(one, 1)
    with flock.hold(one.lock):
        held.release()
        with pytest.raises(Busy):
            seats.take(two, 1)
    seats.take(two, 1)


def test_a_seat_of_another_boot_is_free(runs, seats, monkeypatch):
    (one, _a), (two, _b) = begun(runs, ONE), begun(runs, TWO)
    monkeypatch.setattr("datamover.host.lease.boot_id", lambda: "before")
    seats.take(one, 1)
    monkeypatch.setattr("datamover.host.lease.boot_id", lambda: "now")
    seats.take(two, 1)


def contend(state_dir, transfer, start, told, done):
    """Prepare in a process of one's own, when all are ready; what is held is held until all have told."""
    run, _held = begun(RunDirs(state_dir), transfer)
    start.wait()
    try:
        Seats(state_dir).take(run, 1)
        told.put(transfer)
    except Busy:
        told.put("")
    done.wait()


def test_two_processes_at_once_cannot_both_pass(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, done, told = context.Barrier(2), context.Barrier(3), context.Queue()
    names = (ONE, TWO)
    both = [context.Process(target=contend, args=(tmp_path, name, start, told, done)) for name in names]
    for each in both:
        each.start()
    answers = sorted(told.get(timeout=60) for _ in both)
    done.wait()
    for each in both:
        each.join()
    assert answers[0] == "" and answers[1] in names
