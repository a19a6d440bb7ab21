"""A stream at the source: whoever waits for what is due hears that the work has ended, whenever that was."""

import threading
from types import SimpleNamespace

import pytest

from datamover.engine.loads import Load
from datamover.engine.stop import Stop, Stopped
from datamover.engine.streams import BUFFERS, Due, Stream
from datamover.errors import Cancelled, ConnectionLost
from datamover.wire import Admit, Mark, Piece, PieceKind
from tests.support.waiting import eventually


@pytest.fixture
def stop():
    return Stop()


@pytest.fixture
def stream(stop):
    return Stream(1, stop, release=lambda buffer: None, risen=lambda: None)


def test_work_that_ended_while_nobody_waited_has_ended_for_who_asks_what_is_due(stream, stop):
    stop.set(Cancelled("enough"))
    with pytest.raises(Stopped):
        stream.next()


@pytest.fixture
def open_stream(stream):
    """One whose connection is open, so that what it is given can be sent."""
    stream.admit(Admit(stream=1, connection=1, token=bytes(32), secret=bytes(32)))
    stream.admission()
    stream.begin(SimpleNamespace(sent=0, break_off=lambda: None))
    stream.next()
    return stream


def load(offset):
    return Load(Piece(0, 1, offset, 10, 10, PieceKind.DATA, stream=1), memoryview(bytes(10)), bytearray(10))


def sent(stream, offset):
    stream.put(load(offset))
    due = stream.next()
    stream.sending(due.piece.payload, due.piece.moved)
    return due


def test_whoever_is_in_a_hurry_has_the_other_end_asked_in_a_lull_and_not_after_each_piece(open_stream):
    open_stream.hurry()
    assert [type(sent(open_stream, offset)) for offset in (0, 10, 20)] == [Load] * 3
    assert open_stream.next() is Due.MARK
    assert open_stream.count(Mark).pieces == 3
    assert open_stream.next() is Due.PULSE


def test_nobody_is_asked_in_a_lull_who_is_in_no_hurry(open_stream):
    sent(open_stream, 0)
    assert open_stream.next() is Due.PULSE


def test_who_settles_has_the_other_end_asked_at_once(open_stream):
    sent(open_stream, 0)
    open_stream.settle()
    assert open_stream._due() is Due.MARK


def test_who_waits_for_room_goes_on_when_the_connection_is_lost_because_what_waits_is_only_owed_then(open_stream):
    for offset in range(0, 10 * BUFFERS, 10):
        open_stream.put(load(offset))
    putting = threading.Thread(target=open_stream.put, args=(load(10 * BUFFERS),), daemon=True)
    putting.start()
    eventually(lambda: open_stream._changed._waiters)
    open_stream.lose(ConnectionLost("it broke", host="beta", connection="bulk"))
    putting.join(30)
    assert not putting.is_alive() and open_stream.waiting == 0
