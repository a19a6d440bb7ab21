"""Whom a host of a chain sets aside."""

import pytest

from datamover import wire
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
    pushes_back = False

    def leave_behind(self):
        self.said.append("left behind")
        return True


class Unwilling(Slow):
    pushes_back = True


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("datamover.engine.onward.time.monotonic", lambda: clock.now)
    return clock


class Chain:
    """Beta, or who it is, serves somebody: what it notes, and says to the host before it."""

    def __init__(self, hop, host="beta", keeps=True):
        self.events, self.left, self.hop = [], [], hop
        succession = Succession(Order(["alpha", "beta", "gamma", "delta"], host))
        if host == "alpha":
            succession.set_aside("beta")
        told = self._note, None, lambda *about: self.left.append(about), Stop()
        self._onward = Onward(succession, None, *told, keeps=keeps)
        self._onward._hops = {"gamma": hop}

    def _note(self, what, **about):
        self.events.append((what, about))

    def watch(self, clock):
        """What comes of it that next to nothing arrives there for a while."""
        for second in range(10, 10 * (LOOKS + 2), 10):
            clock.now = float(second)
            self._onward.look_at(self.hop, (4000 * MIB, 10.0), second * MIB)
        while self._onward._events._items:
            self._onward._events.get()()
        return self.events


@pytest.mark.parametrize(("kind", "told"), [(Slow, [("set-aside", {"host": "gamma"})]), (Unhurried, [])])
def test_one_that_takes_little_is_set_aside_but_not_for_what_the_limit_takes(clock, kind, told):
    assert Chain(kind(clock)).watch(clock) == told


def test_of_a_stream_who_may_only_be_served_slowly_is_handed_over_once_and_served_until_then(clock):
    chain = Chain(Slow(clock), keeps=False)
    assert chain.watch(clock) == [("handed-over", {"host": "gamma"})]
    assert chain.left == [("gamma", wire.ELSEWHERE)] and chain.hop.said == []


@pytest.mark.parametrize(("kind", "host"), [(Unwilling, "beta"), (Slow, "alpha")])
def test_of_a_stream_who_shows_that_it_is_slow_or_is_so_from_farther_up_too_is_left_behind(clock, kind, host):
    chain = Chain(kind(clock), host, keeps=False)
    assert ("set-aside", {"host": "gamma"}) in chain.watch(clock)
    assert chain.left == [] and "left behind" in chain.hop.said
