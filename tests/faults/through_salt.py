"""Rounds through Salt: whole machines, a real master and minions, `salt-run transfer.copy` and whatever may befall it.

    python -m tests.faults.through_salt --rounds 50 --seed 7

All strike while bytes move; other phases are struck in rounds of the engine. Both workers are halted first: a round
whose struck end was over by then came too late and is no hit. After each round the copy must be equal to the source,
and no machine may have what it did not have before.
"""

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile

from lab import Lab
from lab.leftovers import Snapshot

from tests.faults.schedule import ENDS, PHASES
from tests.support.copying import SLOW, Copying, slowed
from tests.support.runs import differences

RATE = "24mbit"
SIZE = 6_000_000
DURATION = SIZE * 8 / 24e6
LEASE, STALL = "25s", "20s"
MOMENT = 3.0
MOST_RESUMES = 3
HOSTS = {"source": "alpha", "destination": "beta"}


@dataclass(frozen=True)
class Blow:
    """What befalls a copy. `harmless`: the copy must arrive without anybody's help.

    `deadly`: the workers of its ends do not go on once they are halted.
    """

    name: str
    ends: tuple[str, ...] = ()
    harmless: bool = False
    deadly: bool = False

    def __str__(self):
        return " ".join([self.name, *(f"({end})" for end in self.ends)])


BLOWS = (
    *(Blow("a worker is killed", (end,), deadly=True) for end in ENDS),
    Blow("both workers are killed", ENDS, deadly=True),
    *(Blow("a worker stands still", (end,), deadly=True) for end in ENDS),
    *(Blow("the power is cut", (end,), deadly=True) for end in ENDS),
    *(Blow("salt-minion is restarted", (end,), harmless=True) for end in ENDS),
    *(Blow("salt-minion is killed", (end,), harmless=True) for end in ENDS),
    Blow("salt-master is restarted", harmless=True),
    Blow("salt-master is killed", harmless=True),
    Blow("salt-run is killed", harmless=True),
    Blow("the link is down for a moment", harmless=True),
    Blow("the link is down for good"),
    Blow("somebody cancels"),
)


