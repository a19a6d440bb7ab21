"""How many transfers take part at once is decided under one lock, whoever asks, in however many processes."""

import multiprocessing
import random

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


# Waiting for a seat.


def test_without_a_bound_it_is_everybodys_turn(seats):
    assert seats.wait(ONE, 5.0, "", 0)["turn"]


def test_who_waits_is_told_who_sits_and_who_comes_before(runs, seats):
    one, _held = begun(runs, ONE)
    seats.take(one, 1)
    assert seats.wait(TWO, 5.0, "", 1) == {"turn": False, "running": [ONE], "waiting": [], "at": 5.0}
    assert seats.wait(THREE, 6.0, "", 1) == {"turn": False, "running": [ONE], "waiting": [TWO], "at": 6.0}
    assert [each["transfer"] for each in seats.queue()] == [TWO, THREE]


def test_who_asked_first_comes_first_whoever_came_here_first(runs, seats):
    (one, held), (two, _b), (three, _c) = (begun(runs, each) for each in (ONE, TWO, THREE))
    seats.take(one, 1)
    seats.wait(THREE, 6.0, "", 1)
    seats.wait(TWO, 5.0, "", 1)
    held.release()
    assert (seats.wait(THREE, 6.0, "", 1)["turn"], seats.wait(TWO, 5.0, "", 1)["turn"]) == (False, True)
    with pytest.raises(Busy, match="0 transfers already .., 1 more wait before this one"):
        seats.take(three, 1)
    seats.take(two, 1)
    assert [each["transfer"] for each in seats.queue()] == [THREE]


def test_who_does_not_wait_does_not_come_before_those_who_do(runs, seats):
    seats.wait(ONE, 5.0, "", 1)
    two, _held = begun(runs, TWO)
    with pytest.raises(Busy):
        seats.take(two, 1)


def test_two_that_were_asked_for_at_the_same_moment_have_one_order_on_all_hosts(seats, tmp_path):
    others = Seats(tmp_path / "another host")
    for each, names in ((seats, (ONE, TWO)), (others, (TWO, ONE))):
        for name in names:
            each.wait(name, 5.0, "", 1)
    assert [[ticket["transfer"] for ticket in each.queue()] for each in (seats, others)] == [[ONE, TWO]] * 2


class Crowd:
    """Copies that each need several hosts of which every one takes part in one at a time. Each asks all of its hosts,
    and begins when it is its turn on all of them; who asks when is left to the dice.
    """

    def __init__(self, folder, dice):
        self._dice = dice
        self._hosts = {name: (RunDirs(folder / name), Seats(folder / name)) for name in "abcd"}
        self.needs = {f"{number:032x}": dice.sample("abcd", dice.choice((2, 2, 3))) for number in range(6)}
        self.at = dict(zip(self.needs, dice.sample(range(6), 6), strict=True))
        self._running = {}
        self.begun = []

    def play(self):
        """Until nobody can begin any more and nobody runs."""
        waiting = list(self.needs)
        self._ask(waiting)
        while (able := self._ask(waiting)) or self._running:
            for each in able:
                self._begin(each)
                waiting.remove(each)
            if self._running and (not able or self._dice.random() < 0.5):
                self._end(self._dice.choice([*self._running]))

    def _ask(self, waiting):
        """Those of them whose turn it is everywhere."""
        self._dice.shuffle(waiting)
        told = {each: [self._turn(each, host) for host in self.needs[each]] for each in waiting}
        return [each for each, turns in told.items() if all(turns)]

    def _turn(self, transfer, host):
        return self._hosts[host][1].wait(transfer, float(self.at[transfer]), "", 1)["turn"]

    def _begin(self, transfer):
        self.begun.append(transfer)
        self._running[transfer] = held = []
        for host in self.needs[transfer]:
            runs, seats = self._hosts[host]
            run, lock = begun(runs, transfer)
            seats.take(run, 1)
            held.append(lock)

    def _end(self, transfer):
        for lock in self._running.pop(transfer):
            lock.release()


@pytest.mark.parametrize("seed", range(3))
def test_copies_that_need_several_hosts_never_wait_for_each_other_and_begin_as_they_were_asked_for(tmp_path, seed):
    crowd = Crowd(tmp_path, random.Random(seed))
    crowd.play()
    assert sorted(crowd.begun) == sorted(crowd.needs)
    for at, later in enumerate(crowd.begun):
        earlier = [each for each in crowd.begun[:at] if set(crowd.needs[each]) & set(crowd.needs[later])]
        assert all(crowd.at[each] < crowd.at[later] for each in earlier)


def test_a_ticket_is_void_after_its_lease_or_a_reboot(seats, monkeypatch):
    seats.wait(ONE, 5.0, "", 1, seconds=-1.0)
    assert seats.queue() == [] and seats.wait(TWO, 9.0, "", 1)["turn"]
    monkeypatch.setattr("datamover.host.lease.boot_id", lambda: "another")
    assert seats.queue() == []


def test_a_ticket_can_be_given_back(seats):
    seats.wait(ONE, 5.0, "", 1)
    seats.leave(ONE)
    assert seats.queue() == [] and seats.wait(TWO, 9.0, "", 1)["turn"]


def test_the_same_thing_asked_for_again_takes_over_the_place(seats):
    seats.wait(ONE, 5.0, "a copy", 1)
    seats.wait(TWO, 6.0, "another", 1)
    told = seats.wait(THREE, 7.0, "a copy", 1)
    assert (told["turn"], told["at"], [each["transfer"] for each in seats.queue()]) == (True, 5.0, [THREE, TWO])


def test_what_is_alike_to_nothing_takes_nobodys_place(seats):
    seats.wait(ONE, 5.0, "", 1)
    assert seats.wait(TWO, 6.0, "", 1)["at"] == 6.0


def test_a_file_of_an_earlier_version_has_no_queue(seats, runs):
    one, _held = begun(runs, ONE)
    seats.take(one, 1)
    file = next(path for path in one.path.parents[1].rglob("seats.json"))
    file.write_text(file.read_text().replace('"tickets"', '"unknown"'))
    assert seats.queue() == [] and not seats.wait(TWO, 1.0, "", 1)["turn"]


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
