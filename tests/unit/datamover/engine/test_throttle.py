"""The limit, with a clock of its own: how much passes, how evenly, and what a change does."""

import threading

import pytest

from datamover.engine.stop import Stop, Stopped
from datamover.engine.throttle import FORGOTTEN, SLICE, Throttle

MB = 10**6


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limited(clock, monkeypatch):
    """Makes a throttle whose waits move the clock; what waits is noted."""

    def make(rate):
        throttle = Throttle(rate, Stop(), clock)
        monkeypatch.setattr(throttle._changed, "wait", lambda seconds: setattr(clock, "now", clock.now + seconds))
        return throttle

    return make


def send(throttle, data):
    for part in throttle.slices(data):
        throttle.await_turn(len(part))


@pytest.mark.parametrize("rate", [100_000, 3 * MB, 200 * MB])
def test_as_much_passes_as_is_allowed(limited, clock, rate):
    throttle, began = limited(rate), clock.now
    for _ in range(20):
        send(throttle, bytes(rate // 2))
    assert 10 - FORGOTTEN - 0.2 <= clock.now - began <= 10.0


def test_it_flows_evenly(limited, clock):
    throttle, at = limited(10 * MB), []
    for part in throttle.slices(bytes(4 * MB)):
        throttle.await_turn(len(part))
        at.append(clock.now)
    assert max(later - earlier for earlier, later in zip(at, at[1:], strict=False)) <= 0.05


def test_unused_time_is_no_credit(limited, clock):
    throttle = limited(MB)
    send(throttle, bytes(MB))
    clock.now += 60
    began = clock.now
    send(throttle, bytes(MB))
    assert clock.now - began >= 1 - FORGOTTEN - 0.1


def test_without_a_limit_nothing_waits_and_nothing_is_cut(limited, clock):
    throttle, began = limited(0), clock.now
    assert [len(part) for part in throttle.slices(bytes(50 * MB))] == [50 * MB]
    assert throttle.await_turn(50 * MB) == 0 and clock.now == began


def test_slices_are_all_of_the_data_and_never_tiny(limited):
    parts = list(limited(10_000).slices(bytes(range(256)) * 500))
    assert b"".join(parts) == bytes(range(256)) * 500
    assert all(len(part) == SLICE for part in parts[:-1])


def test_a_new_limit_holds_from_now_on(limited, clock):
    throttle = limited(MB)
    send(throttle, bytes(MB))
    throttle.change(10 * MB)
    began = clock.now
    send(throttle, bytes(10 * MB))
    assert 0.8 <= clock.now - began <= 1.0
    throttle.change(0)
    assert throttle.rate == 0
    began = clock.now
    send(throttle, bytes(100 * MB))
    assert clock.now == began


def waiting(throttle, outcome):
    def wait():
        try:
            throttle.await_turn(10**9)
            outcome.append("went on")
        except Stopped:
            outcome.append("stopped")

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(("end", "told"), [("change", "went on"), ("stop", "stopped")])
def test_who_waits_long_hears_of_a_change_and_of_the_end(end, told):
    stop, outcome = Stop(), []
    throttle = Throttle(10_000, stop)
    throttle.await_turn(10**9)
    thread = waiting(throttle, outcome)
    throttle.change(0) if end == "change" else stop.set(RuntimeError("over"))
    thread.join(10)
    assert outcome == [told]
