"""Three hosts on one bridge, each a network namespace without a name: when the test ends, so do they.

A namespace is held by a descriptor and entered by a thread of its own, so that the test itself never leaves its own.
"""

import contextlib
import ctypes
import functools
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

from hosttools.commands import Result

CLONE_NEWNET = 0x40000000
PORT, OTHER_PORT = 4400, 4401
ADDRESSES = {
    "destination": {"ip": "10.9.0.1", "ip6": "fd09::1"},
    "source": {"ip": "10.9.0.2", "ip6": "fd09::2"},
    "third": {"ip": "10.9.0.3", "ip6": "fd09::3"},
}
FAMILIES = {"ip": socket.AF_INET, "ip6": socket.AF_INET6}
PATIENCE = 60.0
LONGEST_KNOCK = 10.0
"""Seconds after which a connection was dropped on the way."""
MOST_KNOCKS = 4096
"""Nobody takes what is connected: the kernel holds so many, and drops what comes then, which looks like a firewall."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(status):
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def in_thread(function, *args):
    """The value of function(*args), run in a thread of its own that may change its namespace."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()


def _make_namespace():
    _checked(_libc.unshare(CLONE_NEWNET))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Host:
    """A network namespace, and what one does in it."""

    def __init__(self, name):
        self.name = name
        self.addresses = ADDRESSES.get(name, {})
        self._descriptor = in_thread(_make_namespace)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def close(self):
        os.close(self._descriptor)

    @property
    def entry(self):
        """The words before a command that make it run here."""
        return ["nsenter", f"--net={self.path}"]

    def run(self, command):
        """Carry out a Command of a program here."""
        argv = [*self.entry, *command.argv]
        done = subprocess.run(argv, input=command.stdin, capture_output=True, check=False, timeout=PATIENCE)
        return Result(done.returncode, done.stdout, done.stderr)

    def call(self, *argv, stdin=""):
        """Run a tool here that must succeed; returns what it printed."""
        argv = [*self.entry, *argv]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True, text=True, timeout=PATIENCE).stdout

    def inside(self, function, *args, **options):
        """The value of a function, called here: processes and sockets that it makes belong to this host."""
        return in_thread(self._enter_and, functools.partial(function, *args, **options))

    def _enter_and(self, function):
        _checked(_libc.setns(self._descriptor, CLONE_NEWNET))
        return function()

    def socket(self, family):
        """A socket that belongs to this host, wherever it is used."""
        return self.inside(socket.socket, FAMILIES[family], socket.SOCK_STREAM)

    @contextlib.contextmanager
    def listening(self, *ports):
        """Listeners of both families on the ports, which answer nobody but complete every handshake."""
        with contextlib.ExitStack() as stack:
            for port in ports:
                for family, address in self.addresses.items():
                    listener = stack.enter_context(self.socket(family))
                    listener.bind((address, port))
                    listener.listen(MOST_KNOCKS)
            yield

    def reaches(self, other, family, port=PORT, patience=LONGEST_KNOCK):
        """Whether a connection to the other host's port is made. A firewall that rejects says no at once."""
        with self.socket(family) as probe:
            probe.settimeout(patience)
            try:
                probe.connect((other.addresses[family], port))
            except OSError:  # dropped, or refused in one of the ways there are
                return False
            return True


class MachineHost(Host):
    """A machine of the lab as one of the hosts; its own links are gone."""

    def __init__(self, machine, name):
        self.name = name
        self.addresses = ADDRESSES[name]
        self._machine = machine
        self.path = f"/proc/{machine.pid}/ns/net"
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        for interface in ("eth0", "eth1"):
            self.call("ip", "link", "delete", interface)

    @property
    def entry(self):
        spaces = ("mount", "uts", "ipc", "net", "pid")
        return ["nsenter", f"--target={self._machine.pid}", *(f"--{each}" for each in spaces)]


@contextlib.contextmanager
def hosts(destination=None):
    """destination (made here, or this one), source and third, joined by a bridge; yields them by name."""
    with contextlib.ExitStack() as stack:
        bridge = stack.enter_context(contextlib.closing(Host("bridge")))
        bridge.call("ip", "-batch", "-", stdin="link add name br0 up type bridge forward_delay 0\n")
        made = [name for name in ADDRESSES if not (destination and name == destination.name)]
        found = {name: stack.enter_context(contextlib.closing(Host(name))) for name in made}
        if destination:
            found[destination.name] = destination
        for host in found.values():
            _join(bridge, host)
        if destination:
            stack.callback(destination.call, "ip", "link", "delete", "eth0")
        yield found


def _join(bridge, host):
    bridge.call(
        *("ip", "link", "add", "name", host.name, "up", "master", "br0"),
        *("type", "veth", "peer", "name", "eth0", "netns", host.path),
    )
    host.call(
        *("ip", "-batch", "-"),
        stdin=f"""
            link set lo up
            link set eth0 up
            address add {host.addresses["ip"]}/24 dev eth0
            address add {host.addresses["ip6"]}/64 dev eth0 nodad
        """,
    )