class Round:
    def __init__(self, lab, seed, number):
        self.number = number
        self._lab = lab
        self._dice = random.Random(f"{seed}/{number}/salt")
        self.blow = self._dice.choice(BLOWS)
        self._share = self._dice.random()
        self.hits = {}
        self._cancelled = False
        self._arrived = False

    def play(self):
        """Sentences about what is wrong in the end."""
        before = {name: Snapshot.of(machine) for name, machine in self._lab.machines.items()}
        try:
            self._plant()
            trouble = self._mend(self._copy())
            left = [text for name, machine in self._lab.machines.items() for text in before[name].leftovers(machine)]
        finally:
            self._clear()
        return [*trouble, *left]

    def _machine(self, end):
        return self._lab.machine(HOSTS[end])

    def _plant(self):
        script = (
            "mkdir -p /srv/data/d && cd /srv/data && head -c $0 /dev/urandom >d/big && ln d/big hard && ln -s d link"
            " && seq 200 | split -l 1 - d/small"
        )
        self._machine("source").run(["sh", "-c", script, str(SIZE - self._dice.randrange(100_000))])

    def _clear(self):
        for end in ENDS:
            self._machine(end).run(["find", "/srv", "-mindepth", "1", "-delete"], check=False)

    def _copy(self):
        """One copy that is struck; the Result of whoever followed it to its end."""
        copying = Copying(self._lab, "alpha:/srv/data", "beta:/srv/", lease=LEASE, stall_timeout=STALL)
        with slowed(self._machine("destination"), SLOW), copying:
            self._await_moving(copying)  # however late a busy master hears of it
            self._hasten()
            threading.Event().wait(self._share * DURATION)
            self.transfer = copying.transfer
            self._signal_workers(ENDS, "STOP")
            self._note_hits()
            self._signal_workers([end for end in ENDS if not (self.blow.deadly and end in self.blow.ends)], "CONT")
            self._strike(copying)
            self._heal()
            if self.blow.name == "salt-run is killed":
                return self._lab.run_runner("transfer.attach", transfer=self.transfer)
            return copying.finish(300)

    def _hasten(self):
        for link in self._machine("destination").links:
            link.rate(RATE)

    def _await_moving(self, copying):
        try:
            copying.await_moving()
        except AssertionError as silence:
            copying.process.terminate()
            done = copying.finish(300)
            raise AssertionError(f"{silence}: {done.stdout} {done.stderr}") from None

    def _note_hits(self):
        """Note in which phases those ends are that are struck and not over; they stand still."""
        for end in self.blow.ends or ENDS:
            run = f"/var/lib/salt-transfer/runs/{self.transfer}-{end}"
            phase = json.loads(self._machine(end).output("cat", f"{run}/state.json"))["phase"]
            over = self._machine(end).run(["test", "-e", f"{run}/verdict.json"], check=False).returncode == 0
            if phase in PHASES and not over:
                self.hits[end] = phase
        self._arrived = self._has_arrived()

    def _has_arrived(self):
        """Whether anything is staged that another attempt can go on with."""
        staged = f"/srv/.salt-transfer-{self.transfer}/data"
        return self._machine("destination").run(["test", "-e", staged], check=False).returncode == 0

    def _heal(self):
        for link in self._machine("destination").links:
            link.heal()

    # What befalls it

    def _strike(self, copying):
        strikes = {
            "a worker is killed": lambda: self._signal_workers(self.blow.ends, "KILL"),
            "both workers are killed": lambda: self._signal_workers(self.blow.ends, "KILL"),
            "a worker stands still": lambda: None,  # it does since it was halted
            "the power is cut": lambda: self._lab.reboot(self._machine(self.blow.ends[0]).name),
            "salt-minion is restarted": lambda: self._restart("salt-minion"),
            "salt-minion is killed": lambda: self._restart("salt-minion", killed=True),
            "salt-master is restarted": lambda: self._restart("salt-master"),
            "salt-master is killed": lambda: self._restart("salt-master", killed=True),
            "salt-run is killed": lambda: self._kill_runner(copying),
            "the link is down for a moment": lambda: self._take_down(MOMENT),
            "the link is down for good": lambda: self._take_down_until_it_ends(),
            "somebody cancels": self._cancel,
        }
        strikes[self.blow.name]()

    def _restart(self, daemon, killed=False):
        machines = [self._machine(end) for end in self.blow.ends] or [self._lab.master]
        for machine in machines:
            if killed:
                machine.run(["systemctl", "kill", "--signal=KILL", daemon])
            machine.run(["systemctl", "restart", daemon])

    def _signal_workers(self, ends, name):
        for end in ends:
            unit = f"salt-transfer-{self.transfer}-*-{end}.service"
            self._machine(end).run(["systemctl", "kill", f"--signal={name}", unit], check=False)

    def _kill_runner(self, copying):
        self._lab.master.signal(copying.process, signal.SIGKILL)
        copying.process.wait()

    def _take_down(self, seconds):
        for link in self._machine("destination").links:
            link.down()
        threading.Event().wait(seconds)
        for link in self._machine("destination").links:
            link.up()

    def _take_down_until_it_ends(self):
        self._take_down(float(STALL[:-1]) + 3 * MOMENT)

    def _cancel(self):
        self._cancelled = self._lab.run_runner("transfer.cancel", transfer=self.transfer).returncode == 0

    # What then must be

    def _mend(self, done):
        """Resume until it has arrived; what is wrong with how it went."""
        trouble = []
        if self.blow.harmless and done.returncode != 0:
            trouble.append(f"{self.blow.name}, which is no event, but: {done.stdout} {done.stderr}")
        if self._cancelled and done.data["result"] == "cancelled":
            there = self._machine("destination").output("ls", "-A", "/srv")
            return trouble + ([f"cancelled, but there is {there}"] if there else [])
        for _ in range(MOST_RESUMES):
            if done.returncode != 0:  # whoever followed it may have failed, and not the copy
                done = self._lab.run_runner("transfer.attach", transfer=self.transfer)
            if done.returncode == 0:
                break
            if self._arrived and not self._has_arrived():
                return [*trouble, "lost: what had arrived is not kept for another attempt"]
            done = self._lab.run_runner("transfer.resume", transfer=self.transfer)
        if done.returncode != 0:
            return [*trouble, f"lost: it cannot be resumed: {done.stdout} {done.stderr}"]
        found = differences(self._machine("source"), self._machine("destination"))
        return trouble + [f"lost: {line}" for line in found]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=1, help="the number of the first one")
    parser.add_argument("--only", type=int, action="append", help="play this round")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no further round after so many")
    options = parser.parse_args(argv)
    numbers, end = (
        options.only or range(options.first, options.first + options.rounds),
        time.monotonic() + options.seconds,
    )
    rounds, wrong = [], []
    with Lab() as lab:
        for number in takewhile(lambda _: time.monotonic() < end, numbers):
            rounds.append(Round(lab, options.seed, number))
            wrong += played(rounds[-1])
    told = {
        "seed": options.seed,
        "numbers": [round_.number for round_ in rounds],
        "rounds": len(rounds),
        "blows": Counter(str(round_.blow) for round_ in rounds),
        "phases": Counter(phase for round_ in rounds for phase in round_.hits.values()),
        "hits": sum(bool(round_.hits) for round_ in rounds),
        "too late": [round_.number for round_ in rounds if not round_.hits],
        "wrong": wrong,
    }
    print(json.dumps(told, indent=4))
    return 1 if wrong or not told["hits"] else 0


def played(round_):
    """Play a round and say how it went; what is wrong."""
    try:
        found = round_.play()
    except AssertionError as trouble:
        found = [str(trouble)]
    print(f"round {round_.number}: {round_.blow}: {'wrong' if found else 'good' if round_.hits else 'too late'}")
    for sentence in found:
        print(f"    {sentence}")
    return found


if __name__ == "__main__":
    sys.exit(main())
