"""Destinations of a chain that die or stand still at random moments, round after round, with a seed: the living all end
equal.

    python -m tests.faults.chains --rounds 100 --seed 7 [--hosts 8]
    python -m tests.faults.chains --seed 7 --only 12          play one round again

Engine only: every host is a process of its own. In most rounds a tree goes through the chain, in the others a stream,
which a program makes once and each host keeps as a file. One to three destinations are killed, or one stands still,
each when a share of everything has landed there or when it comes to a phase after that. Then every living one must have
published what the source sealed and have closed and ended all that it had opened and begun, and the dead must be named
by who served them unless they had published before. Under a final name there is all of it or nothing, at the dead too.
"""

import argparse
import filecmp
import multiprocessing
import multiprocessing.connection
import os
import pickle
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from datamover.engine.outcome import Outcome
from datamover.flow import spool
from tests.functional.datamover.chains import Chains
from tests.functional.datamover.places import independent_differences, plant
from tests.functional.datamover.streams import Flows, python
from tests.functional.datamover.test_stream import ECHO

MIB = 1024 * 1024
HOSTS = 8
PATIENCE = 240
LEASE = 6
STALL = 60
WINDOW = 12 * MIB
"""What a host keeps of a stream, which is a half to a third of it."""
STREAMS, HALTS = 0.3, 0.1
"""The share of the rounds in which a stream is sent, and of those in which one stands still."""
LATE = "verifying", "sealed", "publishing", "published"
"""Phases in which all has landed; `published` is before the word that tells so."""
LATER = 0.5
"""The share of the blows that fall in one of these."""
ENGINE = ("source ", "destination ", "link")


@dataclass(frozen=True)
class Kill:
    """This destination dies when so much (0 to 1) of everything has landed there, or when it comes to the `phase`."""

    host: str
    share: float
    phase: str = ""


@dataclass(frozen=True)
class Round:
    """Where it `halts` the one in `kills` is not killed, but stands still."""

    number: int
    seed: int
    tree: int
    encrypt: bool
    streams: int
    verify: str
    kills: tuple[Kill, ...]
    stream: bool = False
    halts: bool = False

    @property
    def dead(self):
        return {kill.host for kill in self.kills}


def names(count):
    return [f"host{number}" for number in range(1, count + 1)]


def draw(seed, number, count=HOSTS):
    """A round of this seed, which does not depend on how many there are."""
    dice = random.Random(f"{seed}/{number}/chain")
    dead = dice.sample(names(count), min(count - 1, dice.choice((1, 1, 2, 3))))
    drawn = Round(
        number=number,
        seed=seed,
        tree=dice.randrange(1 << 30),
        encrypt=dice.random() < 0.7,
        streams=dice.choice((1, 1, 2)),
        verify=dice.choice(("readback", "flight")),
        kills=tuple(Kill(host, dice.random()) for host in dead),
    )
    return _varied(drawn, random.Random(f"{seed}/{number}/chain, varied"))


def _varied(drawn, dice):
    """Now and then a stream in place of the tree; now and then one that stands still, when it is served already."""
    if dice.random() < STREAMS:
        drawn = replace(drawn, stream=True, verify="flight")
    if dice.random() < HALTS:
        first = drawn.kills[0]
        drawn = replace(drawn, halts=True, kills=(replace(first, share=max(0.05, first.share)),))
    return replace(drawn, kills=tuple(replace(kill, phase=_phase(dice)) for kill in drawn.kills))


def _phase(dice):
    return dice.choice(LATE) if dice.random() < LATER else ""


# --- what goes through the chain --------------------------------------------------------------------------------------


class Tree:
    """A large file, middling ones, and many small ones."""

    def __init__(self, round_, folder, hosts, **settings):
        self._root = plant_tree(folder / "source", round_.tree)
        self.bytes = sum(path.stat().st_size for path in self._root.rglob("*") if path.is_file())
        self.chain = Chains(self._root, folder, hosts, verify=round_.verify, **settings)

    def differences(self, place):
        return independent_differences(str(self._root), str(place))


def plant_tree(root, seed):
    dice = random.Random(seed)
    small = {str(number): dice.randbytes(dice.randrange(4000)) for number in range(200)}
    middling = {f"m{number}": dice.randbytes(dice.randrange(MIB)) for number in range(8)}
    root.mkdir()
    large = dice.randbytes(dice.randrange(4 * MIB, 24 * MIB))
    return plant(root, {"a": small, "b": middling, "large": large, "z": small})


