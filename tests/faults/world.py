"""Two hosts and a transfer between them, and what can be done to both: real workers, real packets, a real firewall."""

import contextlib
import os
import random
import shutil
import signal
import socket
from pathlib import Path

import psutil
from lab import held

from datamover.host import process
from hosttools import firewall
from hosttools.commands import drive
from tests.functional.datamover.places import independent_differences
from tests.functional.hosttools.guards import GUARDS, snapshot
from tests.functional.hosttools.hosts import hosts
from tests.functional.worker.minions import Minion, Network, Pair
from tests.support.waiting import eventually

LEASE = 8
STALL = 12
RATE = "32mbit"
BLOCK_SIZE = 256 * 1024
SETTINGS = {"lease": LEASE, "stall_timeout": STALL, "block_size": BLOCK_SIZE, "keep_partial": 3600}
CLOSED = ("TIME-WAIT", "FIN-WAIT-2")
"""States of sockets that nobody has any more: the kernel waits for what may still be under way."""
GLANCE = 0.002
"""Seconds between two looks at what may last some milliseconds only."""
HALTED = {"T"}
HALTED_OR_OVER = (HALTED, {"Z"}, set())
GRACE = 20
"""Seconds beyond the lease for a busy machine."""
STAGING = ".salt-transfer-"
GUARD = next(guard for guard in GUARDS if guard.name == "nft-inet")
CUT = """
table inet cut {
    chain everything {
        type filter hook prerouting priority -500
        drop
    }
}
"""
RESET = CUT.replace("prerouting", "input").replace("drop", "meta l4proto tcp reject with tcp reset")
HEALED = "delete table inet cut\n"


class World:
    """A source and a destination on one bridge. The destination's firewall drops what nobody let in."""

    def __init__(self, home):
        self.home = Path(home)
        self._left = contextlib.ExitStack()

    def __enter__(self):
        self._hosts = self._left.enter_context(hosts())
        self.minions = {name: self._minion(name) for name in ("source", "destination")}
        self.minions["source"].network.limit(RATE, "eth0")
        GUARD.install(self._hosts["destination"])
        self._rules = {role: snapshot(self._hosts[role]) for role in self.minions}
        found = self.minions["destination"].network.do(drive, firewall.survey(), process.run)
        self.opening = {"backend": found["backend"], "chains": found["chains"]}
        return self

    def __exit__(self, *_):
        self._left.close()

    def _minion(self, name):
        host = self._hosts[name]
        network = self._left.enter_context(contextlib.closing(Network(host.path)))
        return Minion(name, self.home, network, host.addresses["ip"])

    # What happens to it

    def cut(self):
        """No packet arrives at the destination any more."""
        self._hosts["destination"].call("nft", "-f", "-", stdin=CUT)

    def reset(self):
        """Whatever arrives at the destination is answered with a reset."""
        self.heal()
        self._hosts["destination"].call("nft", "-f", "-", stdin=RESET)

    def heal(self):
        with contextlib.suppress(Exception):
            self._hosts["destination"].call("nft", "-f", "-", stdin=HEALED)

    def boot(self, role):
        """What comes up after a power cut: the rules as at boot, and whoever looks for what was left."""
        if role == "destination":
            GUARD.install(self._hosts["destination"])
        self.minions[role].ask("sweep")

    # What can be seen of it

    def left(self, transfer, kept=()):
        """Sentences about what is open, runs or lies about after an attempt; `kept` may be below the destination."""
        eventually(lambda: next(self._left_now(transfer, kept), None) is None, LEASE + GRACE)
        return list(self._left_now(transfer, kept))

    def _left_now(self, transfer, kept):
        yield from (f"there is {name}" for name in sorted(set(os.listdir(self.home / "srv")) - set(kept)))
        yield from (f"a process runs: {words}" for words in processes(transfer))
        for role, minion in self.minions.items():
            yield from (f"{role} has a socket: {line}" for line in self._sockets(role))
            yield from (f"{role}: {sentence}" for sentence in self._changed_rules(role))
            yield from (f"{role}: {line}" for line in held.held(minion.state_dir) if line not in resting(kept))

    def _sockets(self, role):
        lines = self._hosts[role].call("ss", "-HOtan").splitlines()
        return [line for line in lines if not line.startswith(CLOSED)]

    def _changed_rules(self, role):
        before, now = self._rules[role], snapshot(self._hosts[role])
        yield from (f"the rules {str(more)[:200]} were not there before" for more in now if more not in before)
        yield from (f"the rules {str(less)[:200]} are gone" for less in before if less not in now)


