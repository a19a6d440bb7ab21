"""Whom a host of a chain sets aside."""

import pytest

from datamover.engine.onward import Onward
from datamover.engine.order import Order, Succession
from datamover.engine.pace import LOOKS, Pace
from datamover.engine.stop import Stop

MIB = 1024 * 1024


class Served:
    """A link over which next to nothing gets through."""

    host = "gamma"
    carried = False

    def __init__(self, clock):
        self.pace = Pace()
        self.said = []
        self._clock = clock

    def say_adrift(self, *above):
        self.said.append(above)


class Unhurried(Served):
    """But that is because of the limit."""

    @property
    def withheld(self):
        return self._clock.now * 0.999


class Slow(Served):
    withheld = 0.0


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("datamover.engine.onward.time.monotonic", lambda: clock.now)
    return clock


@pytest.mark.parametrize(("kind", "told"), [(Slow, [("set-aside", {"host": "gamma"})]), (Unhurried, [])])
def test_one_that_takes_little_is_set_aside_but_not_for_what_the_limit_takes(clock, kind, told):
    events = []
    note = lambda what, **about: events.append((what, about))  # noqa: E731
    succession = Succession(Order(["alpha", "beta", "gamma", "delta"], "beta"))
    hop = kind(clock)
    onward = Onward(succession, None, note, None, None, Stop())
    onward._hops = {"gamma": hop}
    for second in range(10, 10 * (LOOKS + 2), 10):
        clock.now = float(second)
        onward.look_at(hop, (4000 * MIB, 10.0), second * MIB)
    while onward._events._items:
        onward._note(*onward._events.get())
    assert events == told
