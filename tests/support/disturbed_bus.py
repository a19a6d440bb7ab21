"""A master's bus that loses, delays or doubles what it carries: around a real one, or around one in memory.

What happens to an event is its fate: after how many seconds it is heard, as often as there are numbers.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque

import saltface
from tests.support.fleet import FakeFleet

CARRIED = (0.0,)
LOST = ()
DOUBLED = (0.0, 0.0)
LATE = (saltface.PROBE_PATIENCE + 7.0,)
"""When whoever asked has given up and asked again: longer than the patience and the probe of saltface."""
SHORTEST_WAIT = 0.01


def doubled(_event):
    """Everything is heard twice."""
    return DOUBLED


class First:
    """The first return of each minion to each function has this fate, and every event of a transfer.

    Not those to `but`: what is asked before anything has begun is not asked again.
    """

    def __init__(self, fate, but=("transfer.facts",)):
        self._fate = fate
        self._but = but
        self._seen = set()

    def __call__(self, event):
        data = event["data"]
        if event["tag"].startswith("salt/transfer/"):
            return self._fate
        return self._fate if "/ret/" in event["tag"] and self._is_first(data.get("id"), data["fun"]) else CARRIED

    def _is_first(self, host, function):
        is_first = function not in self._but and (host, function) not in self._seen
        self._seen.add((host, function))
        return is_first


class Disturbed:
    """What saltface.Fleet hears of a bus, and tells it."""

    def __init__(self, bus, fate, now):
        self._bus = bus
        self._fate = fate
        self._now = now
        self._serial = itertools.count()
        self._held = []

    def get_event(self, wait, **how):
        wait = min(wait, self._held[0][0] - self._now()) if self._held else wait
        event = self._bus.get_event(wait=max(wait, SHORTEST_WAIT), **how)
        if event is not None:
            self._take(event)
        return heapq.heappop(self._held)[-1] if self._held and self._held[0][0] <= self._now() else None

    def _take(self, event):
        fate = self._fate(event)
        for delay in fate:
            heapq.heappush(self._held, (self._now() + delay, next(self._serial), event))

    def fire_event(self, data, tag):
        for _ in self._fate({"tag": tag, "data": data}):
            self._bus.fire_event(data, tag)


class MemoryClient:
    """salt.client.LocalClient as a Fleet uses it. Minions are tables of functions, as those of a FakeFleet; they answer
    by events, at once. While nothing happens time passes by itself."""

    def __init__(self, minions, fate):
        self._minions = minions
        self._events = deque()
        self._time = 1000.0
        self.event = Disturbed(self, fate, self.now)

    def now(self):
        return self._time

    def destroy(self):
        pass

    def fire_event(self, data, tag):
        self._events.append({"tag": tag, "data": data})

    def get_event(self, wait, **_):
        if self._events:
            return self._events.popleft()
        self._time += wait
        return None

    def pub(self, hosts, function, arguments, tgt_type, jid, timeout):
        (given,) = arguments if function != "saltutil.find_job" else ({},)
        for host in hosts:
            returned = self._run(host, function, {name: value for name, value in given.items() if name != "__kwarg__"})
            if returned is not FakeFleet.SILENT:
                self.fire_event({"id": host, "fun": function, "return": returned}, f"salt/job/{jid}/ret/{host}")

    def _run(self, host, name, given):
        function = self._minions[host].get(name)
        if name == "saltutil.find_job":
            return {}  # whatever was asked has been done
        if function is None:
            return f"'{name}' is not available."
        try:
            return function(**given)
        except Exception as error:
            return f"The minion function caused an exception: Traceback\n{type(error).__name__}: {error}"


def fleets(client):
    """fleets(client)(opts) -> the real Fleet, whose master is this client."""

    class FleetInMemory(saltface.Fleet):
        @staticmethod
        def now():
            return client.now()

    return FleetInMemory
