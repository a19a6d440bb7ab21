"""Workers that stand still: stopped as a whole, or with a main loop that hangs. Their guardian watches over them."""

import contextlib
import ctypes
import os

import psutil
import pytest

from tests.functional.worker.test_copy import nothing_open
from tests.support.waiting import eventually
from transferworker.heartbeat import LONGEST_PAUSE, LONGEST_TURN

LEASE = 15
GRACE = 30
"""Seconds beyond it for a busy machine."""
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207

_libc = ctypes.CDLL(None, use_errno=True)


def is_gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def moving(transfer, big, network):
    """A transfer in the middle of its data, over a link so slow that it lasts."""
    network.limit("40mbit")
    pair = transfer(src=big, settings__lease=LEASE).begin()
    pair.follow_until("destination", "moving")
    return pair


@pytest.mark.parametrize("role", ["source", "destination"])
def test_one_that_was_stopped_is_dead_after_its_lease(moving, srv, role):
    worker, other = moving.worker(role), "source" if role == "destination" else "destination"
    worker.suspend()
    assert eventually(lambda: is_gone(worker), LEASE + GRACE)
    assert moving.verdict(other)["result"] == "failed"
    assert moving.verdict(role)["error"]["name"] == "worker-died"
    assert f"stood still for its lease of {LEASE} s" in moving.run(role).log.read_text()
    nothing_open(moving, srv)


def test_one_that_was_stopped_for_less_than_its_lease_goes_on(transfer, big, network):
    network.limit("40mbit")
    pair = transfer(src=big, settings__lease=20).begin()
    pair.follow_until("destination", "moving")
    for role in ("source", "destination"):
        pair.worker(role).suspend()
        assert eventually(lambda role=role: pair.worker(role).status() == psutil.STATUS_STOPPED)
        pair.worker(role).resume()
    network.unlimit()
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published"] * 2


@pytest.mark.slow
def test_one_whose_main_loop_hangs_ends_and_is_undone(transfer, data, srv):
    pair = transfer(settings__lease=600).prepare().arm()
    worker = pair.worker("destination")
    with hanging(worker.pid):
        assert eventually(lambda: is_gone(worker), LONGEST_TURN + LONGEST_PAUSE + GRACE)
    assert pair.verdict("destination")["error"]["name"] == "worker-died"
    log = pair.run("destination").log.read_text()
    assert "the main loop has hung" in log and "in _turn" in log
    pair.source.ask("cancel", pair.transfer)
    nothing_open(pair, srv)


@contextlib.contextmanager
def hanging(pid):
    """The main thread of a process stands still, and none of its others."""
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if _libc.ptrace(request, pid, None, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    yield
    _libc.ptrace(PTRACE_DETACH, pid, None, None)
