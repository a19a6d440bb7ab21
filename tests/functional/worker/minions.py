"""Two minions without Salt: each a desk with a state directory of its own, in a network that is only theirs.

The runner's part is played by `Pair`: prepare both ends, exchange the roster, arm, go, follow. Workers are real
processes, started under a guardian because no systemd manages the test's machine.
"""

import contextlib
import ctypes
import os
import secrets
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from datamover.disk.safepath import encode_path
from datamover.engine.channel import make_identity
from datamover.host.rundir import RunDirs
from tests.unit.transferworker import samples
from transferworker.desk import Desk
from transferworker.limits import Limits
from transferworker.policy import Policy

CLONE_NEWNET = 0x40000000
LONG_AGO = 10**9
PATIENCE = 60.0

_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """A network namespace. What is started in it stays in it; the test's own threads never enter it for long."""

    def __init__(self, path=None):
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path else _in_thread(_make)

    def do(self, function, *args):
        """function(*args) in this network; its value or exception."""
        return _in_thread(self._enter, function, args)

    def _enter(self, function, args):
        _checked(_libc.setns(self._descriptor, CLONE_NEWNET))
        return function(*args)

    def limit(self, rate, device="lo"):
        """Let the device carry no more than `rate` (as tc writes it), so that a transfer lasts."""
        limit = ["tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst", "128kb", "latency", "1s"]
        self.do(lambda: subprocess.run(limit, check=True))

    def unlimit(self, device="lo"):
        self.do(lambda: subprocess.run(["tc", "qdisc", "del", "dev", device, "root"], check=True))

    def close(self):
        os.close(self._descriptor)


