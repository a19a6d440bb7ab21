"""Destinations of a chain killed at random moments, round after round, with a seed: the living all end equal.

    python -m tests.faults.chains --rounds 100 --seed 7 [--hosts 8]
    python -m tests.faults.chains --seed 7 --only 12          play one round again

Engine only: every host is a process of its own. In a round one to three destinations are killed, each when a share of
everything has landed there. Then every living one must have published what the source sealed, the dead must be named by
who served them unless they had published before, and nothing may listen any more.
"""

import argparse
import contextlib
import multiprocessing
import os
import pickle
import random
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.functional.datamover.chains import ADDRESS, Chains
from tests.functional.datamover.places import independent_differences, plant

MIB = 1024 * 1024
HOSTS = 8
PATIENCE = 120
SETTINGS = {"lease": 6, "stall_timeout": 20}


@dataclass(frozen=True)
class Kill:
    """This destination dies when so much (0 to 1) of everything has landed there."""

    host: str
    share: float


@dataclass(frozen=True)
class Round:
    number: int
    seed: int
    tree: int
    encrypt: bool
    streams: int
    verify: str
    kills: tuple[Kill, ...]


def names(count):
    return [f"host{number}" for number in range(1, count + 1)]


def draw(seed, number, count=HOSTS):
    """A round of this seed, which does not depend on how many there are."""
    dice = random.Random(f"{seed}/{number}/chain")
    dead = dice.sample(names(count), min(count - 1, dice.choice((1, 1, 2, 3))))
    return Round(
        number=number,
        seed=seed,
        tree=dice.randrange(1 << 30),
        encrypt=dice.random() < 0.7,
        streams=dice.choice((1, 1, 2)),
        verify=dice.choice(("readback", "flight")),
        kills=tuple(Kill(host, dice.random()) for host in dead),
    )


def plant_tree(root, seed):
    """A large file, middling ones, and many small ones."""
    dice = random.Random(seed)
    small = {str(number): dice.randbytes(dice.randrange(4000)) for number in range(200)}
    middling = {f"m{number}": dice.randbytes(dice.randrange(MIB)) for number in range(8)}
    root.mkdir()
    large = dice.randbytes(dice.randrange(4 * MIB, 24 * MIB))
    return plant(root, {"a": small, "b": middling, "large": large, "z": small})


class Host:
    """One process of a round, and what it told in the end: (error's name, Outcome without the error), or None."""

    def __init__(self, name, work, close, landed):
        context = multiprocessing.get_context("fork")
        self.name = name
        self.landed = landed
        self._pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=self._work, args=(work, close, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def _work(self, work, close, pipe):
        close()
        pipe.send_bytes(pickle.dumps(work()))
        os._exit(0)

    def told(self):
        try:
            return pickle.loads(self._pipe.recv_bytes()) if self._pipe.poll(PATIENCE) else ("nothing", None)
        except EOFError:
            return None

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)


class Play:
    """One round; `wrong` holds sentences, `hits` (host, bytes landed) of each kill."""

    def __init__(self, round_, folder, count=HOSTS):
        self._round = round_
        settings = {"encrypt": round_.encrypt, "streams": round_.streams, "verify": round_.verify, **SETTINGS}
        self._root = plant_tree(folder / "source", round_.tree)
        self._total = sum(path.stat().st_size for path in self._root.rglob("*") if path.is_file())
        self._chain = Chains(self._root, folder, names(count), **settings)
        self._landed = {host: multiprocessing.RawValue("q", 0) for host in self._chain.nodes}
        self.hits = []
        self.wrong = []

    def run(self):
        hosts = {name: self._start(name) for name in self._chain.nodes}
        source = Host("alpha", lambda: report(self._chain.origin().run()), self._close_all, None)
        self._close_all()
        try:
            self._kill(hosts)
            told = {name: host.told() for name, host in {"alpha": source, **hosts}.items()}
        finally:
            for host in (source, *hosts.values()):
                with contextlib.suppress(ProcessLookupError):
                    host.kill()
                host.process.join()
        self._judge(told)
        return self

    def _start(self, name):
        def close_others():
            for node in self._chain.nodes.values():
                if node.host != name:
                    node.listener.close()

        return Host(name, lambda: self._destination(name), close_others, self._landed[name])

    def _destination(self, name):
        node, landed = self._chain.nodes[name], self._landed[name]
        progress = node.end.progress
        add = progress.add

        def added(**amounts):
            add(**amounts)
            landed.value = progress.counters.bytes_done

        progress.add = added
        return report(node.relay().run())

    def _close_all(self):
        for node in self._chain.nodes.values():
            node.listener.close()

    def _kill(self, hosts):
        """Kill each when it is time, or when it has ended; look often, since all takes seconds."""
        waiting = {kill.host: kill.share * self._total for kill in self._round.kills}
        deadline = time.monotonic() + PATIENCE
        while waiting and time.monotonic() < deadline:
            for name in [name for name, least in waiting.items() if self._is_due(hosts[name], least)]:
                self.hits.append((name, hosts[name].landed.value))
                hosts[name].kill()
                del waiting[name]
            multiprocessing.connection.wait([host.process.sentinel for host in hosts.values()], 0.01)

    @staticmethod
    def _is_due(host, least):
        return host.landed.value >= least or not host.process.is_alive()

    def _judge(self, told):
        root = told["alpha"] and told["alpha"][1] and told["alpha"][1].root
        dead = {kill.host for kill in self._round.kills}
        for name, node in self._chain.nodes.items():
            if name not in dead:
                self._judge_living(name, node, told[name], root)
            self._judge_closed(name)
        named = {lost for each in told.values() if each for lost in each[1].chain.lost}
        unnamed = {name for name in dead if told[name] is None and not self._is_published(name)} - named
        if told["alpha"] and told["alpha"][0]:
            self.wrong.append(f"the source failed: {told['alpha'][0]}")
        if unnamed:
            self.wrong.append(f"{sorted(unnamed)} died and nobody named them: {told}")

    def _is_published(self, name):
        return (self._chain.nodes[name].folder / "final").exists()

    def _judge_living(self, name, node, told, root):
        if told is None or told[0] or not told[1].root or told[1].root != root:
            self.wrong.append(f"{name} lived and did not end well: {told}")
        elif found := independent_differences(str(self._root), str(node.folder / "final")):
            self.wrong.append(f"{name} is not equal: {found[:3]}")

    def _judge_closed(self, name):
        member = next(each for each in self._chain.roster["members"] if each["host"] == name)
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, member["port"])) == 0:
                self.wrong.append(f"{name} still listens")


def report(outcome):
    """(what went wrong, the Outcome without it)."""
    from dataclasses import replace

    return outcome.error and f"{outcome.error.name}: {outcome.error.text}", replace(outcome, error=None)


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
    began, bad, kills, played = time.monotonic(), [], 0, 0
    for number in numbers:
        if time.monotonic() - began > options.seconds:
            break
        told = play(draw(options.seed, number, options.hosts), options.hosts)
        kills, played = kills + len(told.hits), played + 1
        struck = ", ".join(f"{host} with {landed} bytes" for host, landed in told.hits)
        print(f"round {number}: {'; '.join(told.wrong) or 'good'} (killed {struck})", flush=True)
        bad += [number] if told.wrong else []
    print(f"{played} rounds of seed {options.seed}, {kills} kills, bad: {bad or 'none'}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
