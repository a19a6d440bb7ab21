"""The heartbeat of a worker: as long as its main loop turns, and no longer."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import transferworker
from transferworker.heartbeat import HUNG, Heartbeat
from transferworker.notify import Nobody

UTILS = Path(transferworker.__file__).parents[1]

PROGRAM = """
import sys, threading
sys.path.insert(0, {utils!r})
from transferworker import notify
from transferworker.heartbeat import Heartbeat

heartbeat = Heartbeat(notify.Nobody(), lease=0.2, longest_turn={longest})
heartbeat.__enter__()
def hang_here():
    threading.Event().wait(60)
{doing}
"""


class Listener(Nobody):
    def __init__(self):
        self.heard = threading.Semaphore(0)

    def alive(self):
        self.heard.release()


def run(doing, longest=1.5):
    program = PROGRAM.format(utils=str(UTILS), doing=doing, longest=longest)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(("lease", "beats"), [(0.4, 3), (3600, 1)])
def test_it_beats_often_enough_for_its_lease(lease, beats):
    listener = Listener()
    with Heartbeat(listener, lease) as heartbeat:
        assert heartbeat._pause <= lease / 8
        for _ in range(beats):
            assert listener.heard.acquire(timeout=10)


def test_a_main_loop_that_hangs_ends_the_process_and_the_log_says_where_it_hung():
    done = run("hang_here()", longest=0.3)
    assert done.returncode == HUNG
    assert "has hung for 0.3 s" in done.stderr and "in hang_here" in done.stderr


def test_one_that_turns_lives():
    done = run("for _ in range(40):\n    threading.Event().wait(0.05)\n    heartbeat.turned()\nprint('lives')")
    assert (done.returncode, done.stdout) == (0, "lives\n")


def test_one_that_undoes_may_take_its_time():
    done = run("heartbeat.ending()\nthreading.Event().wait(2)\nheartbeat.turned()\nprint('lives')")
    assert (done.returncode, done.stdout) == (0, "lives\n")
