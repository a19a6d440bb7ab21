"""The way out of the source for one bulk stream."""

from types import SimpleNamespace

import pytest

from datamover.engine.outlet import Outlet
from datamover.engine.stages import Timesheet
from datamover.engine.stop import Stop, Stopped
from datamover.engine.throttle import Throttle
from datamover.errors import Superseded


def test_a_link_that_has_ended_sends_no_more_when_it_is_its_turn_by_the_limit():
    sent, stop = [], Stop()
    link = SimpleNamespace(backlog=0, held=0.0, stop=stop, send=sent.append)
    stop.set(Superseded("beta is served by alpha"))
    with pytest.raises(Stopped):
        Outlet(None, None, Throttle(0, Stop()), Timesheet()).send(link, bytes(100), 100)
    assert sent == []
