"""The register: places by identity, room by device, entries that die with their worker."""
import multiprocessing
import os
import tempfile
from pathlib import Path

import pytest

from datamover.errors import Busy, NoInodes, NoSpace
from datamover.host import flock, lease
from datamover.host.register import Need, Place, Register
from datamover.host.rundir import RunDirs

SMALL = Need(1000, 10)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def register(state):
    return Register(state)


@pytest.fixture
def srv(tmp_path):
    (tmp_path / "srv/a/b").mkdir(parents=True)
    return tmp_path / "srv"


@pytest.fixture
def begin(state):
    """begin(number) -> (run directory, its held lock), released at the end."""
    held = []

    def begin(number):
        run = RunDirs(state).establish({"transfer": f"{number:032x}", "attempt": 1, "role": "destination"})
        held.append(flock.hold(run.lock))
        return run, held[-1]

    yield begin
    for lock in held:
        lock.release()


@pytest.fixture
def elsewhere():
    """A directory on another device."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield Path(path)


def place(path):
    return Place.of(os.fsencode(path))


def refuses(register, run, path, need=SMALL):
    with pytest.raises(Busy) as refusal:
        register.claim(run, place(path), need)
    return refusal.value


@pytest.mark.parametrize("theirs", ["a/x", "a", "a/b/c"])
def test_the_same_an_outer_and_an_inner_place_are_refused_with_the_holder(register, begin, srv, theirs):
    (srv / "a/x/y").mkdir(parents=True)
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / theirs), SMALL)
    ours = {"a/x": "a/x", "a": "a/x", "a/b/c": "a"}[theirs]
    refusal = refuses(register, second, srv / ours)
    assert first.transfer in refusal.text
    assert refusal.evidence["transfer"] == first.transfer


def test_an_outer_place_that_does_not_exist_yet_refuses_what_lies_in_it(register, begin, srv):
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/new"), SMALL)
    (srv / "a/new/deep").mkdir(parents=True)
    refuses(register, second, srv / "a/new/deep/x")


def test_neighbours_do_not_mind_each_other(register, begin, srv):
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/x"), SMALL)
    register.claim(second, place(srv / "a/xx"), SMALL)
    assert len(register.entries()) == 2


def test_a_symbolic_link_does_not_hide_the_place(register, begin, srv):
    (srv / "link").symlink_to(srv / "a")
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/x"), SMALL)
    refuses(register, second, srv / "link/x")


def test_names_that_are_no_text_are_told_apart(register, begin, srv):
    first, _ = begin(1)
    second, _ = begin(2)
    third, _ = begin(3)
    register.claim(first, place(os.fsencode(srv) + b"/a/\xff\n"), SMALL)
    register.claim(second, place(os.fsencode(srv) + b"/a/\xfe\n"), SMALL)
    refuses(register, third, os.fsencode(srv) + b"/a/\xff\n")


def test_the_same_transfer_may_claim_again(register, begin, srv):
    first, _ = begin(1)
    register.claim(first, place(srv / "a/x"), SMALL)
    register.claim(first, place(srv / "a/x"), SMALL)
    assert len(register.entries()) == 1


def test_a_released_place_is_free(register, begin, srv):
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/x"), SMALL)
    register.release(first.transfer)
    register.release(first.transfer)
    register.claim(second, place(srv / "a/x"), SMALL)


def test_the_entry_of_a_dead_worker_is_void(register, begin, srv):
    first, lock = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/x"), SMALL)
    lock.release()
    assert register.void() == [first.transfer]
    register.claim(second, place(srv / "a/x"), SMALL)
    assert register.void() == []


def test_the_entry_of_another_boot_is_void(register, begin, srv, monkeypatch, tmp_path):
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/x"), SMALL)
    monkeypatch.setattr(lease, "BOOT_ID", tmp_path / "boot_id")
    lease.BOOT_ID.write_text("next boot\n")
    assert register.entries() == []
    register.claim(second, place(srv / "a/x"), SMALL)


def test_who_holds_a_place_and_what_is_promised_can_be_asked(register, begin, srv):
    run, _ = begin(1)
    register.claim(run, place(srv / "a/x"), Need(1000, 10))
    assert register.holder(place(srv / "a")) == run.transfer
    assert register.holder(place(srv / "b")) is None
    assert register.promised(os.stat(srv).st_dev) == (1000, 10)
    assert register.promised(0) == (0, 0)


def contend(state, number, path, start, told, done):
    """Claim in a process of one's own, when all are ready; what is held is held until all have told."""
    run = RunDirs(state).establish({"transfer": f"{number:032x}", "attempt": 1, "role": "destination"})
    with flock.hold(run.lock):
        start.wait()
        try:
            Register(state).claim(run, place(path), SMALL)
            told.put("got it")
        except Busy:
            told.put("busy")
        done.wait()


def test_of_several_processes_that_race_for_one_place_exactly_one_gets_it(register, state, srv):
    context = multiprocessing.get_context("spawn")
    start, done, told = context.Barrier(4), context.Barrier(5), context.Queue()
    arguments = [(state, number, srv / "a/x", start, told, done) for number in range(4)]
    racers = [context.Process(target=contend, args=each) for each in arguments]
    for each in racers:
        each.start()
    outcomes = sorted(told.get(timeout=60) for _ in racers)
    assert len(register.entries()) == 1
    done.wait()
    for each in racers:
        each.join()
    assert outcomes == ["busy"] * 3 + ["got it"]


def free(path):
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize, status.f_favail


def test_more_than_is_free_is_refused_with_numbers(register, begin, srv):
    run, _ = begin(1)
    wanted = free(srv)[0] * 2
    with pytest.raises(NoSpace, match=f"needs {wanted:,}"):
        register.claim(run, place(srv / "a/x"), Need(wanted, 1))
    assert register.entries() == []


def test_the_reserve_is_kept(register, begin, srv):
    run, _ = begin(1)
    with pytest.raises(NoSpace, match="shall stay free"):
        register.claim(run, place(srv / "a/x"), Need(1, 1, reserve_bytes=free(srv)[0] * 2))


def test_what_is_promised_to_one_is_not_promised_to_the_other(register, begin, srv):
    half = free(srv)[0] * 2 // 3
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/x"), Need(half, 1))
    with pytest.raises(NoSpace, match=f"{half:,} are promised"):
        register.claim(second, place(srv / "a/y"), Need(half, 1))
    register.shrink(first.transfer, 0, 0)
    register.claim(second, place(srv / "a/y"), Need(half, 1))


def test_inodes_are_counted_too(register, begin, srv):
    run, _ = begin(1)
    with pytest.raises(NoInodes, match="inodes free"):
        register.claim(run, place(srv / "a/x"), Need(1, free(srv)[1] * 2))


def test_another_file_system_has_room_of_its_own(register, begin, srv, elsewhere):
    half = free(srv)[0] * 2 // 3
    first, _ = begin(1)
    second, _ = begin(2)
    register.claim(first, place(srv / "a/x"), Need(half, 1))
    register.claim(second, place(elsewhere / "x"), Need(1000, 1))


def test_a_place_right_below_the_root_has_one_step():
    below = place("/no-such-name")
    assert [step[2] for step in below.steps] == ["no-such-name"]
    assert below.overlaps(place("/no-such-name"))
    assert not below.overlaps(place("/another-name"))
