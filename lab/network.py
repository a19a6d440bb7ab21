"""The cables of the lab: two bridges, a link of each machine to both, and what disturbs a link.

Cuts and drops happen on the outer end of a link, so that a machine's own firewall stays what the machine made it.
"""
import ipaddress
import json
import subprocess
from dataclasses import dataclass

from .errors import LabError

SIDES = {"front": "10.77", "back": "10.78"}
PREFIXES = {"front": "fd77", "back": "fd78"}
INTERFACES = {"front": "eth0", "back": "eth1"}
OWN_LINK_NAMES = ("lo", "lab")


def ip(*arguments):
    """Run `ip` with these arguments and return what it prints."""
    return run_tool("ip", *arguments)


def run_tool(*argv, text=None):
    """Run a tool of the host and return what it prints."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(argv)} failed with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _inside(pid):
    return ("nsenter", "--target", str(pid), "--net")


def links():
    """The names of all network interfaces of this namespace."""
    return {link["ifname"] for link in json.loads(ip("-json", "link", "show"))}


def remove(name):
    """Delete an interface; that it is gone already, with the machine that held its other end, is as good."""
    try:
        ip("link", "del", name)
    except LabError:
        if name in links():
            raise


@dataclass(frozen=True)
class Network:
    """The two bridges of one lab; `number` keeps several labs in one namespace apart."""

    number: int

    @classmethod
    def free(cls):
        """The first network whose bridges do not exist yet; refuses to run beside interfaces that are not the lab's."""
        present = links()
        foreign = sorted(name for name in present if not name.startswith(OWN_LINK_NAMES))
        if foreign:
            raise LabError(
                f"This network namespace has interfaces of its own ({', '.join(foreign)}); "
                "the lab only runs in a private one: start it through ./dev"
            )
        return cls(next(number for number in range(100) if f"lab{number}front" not in present))

    def bridge(self, side):
        return f"lab{self.number}{side}"

    def addresses(self, host):
        """Addresses of a host: {side: (IPv4, IPv6)}; host number 1 is the bridge itself."""
        return {side: (f"{SIDES[side]}.{self.number}.{host}", self._ipv6(side, host)) for side in SIDES}

    def _ipv6(self, side, host):
        return str(ipaddress.ip_address(f"{PREFIXES[side]}:{self.number}::{host}"))

    def build(self):
        """Create both bridges and give the outside an address on each."""
        ip("link", "set", "lo", "up")
        for side, (ipv4, ipv6) in self.addresses(1).items():
            ip("link", "add", self.bridge(side), "type", "bridge")
            ip("addr", "add", f"{ipv4}/24", "dev", self.bridge(side))
            ip("addr", "add", f"{ipv6}/64", "dev", self.bridge(side), "nodad")
            ip("link", "set", self.bridge(side), "up")

    def remove(self):
        """Delete the bridges that exist."""
        for side in SIDES:
            remove(self.bridge(side))

    def link(self, host, side, pid=None):
        """The link of a host to one side; `pid` is the init of its machine, if it runs."""
        return Link(f"lab{self.number}-{host}{side[0]}", side, pid)

    def plug_in(self, host, pid):
        """Join the network namespace of process `pid` to both bridges, with the addresses of `host`."""
        inside = _inside(pid) + ("ip",)
        run_tool(*inside, "link", "set", "lo", "up")
        for side, (ipv4, ipv6) in self.addresses(host).items():
            outer, inner = self.link(host, side).name, INTERFACES[side]
            ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", str(pid))
            ip("link", "set", outer, "master", self.bridge(side), "up")
            run_tool(*inside, "addr", "add", f"{ipv4}/24", "dev", inner)
            run_tool(*inside, "addr", "add", f"{ipv6}/64", "dev", inner, "nodad")
            run_tool(*inside, "link", "set", inner, "up")

    def unplug(self, host):
        """Take the links of a host away; a machine that lost its power no longer has any."""
        for side in SIDES:
            remove(self.link(host, side).name)


@dataclass(frozen=True)
class Link:
    """One link between a machine and a bridge: its outer end, and the machine's init if it runs."""

    name: str
    side: str
    pid: int | None = None

    def up(self):
        ip("link", "set", self.name, "up")

    def down(self):
        """Cut the link; neither end hears anything more."""
        ip("link", "set", self.name, "down")

    def rate(self, rate):
        """Slow down both directions to `rate`, such as 10mbit."""
        shape = f"root tbf rate {rate} burst 64k latency 100ms".split()
        run_tool("tc", "qdisc", "replace", "dev", self.name, *shape)
        run_tool(*_inside(self.pid), "tc", "qdisc", "replace", "dev", INTERFACES[self.side], *shape)

    def drop(self, port):
        """Drop every TCP packet from or to this port, in both directions, without a word to anybody."""
        rules = "".join(self._drop_rules(hook, int(port)) for hook in ("ingress", "egress"))
        run_tool("nft", "-f", "-", text=f"add table netdev {self.name}\n{rules}")

    def _drop_rules(self, hook, port):
        chain = f"netdev {self.name} {hook}"
        return (
            f'add chain {chain} {{ type filter hook {hook} device "{self.name}" priority 0; policy accept; }}\n'
            f"add rule {chain} meta l4proto tcp th sport {port} drop\n"
            f"add rule {chain} meta l4proto tcp th dport {port} drop\n"
        )

    def heal(self):
        """Undo everything that disturbs this link."""
        run_tool("nft", "-f", "-", text=f"add table netdev {self.name}\ndelete table netdev {self.name}\n")
        default = ("root", "pfifo_fast")  # a link that was never slowed down has nothing to delete
        run_tool("tc", "qdisc", "replace", "dev", self.name, *default)
        run_tool(*_inside(self.pid), "tc", "qdisc", "replace", "dev", INTERFACES[self.side], *default)
        self.up()