def resting(kept):
    """What the state directory says of data that may rest in staging directories of these names."""
    return {held.resting(name.removeprefix(STAGING)) for name in kept if name.startswith(STAGING)}


def thread_states(pid):
    """In which states the threads of a process are, as letters; none if it is gone."""
    found = set()
    for each in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            found.add(each.read_text().rpartition(")")[2].split()[0])
    return found


def processes(transfer):
    """The command lines of all processes that have to do with a transfer."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            words = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if transfer in words:
                yield words


class Attempts(Pair):
    """One transfer with as many attempts as it takes."""

    def __init__(self, world, **settings):
        settings = {f"settings__{name}": value for name, value in {**SETTINGS, **settings}.items()}
        super().__init__(
            world.minions["source"],
            world.minions["destination"],
            world.home / "data",
            world.home / "srv/data",
            firewall=world.opening,
            **settings,
        )
        self.attempt = 0

    def next(self):
        self.attempt += 1
        self.answers = {}
        return self

    def spec(self, role, **changes):
        return super().spec(role, attempt=self.attempt, **changes)

    @property
    def roster(self):
        return {**super().roster, "attempt": self.attempt}

    @property
    def staging(self):
        return f"{STAGING}{self.transfer}"

    def landed(self):
        """Bytes that are on the destination's disk in staging."""
        root = self.dst.parent / self.staging
        return sum(os.lstat(os.path.join(at, name)).st_blocks * 512 for at, _, names in os.walk(root) for name in names)

    def has_arrived(self):
        """Whether anything is staged that another attempt can go on with."""
        staging = self.dst.parent / self.staging
        return any(staging.glob("data")) or any(staging.glob("earlier*"))

    def done(self):
        """Bytes of files that the destination last recorded as done."""
        state = self.run("destination").read("state")
        return state["progress"]["bytes_done"] if state else 0

    def pid(self, role):
        return self.answers[role]["pid"]

    def signal(self, role, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(role), number)

    def freeze(self, role):
        """Halt all threads of a worker where they are; False if it has ended."""
        self.signal(role, signal.SIGSTOP)
        eventually(lambda: thread_states(self.pid(role)) in HALTED_OR_OVER, pause=GLANCE)
        return thread_states(self.pid(role)) == HALTED

    def ask_to_cancel(self, role):
        """Leave a request at the worker's socket, which it finds when it goes on."""
        directory = os.open(self.run(role).path, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.connect(f"/proc/self/fd/{directory}/control")  # the path itself may be too long
                asking.sendall(b'{"do": "cancel"}\n')
        finally:
            os.close(directory)

    def cut_power(self, role):
        """Worker and guardian end at once."""
        with contextlib.suppress(psutil.Error):
            worker = psutil.Process(self.pid(role))
            guardian = worker.parent()
            if guardian and self.transfer in " ".join(guardian.cmdline()):
                guardian.send_signal(signal.SIGKILL)
            worker.send_signal(signal.SIGKILL)


# --- what is moved --------------------------------------------------------------------------------------------------


def plant_tree(root, seed):
    """A small tree with one of most things, different for every seed."""
    dice = random.Random(seed)
    (root / "empty").mkdir(parents=True)
    for number in range(dice.randrange(10, 60)):
        path = root / f"d{number % 4}" / f"small {number}\n"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(dice.randbytes(dice.choice((0, 1, 100, 5_000, 70_000))))
    for number in range(dice.randrange(1, 3)):
        (root / f"big{number}").write_bytes(dice.randbytes(dice.randrange(1_000_000, 3_000_000)))
    with open(root / "sparse", "wb") as file:
        file.seek(dice.randrange(1 << 20, 4 << 20))
        file.write(dice.randbytes(300_000))
    (root / "link").symlink_to("big0")
    (root / "hard").hardlink_to(root / "big0")


def flip_a_byte(staging, dice):
    """One byte of what lies in staging becomes another one."""
    files = [path for path in sorted(staging.rglob("*")) if path.is_file() and not path.is_symlink()]
    files = [path for path in files if path.name != "about.json" and path.stat().st_size]
    if files:
        with open(dice.choice(files), "r+b") as file:
            at = dice.randrange(os.fstat(file.fileno()).st_size)
            old = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([old[0] ^ 1]), at)


def replace_a_file(root, dice):
    (root / "new").write_bytes(dice.randbytes(1_200_000))
    os.replace(root / "new", root / "big0")


def grow_a_file(root, dice):
    with open(root / "d1" / "small 1\n", "ab") as file:
        file.write(dice.randbytes(10_000))


def differences(world):
    return independent_differences(world.home / "data", world.home / "srv/data")


def empty(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
