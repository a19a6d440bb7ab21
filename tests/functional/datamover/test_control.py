"""The control connection between two ends, over a real pair of sockets."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from datamover.engine.control import Control
from datamover.engine.link import Link
from datamover.engine.stop import Stop, Stopped
from datamover.errors import Cancelled, ConnectionLost, PeerFailed, SourceUnreadable
from datamover.wire import Adrift, Failed, Ping, protocol
from tests.support.waiting import eventually
from tests.unit.datamover.wire.test_protocol import ALPHA, BETA


@pytest.fixture
def stop():
    return Stop()


@pytest.fixture
def ends(stop):
    """(source, destination): two Controls that have said Hello and Welcome."""
    ours, theirs = (Link(each, stop) for each in socket.socketpair())
    welcome = protocol.answer(BETA, ALPHA, "alpha")
    yield (
        Control(ours, "source", [(ALPHA, True), (welcome, False)], "beta", stop),
        Control(theirs, "destination", [(ALPHA, False), (welcome, True)], "alpha", stop),
    )
    ours.close()
    theirs.close()


def test_a_failure_that_was_heard_after_another_reason_ended_the_work_is_still_told(ends, stop):
    source, destination = ends
    with ThreadPoolExecutor() as threads:
        parting = threads.submit(source.leave, Failed.of(SourceUnreadable("dir/file cannot be read: EIO")))
        destination._link.peek()
        stop.set(ConnectionLost("the bulk connection to alpha broke"))
        with pytest.raises(PeerFailed, match="EIO"):
            destination.hear(lambda message: None)
        failure = destination.leave()
        assert failure.evidence["name"] == SourceUnreadable.name
        assert parting.result() is None


def test_that_all_is_over_is_heard_after_another_reason_ended_the_work(ends, stop):
    source, destination = ends
    with ThreadPoolExecutor() as threads:
        parting = threads.submit(source.leave, Adrift(above="over"), Failed.of(Cancelled("enough")))
        stop.set(ConnectionLost("the bulk connection to alpha broke"))
        failure = destination.leave()
        assert (destination.over, failure.evidence["name"]) == (True, Cancelled.name)
        assert parting.result() is None


def test_what_came_together_with_the_end_of_the_work_is_still_heard(ends, stop):
    source, destination = ends

    def dispatch(message):
        stop.set(ConnectionLost("the bulk connection to alpha broke"))
        stop.check()

    with ThreadPoolExecutor() as threads:
        ping = Ping(sequence=1, phase="moving", steps=0, bytes_done=0, bytes_verified=0, files_done=0)
        words = ping, Adrift(above="over"), Failed.of(Cancelled("enough"))
        parting = threads.submit(source.leave, *words)
        await_waiting(destination._link, sum(len(word.encode()) for word in words))
        with pytest.raises(Stopped):
            destination.hear(dispatch)
        failure = destination.leave()
        assert (destination.over, failure.evidence["name"]) == (True, Cancelled.name)
        assert parting.result() is None


def await_waiting(link, count):
    link.peek()
    assert eventually(lambda: len(link.socket.recv(2 * count, socket.MSG_PEEK)) == count)
