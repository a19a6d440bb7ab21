"""A stream at the source: whoever waits for what is due hears that the work has ended, whenever that was."""

import pytest

from datamover.engine.stop import Stop, Stopped
from datamover.engine.streams import Stream
from datamover.errors import Cancelled


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