class Stream:
    """What a program makes once, of more than a host keeps."""

    def __init__(self, round_, folder, hosts, **settings):
        dice = random.Random(round_.tree)
        self._made = folder / "made"
        self._made.write_bytes(dice.randbytes(dice.randrange(2 * WINDOW, 3 * WINDOW)))
        self.bytes = self._made.stat().st_size
        self.chain = Flows(folder, python(ECHO, self._made), hosts, **settings)

    def differences(self, place):
        return [] if filecmp.cmp(self._made, place, shallow=False) else [f"{place} is not what was made"]


# --- the hosts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What a host told when it had ended: the Outcome (without its error, which is in words), and what it left open."""

    error: str
    outcome: Outcome
    left: tuple[str, ...] = ()


SILENT = f"told nothing for {PATIENCE} s"


class Host:
    """One process of a round. `run()` gives its Outcome, `prepare()` is called before."""

    def __init__(self, name, run, prepare, landed):
        context = multiprocessing.get_context("fork")
        self.name = name
        self.landed = landed
        self._pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=self._work, args=(run, prepare, theirs), daemon=True)
        self.process.start()
        theirs.close()

    @staticmethod
    def _work(run, prepare, pipe):
        spool.MEMORY = WINDOW  # of this process alone
        own = prepare()
        before = sockets() - own
        outcome = run()
        error = outcome.error
        told = Told(error and f"{error.name}: {error.text}" or "", replace(outcome, error=None), tuple(left(before)))
        pipe.send_bytes(pickle.dumps(told))
        os._exit(0)

    def told(self):
        """What it told; None if it died without a word, SILENT if it goes on and on."""
        try:
            return pickle.loads(self._pipe.recv_bytes()) if self._pipe.poll(PATIENCE) else SILENT
        except (EOFError, OSError):
            return None

    def strike(self, number):
        """Send it a signal, unless it has ended."""
        if self.process.exitcode is None:
            os.kill(self.process.pid, number)


