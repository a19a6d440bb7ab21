"""Locks held by real processes."""
import os
import signal
import subprocess
import sys
import threading

import pytest

from datamover.host import flock

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


@pytest.fixture
def holder(path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"held\n"
        yield process


def test_what_nobody_made_is_held_by_nobody(path):
    assert not flock.is_held(path)
    assert flock.wait_free(path, 0)
    assert not path.exists()


def test_it_is_held_until_released(path):
    held = flock.hold(path)
    assert flock.is_held(path)
    held.release()
    held.release()
    assert not flock.is_held(path)


def test_the_with_block_releases(path):
    with flock.hold(path):
        assert flock.is_held(path)
    assert not flock.is_held(path)


def test_another_process_is_seen_and_not_displaced(path, holder):
    assert flock.is_held(path)
    assert flock.hold(path, seconds=0) is None
    assert flock.hold(path, seconds=0.05) is None
    assert flock.is_held(path)


def test_kill_minus_9_frees_it(path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    assert flock.wait_free(path, 10)
    assert not flock.is_held(path)


def test_who_waits_gets_it_when_the_holder_ends(path, holder):
    got = []
    waiter = threading.Thread(target=lambda: got.append(flock.hold(path, seconds=10)))
    waiter.start()
    holder.stdin.close()
    waiter.join()
    assert flock.is_held(path)
    got[0].release()


def test_looking_does_not_keep_others_from_looking_or_holding(path, holder):
    holder.stdin.close()
    assert flock.wait_free(path, 10)
    assert [flock.is_held(path) for _ in range(100)] == [False] * 100
    flock.hold(path, seconds=0).release()


def test_who_gave_up_waiting_does_not_hold_it_later(path, holder):
    assert flock.hold(path, seconds=0.01) is None
    holder.stdin.close()
    holder.wait()
    # The abandoned wait is granted, before this one or after it, and must let go at once.
    flock.hold(path, seconds=10).release()
    assert flock.wait_free(path, 10)


def test_two_who_hold_at_once_are_one_after_the_other(path):
    inside, most = [], []

    def work():
        with flock.hold(path, seconds=30):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 20


def test_a_symbolic_link_in_its_place_is_refused(path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        flock.hold(path)
    assert not (tmp_path / "elsewhere").exists()
