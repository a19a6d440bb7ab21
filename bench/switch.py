"""Hosts joined by a switch: a network namespace for each, whose link carries so much in either direction.

Only for use inside of namespaces of our own, as bench/network.py. The switch is in the namespace we are in, so that its
counters are in our /proc/net/dev: what a port sends is what its host receives.
"""

import re
import threading
import time
from pathlib import Path

from .network import call

BRIDGE = "fan-switch"
SUBNET = "10.97.0"
LOOK_EVERY = 0.02
_LINE = re.compile(r"\s*(\S+):\s*(\d+)(?:\s+\d+){7}\s+(\d+)")


class Switch:
    """`hosts[0]` is the source, the others are destinations; `rate` in Mbit/s."""

    def __init__(self, count, rate):
        self.hosts = [f"fan{number}" for number in range(count + 1)]
        self.rate = rate
        call("ip", "link", "add", BRIDGE, "type", "bridge")
        call("ip", "link", "set", BRIDGE, "up")
        for number, host in enumerate(self.hosts):
            self._join(number, host)

    def address(self, host):
        return f"{SUBNET}.{self.hosts.index(host) + 1}"

    def at(self, host, argv):
        return ["ip", "netns", "exec", host, *argv]

    def _join(self, number, host):
        port = f"{host}p"
        call("ip", "netns", "add", host)
        call("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host)
        call("ip", "link", "set", port, "master", BRIDGE)
        call("ip", "link", "set", port, "up")
        for words in (["link", "set", "lo", "up"], ["link", "set", "eth0", "up"]):
            call("ip", "-n", host, *words)
        call("ip", "-n", host, "address", "add", f"{SUBNET}.{number + 1}/24", "dev", "eth0")
        shape = f"tbf rate {self.rate}mbit burst 256k latency 50ms".split()
        call("tc", "qdisc", "replace", "dev", port, "root", *shape)
        call("tc", "-n", host, "qdisc", "replace", "dev", "eth0", "root", *shape)


def counters():
    """{host: (bytes it received, bytes it sent)} since it was joined."""
    lines = map(_LINE.match, Path("/proc/net/dev").read_text(encoding="ascii").splitlines())
    found = {match[1]: (int(match[3]), int(match[2])) for match in lines if match}
    return {port[:-1]: told for port, told in found.items() if port.startswith("fan") and port.endswith("p")}


class Counting:
    """Looks at the counters all the time; tells what passed in a `with` block, and when."""

    def __init__(self):
        self._zero = 0.0

    def begin(self):
        """Times count from here on, if they have not begun."""
        self._zero = self._zero or time.monotonic() - self._began

    def __enter__(self):
        self._before, self._began = counters(), time.monotonic()
        self._seen = [(0.0, self._before)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._over.set()
        self._thread.join()
        self._look()

    def _look_on(self):
        while not self._over.wait(LOOK_EVERY):
            self._look()

    def _look(self):
        self._seen.append((time.monotonic() - self._began, counters()))

    def passed(self, host):
        """(received, sent) in bytes."""
        before, after = self._before[host], self._seen[-1][1][host]
        return after[0] - before[0], after[1] - before[1]

    def when_received(self, host, amount):
        """Seconds until this host had received so many bytes; None if it never had."""
        found = (at for at, told in self._seen if told[host][0] - self._before[host][0] >= amount)
        at = next(found, None)
        return None if at is None else at - self._zero
