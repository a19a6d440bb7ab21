"""Ending early: the first reason wins and every kind of wait ends."""

import select
import socket
import threading

import pytest

from datamover.engine.stop import Countdown, Crew, Lane, Stop, Stopped, wait_ready


def in_thread(work):
    """Run `work` in a thread; return a function that waits for it and gives its result or exception."""
    outcome = []

    def run():
        try:
            outcome.append(work())
        except BaseException as trouble:
            outcome.append(trouble)

    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join(10)
        assert not thread.is_alive()
        return outcome[0]

    return result


@pytest.fixture
def stop():
    return Stop()


def test_the_first_reason_wins(stop):
    first, second = ValueError("first"), ValueError("second")
    assert stop.set(first) and not stop.set(second)
    assert stop.reason is first


def test_check_raises_only_after_the_end(stop):
    stop.check()
    stop.set(ValueError())
    with pytest.raises(Stopped):
        stop.check()


def test_listeners_hear_the_reason_once_before_and_after(stop):
    heard, reason = [], ValueError()
    stop.on_set(heard.append)
    stop.set(reason)
    stop.set(ValueError())
    stop.on_set(heard.append)
    assert heard == [reason, reason]


def test_a_child_ends_with_its_parent_and_not_the_other_way_round(stop):
    first, second = stop.child(), stop.child()
    reason = ValueError()
    first.set(ValueError("its own"))
    assert not stop.is_set() and not second.is_set()
    stop.set(reason)
    assert second.reason is reason and str(first.reason) == "its own"


def test_it_can_be_set_from_its_own_listener(stop):
    stop.on_set(lambda reason: stop.set(ValueError("late")))
    stop.set(ValueError("first"))
    assert str(stop.reason) == "first"


def test_waiting_for_a_socket_ends_with_the_work(stop):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        result = in_thread(lambda: wait_ready(ours.fileno(), select.POLLIN, None, stop))
        stop.set(ValueError())
        assert isinstance(result(), Stopped)


def test_waiting_for_a_socket_says_whether_it_is_ready(stop):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not wait_ready(ours.fileno(), select.POLLIN, 0, stop)
        theirs.send(b"x")
        assert wait_ready(ours.fileno(), select.POLLIN, 10, stop)


def test_a_lane_keeps_the_order_and_waits_when_full(stop):
    lane = Lane(2, stop)
    result = in_thread(lambda: [lane.put(number) for number in range(5)])
    assert [lane.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert result() == [None] * 5


def test_both_sides_of_a_lane_end_with_the_work(stop):
    full, empty = Lane(1, stop), Lane(1, stop)
    full.put("only")
    results = [in_thread(lambda: full.put("more")), in_thread(empty.get)]
    stop.set(ValueError())
    assert all(isinstance(result(), Stopped) for result in results)


def test_a_lane_takes_what_fits_without_waiting(stop):
    lane = Lane(1, stop)
    assert lane.offer("first") and not lane.offer("second")
    assert lane.get() == "first"


def test_the_first_trouble_in_a_crew_stops_all(stop):
    crew, lane, trouble = Crew("test", stop), Lane(1, stop), ValueError("trouble")

    def fail():
        raise trouble

    crew.start("waits", lane.get)
    crew.start("fails", fail)
    assert crew.join(10) == []
    assert stop.reason is trouble


def test_a_crew_names_who_does_not_end(stop):
    crew, end = Crew("test", stop), threading.Event()
    crew.start("deaf", end.wait)
    assert crew.join(0) == ["test deaf"]
    end.set()
    assert crew.join(10) == []


def test_a_countdown_never_goes_below_zero():
    assert Countdown(-5).left() == 0
    assert 0 < Countdown(100).left() <= 100
