"""Two network namespaces joined by a pair of virtual interfaces, and what makes their link slow or long.

Only for use inside of namespaces of our own, where ./dev starts us: it mounts over /run and makes interfaces.
"""

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

SPACES = {"source": "bench-source", "destination": "bench-destination"}
DEVICES = {"source": "left", "destination": "right"}
NEAR = {"source": "10.99.0.1", "destination": "10.99.0.2"}
FAR = {"source": "10.98.0.1", "destination": "10.98.0.2"}
RELAY = Path(__file__).with_name("relay.py")


@dataclass(frozen=True)
class Link:
    """What lies between the ends: Mbit/s (None is as fast as the machine), and seconds for a round trip."""

    name: str
    rate: int | None = None
    round_trip: float = 0.0


UNSHAPED = Link("unshaped")
LINKS = {
    link.name: link
    for link in (UNSHAPED, Link("100 Mbit/s", 100), Link("1 Gbit/s", 1000), Link("200 Mbit/s, 80 ms", 200, 0.08))
}


class Loopback:
    """No network at all: what anybody can use."""

    @contextlib.contextmanager
    def over(self, link):
        if link != UNSHAPED:
            raise BenchError(f"{link.name} needs network namespaces")
        yield dict.fromkeys(SPACES, "127.0.0.1")

    def at(self, _role, argv):
        return argv


class Namespaces:
    """One network namespace for each end. `over(link)` gives the addresses to use."""

    def __init__(self):
        for name in SPACES.values():
            call("ip", "netns", "add", name)
        one, other = (("name", DEVICES[role], "netns", SPACES[role]) for role in SPACES)
        call("ip", "link", "add", *one, "type", "veth", "peer", *other)
        for role, name in SPACES.items():
            call("ip", "-n", name, "link", "set", "lo", "up")
            call("ip", "-n", name, "address", "add", f"{NEAR[role]}/24", "dev", DEVICES[role])
            call("ip", "-n", name, "link", "set", DEVICES[role], "up")

    def at(self, role, argv):
        """The command line that runs another at one end."""
        return ["ip", "netns", "exec", SPACES[role], *argv]

    @contextlib.contextmanager
    def over(self, link):
        """{role: address} while the ends are joined in this way."""
        if link.round_trip:
            with relaying(link):
                yield FAR
        elif link.rate:
            with self._shaped(link.rate):
                yield NEAR
        else:
            yield NEAR

    @contextlib.contextmanager
    def _shaped(self, rate):
        for role in SPACES:
            self._tc("replace", role, *f"tbf rate {rate}mbit burst 256k latency 50ms".split())
        try:
            yield
        finally:
            for role in SPACES:
                self._tc("delete", role)

    @staticmethod
    def _tc(verb, role, *discipline):
        call("tc", "-n", SPACES[role], "qdisc", verb, "dev", DEVICES[role], "root", *discipline)


@contextlib.contextmanager
def relaying(link):
    """A second pair of interfaces, joined by our own relay, while this lasts."""
    ends = [word for role in SPACES for word in (f"/run/netns/{SPACES[role]}", FAR[role])]
    line = ["--rate", str(link.rate), "--round-trip", str(link.round_trip)]
    command = [sys.executable, "-I", str(RELAY), *ends, *line]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as relay:
        try:
            if not relay.stdout.readline():
                raise BenchError(f"the relay of {link.name} did not start")
            yield
        finally:
            relay.kill()


def call(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