def sockets():
    """Those that this process has, by what the kernel calls them."""
    links = (os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd"))
    return {os.path.basename(link) for link in links if "socket:" in link}


def left(before):
    """What a host that has ended still has: sockets beside those of before, threads of the engine, processes."""
    yield from (f"the {each}" for each in sorted(sockets() - before))
    yield from (f"the thread {each.name}" for each in threading.enumerate() if each.name.startswith(ENGINE))
    yield from (f"the process {each.pid}" for each in psutil.Process().children())


class Play:
    """One round; `wrong` holds sentences, `hits` (host, when it was hit, in words) of each blow."""

    def __init__(self, round_, folder, count=HOSTS):
        self._round = round_
        settings = {"encrypt": round_.encrypt, "streams": round_.streams, "lease": LEASE, "stall_timeout": STALL}
        self._load = (Stream if round_.stream else Tree)(round_, folder, names(count), **settings)
        self._chain = self._load.chain
        self._landed = {host: multiprocessing.RawValue("q", 0) for host in self._chain.nodes}
        self._late = {kill.host: kill.phase for kill in round_.kills if kill.phase}
        self._hit_late = {host: multiprocessing.RawValue("b", False) for host in self._late}
        self.hits = []
        self.wrong = []

    def run(self):
        hosts = {name: Host(name, *self._destination(name), self._landed[name]) for name in self._chain.nodes}
        source = Host("alpha", self._send, lambda: self._close_but(None), None)
        self._close_but(None)
        try:
            self._strike(hosts)
            told = self._hear({"alpha": source, **hosts})
        finally:
            for host in (source, *hosts.values()):
                host.strike(signal.SIGKILL)
                host.process.join()
            self._chain.close()
        self.hits += [(name, self._late[name]) for name, hit in self._hit_late.items() if hit.value]
        self.wrong = [*wrong(told, self._round.dead, self._published()), *self._unequal()]
        return self

    def _destination(self, name):
        """What it runs, and what it does before."""
        return lambda: self._take(name), lambda: self._close_but(name)

    def _close_but(self, name):
        """Close the ports of all others; the own one."""
        for node in self._chain.nodes.values():
            if node.host != name:
                node.listener.close()
        own = self._chain.nodes.get(name)
        return {f"socket:[{os.fstat(own.listener.fileno()).st_ino}]"} if own else set()

    def _send(self):
        outcome = self._chain.origin().run()
        self._chain.tree.close()
        return outcome

    def _take(self, name):
        node, landed = self._chain.nodes[name], self._landed[name]
        progress = node.end.progress
        add = progress.add

        def added(**amounts):
            add(**amounts)
            landed.value = progress.counters.bytes_done

        progress.add = added
        if name in self._late:
            node.end.at_phase(self._late[name], lambda: self._strike_here(name))
        return node.relay().run()

    def _strike_here(self, name):
        """This very process, in the middle of what it does."""
        self._hit_late[name].value = True
        os.kill(os.getpid(), self._blow)

    @property
    def _blow(self):
        return signal.SIGSTOP if self._round.halts else signal.SIGKILL

    def _strike(self, hosts):
        """Strike each when it is time, or when it has ended; look often, since all takes seconds."""
        waiting = {kill.host: kill.share * self._load.bytes for kill in self._round.kills if not kill.phase}
        deadline = time.monotonic() + PATIENCE
        while waiting and time.monotonic() < deadline:
            for name in [name for name, least in waiting.items() if self._is_due(hosts[name], least)]:
                self.hits.append((name, f"with {hosts[name].landed.value} bytes"))
                hosts[name].strike(self._blow)
                del waiting[name]
            multiprocessing.connection.wait([host.process.sentinel for host in hosts.values()], 0.01)

    @staticmethod
    def _is_due(host, least):
        return host.landed.value >= least or not host.process.is_alive()

    def _hear(self, hosts):
        """What all told; who stands still stands until the others have ended."""
        told = {name: host.told() for name, host in hosts.items() if name not in self._round.dead}
        for name in self._round.dead:
            hosts[name].strike(signal.SIGKILL)
            told[name] = hosts[name].told()
        return told

    def _place(self, name):
        return self._chain.nodes[name].folder / "final"

    def _published(self):
        return {name for name in self._chain.nodes if self._place(name).exists()}

    def _unequal(self):
        """Under its final name there is all of it or nothing."""
        for name in sorted(self._published()):
            if found := self._load.differences(self._place(name)):
                yield f"{name} is not equal: {found[:3]}"


# --- the verdict ------------------------------------------------------------------------------------------------------


def wrong(told: Mapping[str, Told | str | None], dead: set[str], published: set[str]) -> list[str]:
    """Sentences about what must not be, by what the hosts told and which of them have published."""
    ended = {name: each for name, each in told.items() if isinstance(each, Told)}
    root = ended["alpha"].outcome.root if "alpha" in ended else None
    alive = [name for name in told if name not in dead]
    open_ = [f"{name} left {thing}" for name in alive if name in ended for thing in ended[name].left]
    named = {lost for each in ended.values() for lost in each.outcome.chain.lost}
    unnamed = sorted(dead - ended.keys() - published - named)
    silent = [f"{', '.join(unnamed)} died and nobody named them"] if unnamed else []
    return [*filter(None, (_of_living(name, told[name], root, published) for name in alive)), *open_, *silent]


def _of_living(name, told, root, published):
    if not isinstance(told, Told):
        return f"{name} lived and {told or 'died without a word'}"
    if told.error:
        return f"{name} lived and failed: {told.error}"
    if not root or told.outcome.root != root:
        return f"{name} does not have the root that the source sealed"
    return f"{name} said that all is well, and has published nothing" if name not in {"alpha", *published} else ""


def play(round_, count=HOSTS):
    with tempfile.TemporaryDirectory(prefix="chain-", dir="/var/tmp") as folder:
        return Play(round_, Path(folder), count).run()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--only", type=int, help="play this round alone")
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--seconds", type=float, default=1e9)
    options = parser.parse_args(arguments)
    numbers = [options.only] if options.only else range(options.first, options.first + options.rounds)
    return play_all(numbers, options)


def play_all(numbers, options):
    """Play these rounds, tell each; the exit status."""
    began, bad, played, hits = time.monotonic(), [], [], 0
    for number in numbers:
        if time.monotonic() - began > options.seconds:
            break
        round_ = draw(options.seed, number, options.hosts)
        done = play(round_, options.hosts)
        played, hits = [*played, round_], hits + len(done.hits)
        print(f"round {number}: {'; '.join(done.wrong) or 'good'} ({told_of(round_, done.hits)})", flush=True)
        bad += [number] if done.wrong else []
    streams, halts = sum(each.stream for each in played), sum(each.halts for each in played)
    kinds = f"{streams} of them of a stream, {halts} with one that stands still"
    print(f"{len(played)} rounds of seed {options.seed}, {kinds}, {hits} blows, bad: {bad or 'none'}")
    return bool(bad)


def told_of(round_, hits):
    """What happened in a round."""
    struck = ", ".join(f"{host} {when}" for host, when in hits)
    return f"a {'stream' if round_.stream else 'tree'}; {'halted' if round_.halts else 'killed'} {struck}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