def _make():
    _checked(_libc.unshare(CLONE_NEWNET))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _checked(status):
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _in_thread(function, *args):
    outcome = []

    def run():
        try:
            outcome.append((function(*args), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error:
        raise error
    return value


def at_once(function, ends):
    """What it gives for each, all asked at once as a runner does: so the first one waits little for the last one."""
    with ThreadPoolExecutor(len(ends)) as pool:
        return list(pool.map(function, ends))


class Minion:
    """One host's end: a desk, called from within the minion's network."""

    def __init__(self, name, home, network, address="127.0.0.1", policy=None):
        self.name = name
        self.address = address
        self.state_dir = home / f"{name}-state"
        self.network = network
        self.policy = policy or Policy()
        self.desk = Desk(self.state_dir, name, Limits(LONG_AGO))

    def prepare(self, spec):
        return self.network.do(self.desk.prepare, spec, self.policy)

    def follow_to_the_end(self, transfer, role=""):
        status = {"seq": 0, "verdict": None}
        while status["verdict"] is None:
            before = status["seq"]
            status = self.network.do(self.desk.follow, transfer, before, PATIENCE, role)
            assert status["verdict"] or status["seq"] > before, f"nothing happened for {PATIENCE} s: {status}"
        return status["verdict"]

    def run(self, transfer, role):
        return RunDirs(self.state_dir).open(transfer, role)

    def ask(self, name, *args):
        """A function of the desk, called in the minion's network."""
        return self.network.do(getattr(self.desk, name), *args)


class Pair:
    """A source and a destination, and the transfer between them."""

    def __init__(self, source, destination, src, dst, **changes):
        self.source, self.destination = source, destination
        self.transfer = secrets.token_hex(16)
        self.src, self.dst = Path(src), Path(dst)
        self._changes = changes
        self.attempt = 1
        self.answers = {}

    def spec(self, role, **changes):
        own, peer = (self.source, self.destination) if role == "source" else (self.destination, self.source)
        listen = {"addresses": [own.address], "port": 0, "ports": [4400, 4499]}
        peer_role = "destination" if role == "source" else "source"
        ours = {
            "transfer": self.transfer,
            "attempt": self.attempt,
            "dataset": self.transfer,
            "host": own.name,
            "path": encode_path(os.fsencode(self.src if role == "source" else self.dst)),
            "listen": listen if role == "destination" else None,
            "peers": [{"host": peer.name, "role": peer_role, "addresses": [peer.address]}],
        }
        return samples.spec(role, **{**ours, **self._changes, **changes})

    def minion(self, role):
        return self.source if role == "source" else self.destination

    def prepare_alone(self, role):
        """Prepare one end only; the other one is a certificate without anybody behind it."""
        other = "source" if role == "destination" else "destination"
        self.answers[other] = {"certificate": make_identity("nobody").certificate, "port": 1, "pid": 0}
        return self.prepare(role)

    def prepare(self, *roles):
        roles = roles or ("destination", "source")
        self.answers |= zip(roles, at_once(lambda role: self.minion(role).prepare(self.spec(role)), roles), strict=True)
        return self

    @property
    def roster(self):
        members = [
            {
                "host": self.minion(role).name,
                "role": role,
                "addresses": [self.minion(role).address],
                "port": answer["port"],
                "certificate": answer["certificate"],
            }
            for role, answer in sorted(self.answers.items(), reverse=True)
        ]
        return {"transfer": self.transfer, "attempt": self.attempt, "epoch": 1, "members": members}

    def arm(self, *roles):
        for role in roles or ("destination", "source"):
            self.minion(role).ask("arm", self.transfer, self.roster, role)
        return self

    def go(self):
        self.source.ask("go", self.transfer, "source")
        return self

    def begin(self):
        return self.prepare().arm().go()

    def again(self, **changes):
        """The next attempt, begun."""
        self.attempt += 1
        self._changes |= changes
        return self.begin()

    def verdicts(self):
        """(source's, destination's) when both have one."""
        return tuple(self.verdict(role) for role in ("source", "destination"))

    def verdict(self, role):
        return self.minion(role).follow_to_the_end(self.transfer, role)

    def follow_until(self, role, phase):
        """Follow one end until it has entered this phase."""
        seq = 0
        while True:
            status = self.minion(role).ask("follow", self.transfer, seq, PATIENCE, role)
            if phase in status["phases"]:
                return status
            assert status["seq"] > seq and not status["verdict"], f"never came to {phase}: {status}"
            seq = status["seq"]

    def run(self, role):
        return self.minion(role).run(self.transfer, role)

    def worker(self, role):
        return psutil.Process(self.answers[role]["pid"])

    def kill(self, role):
        """kill -9 of one end's worker."""
        os.kill(self.answers[role]["pid"], signal.SIGKILL)

    def end(self):
        """Whatever a test left running ends."""
        for role in ("source", "destination"):
            with contextlib.suppress(Exception):
                self.minion(role).ask("cancel", self.transfer, role)


class Row:
    """A source and several destinations in a chain, and the transfer along them. Each lands at `dst`/its name/data."""

    def __init__(self, source, destinations, src, dst, **changes):
        self.source, self.destinations = source, list(destinations)
        self.transfer = secrets.token_hex(16)
        self.src, self.dst = Path(src), Path(dst)
        self._changes = changes
        self.answers = {}
        for minion in self.destinations:
            self.path(minion).parent.mkdir()

    @property
    def minions(self):
        return [self.source, *self.destinations]

    def role(self, minion):
        return "source" if minion is self.source else "destination"

    def path(self, minion):
        return self.src if minion is self.source else self.dst / minion.name / "data"

    def spec(self, minion):
        place = self.minions.index(minion)
        after = [self._peer(each) for each in self.minions[place + 1 :]]
        before = [self._peer(each) for each in self.minions[:place]]
        ours = {
            "transfer": self.transfer,
            "dataset": self.transfer,
            "host": minion.name,
            "path": encode_path(os.fsencode(self.path(minion))),
            "fanout": "chain",
            "listen": {"addresses": [minion.address], "port": 0, "ports": [4400, 4499]} if place else None,
            "peers": before if place else after,
        }
        if place:
            ours |= {"leaf": place - 1, "successors": after}
        return samples.spec(self.role(minion), **{**ours, **self._changes})

    def _peer(self, minion):
        return {"host": minion.name, "role": self.role(minion), "addresses": [minion.address]}

    @property
    def roster(self):
        members = [
            {
                **self._peer(minion),
                "port": self.answers[minion.name]["port"],
                "certificate": self.answers[minion.name]["certificate"],
            }
            for minion in self.minions
        ]
        return {"transfer": self.transfer, "attempt": 1, "epoch": 1, "members": members}

    def begin(self):
        answers = at_once(lambda minion: minion.prepare(self.spec(minion)), self.minions)
        self.answers = {minion.name: answer for minion, answer in zip(self.minions, answers, strict=True)}
        for minion in self.minions:
            minion.ask("arm", self.transfer, self.roster, self.role(minion))
        self.source.ask("go", self.transfer, "source")
        return self

    def worker(self, minion):
        return psutil.Process(self.answers[minion.name]["pid"])

    def status(self, minion):
        return minion.ask("status", self.transfer, self.role(minion))

    def verdict(self, minion):
        return minion.follow_to_the_end(self.transfer, self.role(minion))

    def verdicts(self):
        return {minion.name: self.verdict(minion) for minion in self.minions}

    def end(self):
        """Whatever a test left running ends."""
        for minion in self.minions:
            with contextlib.suppress(Exception):
                minion.ask("cancel", self.transfer, self.role(minion))
