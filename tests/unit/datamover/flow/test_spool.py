"""What is kept of a stream: how much, for whom, and when it goes."""

import threading

import pytest

from datamover.engine.stop import Stop, Stopped
from datamover.errors import LeftBehind
from datamover.flow import spool
from datamover.flow.spool import Free, Spool, Window

SIZE = 8


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setattr(spool, "MEMORY", 4 * SIZE)
    monkeypatch.setattr(spool, "LOOK", 0.01)


def full(kind, *how):
    """One in which nothing has room any more."""
    made = kind(SIZE, *how)
    for number in range(1, 5):
        buffer = made.room()
        buffer[:] = bytes([number]) * SIZE
        made.keep(number, buffer, SIZE)
    return made


def read(kept, number, offset=0, length=SIZE):
    view = bytearray(length)
    kept.read(number, offset, memoryview(view))
    return bytes(view)


def steps():
    """A list that grows, and what makes it grow."""
    seen = []
    return seen, lambda: seen.append(True)


def test_a_spool_lets_go_what_one_took():
    kept = full(Spool, Stop())
    kept.let_go(2, 5)
    assert read(kept, 2, 2, 3) == b"\2\2\2"
    kept.let_go(2, 3)
    with pytest.raises(KeyError):
        read(kept, 2)
    kept.keep(5, kept.room(), 3)


def test_a_window_keeps_what_one_took_until_all_behind_hold_it():
    kept = full(Window, Stop(), lambda: None)
    kept.let_go(1, SIZE)
    assert read(kept, 1) == b"\1" * SIZE
    kept.let_go_below(3)
    assert read(kept, 3) == b"\3" * SIZE
    with pytest.raises(LeftBehind, match="segment 2 of the stream was let go"):
        read(kept, 2)


def test_a_segment_of_a_window_is_filled_bit_by_bit():
    kept = Window(SIZE, Stop(), lambda: None)
    kept.keep(1, kept.room(), 6)
    kept.fill(1, 0, b"abc")
    kept.fill(1, 3, b"def")
    assert read(kept, 1, 2, 4) == b"cdef"
    assert kept.is_free and kept.slow == (2 * SIZE, 0.0)


def test_who_is_held_up_at_a_window_shows_that_it_lives_until_there_is_room():
    seen, step = steps()
    kept = full(Window, Stop(), step)
    assert not kept.is_free
    waiting = threading.Thread(target=lambda: kept.keep(5, kept.room(), SIZE))
    waiting.start()
    while len(seen) < 3:
        assert waiting.is_alive()
    kept.let_go_below(2)
    waiting.join(10)
    assert read(kept, 5) and not waiting.is_alive()


def test_a_wait_for_room_ends_with_the_work_or_when_it_is_given_up():
    stop, given_up = Stop(), threading.Event()
    kept = full(Window, stop, given_up.set)
    assert kept.room(given_up.is_set) is None
    stop.set(ValueError("enough"))
    with pytest.raises(Stopped):
        kept.room()


def test_what_comes_while_there_is_little_room_says_nothing_of_how_fast_it_would_come(monkeypatch):
    times = iter([0.0, 1.0, 2.0, 50.0, 90.0, 91.0])
    monkeypatch.setattr("datamover.flow.spool.time.monotonic", lambda: next(times))
    free = Free()
    assert free.seconds(100) == 0
    for is_free in (True, True, True, False, True, True):
        free.note(10, is_free)
    assert free.seconds(300) == 30.0
