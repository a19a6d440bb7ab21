"""The control connection between two ends, over a real pair of sockets."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from datamover.engine.control import Control
from datamover.engine.link import Link
from datamover.engine.stop import Stop
from datamover.errors import ConnectionLost, PeerFailed, SourceUnreadable
from datamover.wire import Failed, protocol
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
