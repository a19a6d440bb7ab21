"""Kills, stops, cuts and restarts at random, round after round, with a seed: nothing may be lost, nothing left.

    python -m tests.faults.rounds --rounds 1000 --seed 7 --lanes 4
    python -m tests.faults.rounds --rounds 500 --seed 7 --first 501     the second half of them
    python -m tests.faults.rounds --seed 7 --only 123          play one round again

In a round one tree is moved. Its attempts are hit by faults, and after each of them nothing may be open; then an
attempt without faults must bring everything, byte for byte. Engine only: workers under guardians, no Salt.
"""

import argparse
import contextlib
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from datamover.errors import MoverError, NoGo, UnknownTransfer
from tests.faults import world as worlds
from tests.faults.schedule import ENDS, MOVING, PHASES, Fault, Round, draw
from tests.support.waiting import eventually
from transferworker import control

MOMENT = 1.5
"""Seconds that a cut for a moment lasts: less than anything gives up after."""
DURATION = 1.0
"""About how long the bytes of one attempt move."""
SURELY_HELD = 4 * worlds.BLOCK_SIZE
"""So many bytes done leave at least one whole block that the next attempt need not send."""
ENOUGH = 100
"""So many rounds must strike in every phase."""
NOTHING = "nothing"
PUBLISHED = "published"


@dataclass(frozen=True)
class Hit:
    """Where a fault struck: the phase of the end that was hit, and what was on the destination's disk by then.

    `aimed`: whether it was the moment at which it should strike.
    """

    fault: str
    phase: str
    landed: int
    aimed: bool


@dataclass
class Told:
    """What came of a round. `wrong` holds sentences; a round is good without any."""

    round: int
    hits: list[Hit] = field(default_factory=list)
    too_late: int = 0
    attempts: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Play:
    """One round in a world."""

    def __init__(self, world, round_: Round):
        self._world = world
        self._round = round_
        self._dice = random.Random(f"{round_.seed}/{round_.number}/play")
        self._told = Told(round_.number)
        self._transfer = self._new_transfer()

    def _new_transfer(self):
        asked = self._round
        self._done = 0
        return worlds.Attempts(self._world, encrypt=asked.encrypt, streams=asked.streams, verify=asked.verify)

    def run(self):
        began = time.monotonic()
        worlds.empty(self._world.home / "data")
        worlds.empty(self._world.home / "srv")
        worlds.plant_tree(self._world.home / "data", self._round.tree)
        try:
            if not any(self._hit(fault) for fault in self._round.faults):
                self._finish()
        except (MoverError, AssertionError, OSError) as trouble:
            self._told.wrong.append(f"{type(trouble).__name__}: {trouble}")
        finally:
            self._world.heal()
            self._transfer.end()
        self._told.wrong += self._world.left(self._transfer.transfer, kept=self._kept())
        self._told.seconds = time.monotonic() - began
        return self._told

    def _kept(self):
        return ("data",) if not self._told.wrong else ("data", self._transfer.staging)

    # An attempt that is hit

    def _hit(self, fault: Fault):
        """One attempt with a fault. Whether it published all the same, so that the round is over."""
        self._in_time(lambda: self._begin_until(fault))
        self._strike(fault)
        results = self._settle(fault)
        self._check(fault, results)
        if results["destination"] == PUBLISHED:
            self._compare()
            return True
        if fault.kind.cancels:
            self._transfer = self._new_transfer()
        self._between(fault.after)
        return False

    def _in_time(self, begin):
        """Begin an attempt, and another one when this machine was so busy that an end's lease was over before."""
        for last in (False, False, True):
            self._told.attempts += 1
            try:
                return begin()
            except control.Refusal as refusal:
                if last or refusal.name != NoGo.name:
                    raise
                self._await_lease(ENDS)

    def _begin_until(self, fault):
        transfer = self._transfer.next().prepare()
        if fault.phase == "prepared":
            return
        transfer.arm()
        if fault.phase == "armed":
            return
        if fault.phase == "connecting":
            self._world.cut()  # else it is over before anything can strike
        transfer.go()
        self._await(fault.clock, fault.phase)
        if fault.phase == MOVING:
            threading.Event().wait(fault.share * DURATION)

    def _await(self, role, phase):
        """Return as soon as an end's record tells of a phase or a later one. Some last milliseconds."""
        before = PHASES[: PHASES.index(phase)]
        assert eventually(lambda: self._phase(role) not in before, pause=worlds.GLANCE), f"{role} never was {phase}"

    def _strike(self, fault):
        """Strike those ends that are not over; when all are, it came too late and is no hit.

        Both ends stand still meanwhile. So one without a verdict is surely at work, and in the phase that it recorded.
        """
        halted = [role for role in reversed(ENDS) if self._transfer.freeze(role)]
        phases = {role: self._phase(role) for role in ENDS}
        self._struck = {role: phases[role] for role in fault.kind.ends if role in halted and phases[role] in PHASES}
        if self._struck:
            self._note_hits(fault, phases[fault.clock] == fault.phase)
            for staying in getattr(self, "_do_" + fault.kind.name.replace(" ", "_"))(tuple(self._struck)):
                self._thaw(set(halted) - set(staying))
        else:
            self._told.too_late += 1
            self._arrived = False
            self._thaw(halted)

    def _note_hits(self, fault, aimed):
        landed = self._transfer.landed()
        self._arrived = self._transfer.has_arrived()
        self._told.hits += [
            Hit(f"{fault.kind.name} {'both' if len(self._struck) > 1 else role}", phase, landed, aimed)
            for role, phase in self._struck.items()
        ]

    def _phase(self, role):
        run = self._transfer.run(role)
        return (run.verdict or {}).get("result") or run.read("state")["phase"]

    def _thaw(self, roles):
        for role in roles:
            self._transfer.signal(role, signal.SIGCONT)

    # What befalls ends that stand still. Each tells once which of them go on standing, and does the rest when the
    # others are at work again.

    def _do_kill(self, ends):
        for role in ends:
            self._transfer.signal(role, signal.SIGKILL)
        yield ()

    def _do_power_cut(self, ends):
        for role in ends:
            self._transfer.cut_power(role)
        yield ()
        for role in ends:
            self._world.boot(role)

    def _do_stop(self, ends):
        yield ends

    def _do_stop_for_a_moment(self, ends):
        yield ends
        threading.Event().wait(MOMENT)
        self._thaw(ends)

    def _do_cut(self, _ends):
        self._world.cut()
        yield ()

    def _do_cut_for_a_moment(self, _ends):
        self._world.cut()
        yield ()
        threading.Event().wait(MOMENT)
        self._world.heal()

    def _do_reset(self, _ends):
        self._world.reset()
        yield ()
        threading.Event().wait(0.3)
        self._world.heal()

    def _do_cancel(self, ends):
        for role in ends:
            self._transfer.ask_to_cancel(role)
        yield ()
        for role in ends:
            self._transfer.minion(role).ask("cancel", self._transfer.transfer, role)

    # Until both ends are over

    def _settle(self, fault):
        """{role: result} of both ends, when whatever watches over them has had its time."""
        if fault.phase in ("prepared", "armed") or fault.kind.name == "stop":
            self._await_lease(ENDS)
        results = {role: self._transfer.verdict(role)["result"] for role in ENDS}
        self._world.heal()
        return results

    def _await_lease(self, roles):
        """Who is told nothing more undoes itself, who stands still is killed."""
        for role in roles:
            with contextlib.suppress(UnknownTransfer):  # it never came to that end
                eventually(lambda role=role: not self._transfer.run(role).alive, worlds.LEASE + worlds.GRACE)

    def _check(self, fault, results):
        kind, staging = fault.kind, self._transfer.staging
        if results["source"] == PUBLISHED != results["destination"]:
            self._told.wrong.append(f"after {kind.name} the source says {results}: it cannot know of what is not there")
        kept = ("data",) if results["destination"] == PUBLISHED else (staging,)
        if kind.cancels and results["destination"] != PUBLISHED:
            self._cancel_both()
            kept = ()
        left = self._world.left(self._transfer.transfer, kept)
        if self._arrived and staging in kept and not self._transfer.has_arrived():
            left.append("what had arrived is not kept for the next attempt")
        self._told.wrong += [f"after {kind.name} in {self._struck}: {sentence}" for sentence in left]
        self._done = max(self._done, self._transfer.done()) if kept else 0

    def _cancel_both(self):
        for role in ENDS:
            self._transfer.minion(role).ask("cancel", self._transfer.transfer, role)

    def _between(self, what):
        if what != NOTHING:
            self._done = 0  # how much of it is worth anything now, the dice know
        staging = self._world.home / "srv" / self._transfer.staging
        data = self._world.home / "data"
        doings = {
            NOTHING: lambda: None,
            "a byte is flipped in staging": lambda: worlds.flip_a_byte(staging / "data", self._dice),
            "a source file is replaced": lambda: worlds.replace_a_file(data, self._dice),
            "a source file grows": lambda: worlds.grow_a_file(data, self._dice),
        }
        doings[what]()

    # The attempt that nothing hits

    def _finish(self):
        self._in_time(lambda: self._transfer.next().begin())
        verdicts = dict(zip(ENDS, self._transfer.verdicts(), strict=True))
        for role, verdict in verdicts.items():
            if verdict["result"] != PUBLISHED:
                ended = f"{verdict['result']}: {verdict['error']}"
                self._told.wrong.append(f"lost: without any fault the {role} ended {ended}")
        held = verdicts["destination"]["held_bytes"]
        if self._done >= SURELY_HELD and not held:
            self._told.wrong.append(f"lost: {self._done} bytes were done before, and all of them are sent again")
        self._compare()

    def _compare(self):
        found = worlds.differences(self._world)
        self._told.wrong += [f"lost: {line}" for line in found[:5]]


# --- all of them ------------------------------------------------------------------------------------------------------


def play_all(asked, lanes, seconds, say=print):
    """Play rounds in as many worlds at once; the list of what came of each."""
    waiting = iter(asked)
    lock, end, told = threading.Lock(), time.monotonic() + seconds, []

    def next_round():
        with lock:
            return next(waiting, None) if time.monotonic() < end else None

    def lane(_number):
        with tempfile.TemporaryDirectory(prefix="rounds.") as home, worlds.World(home) as world:
            while round_ := next_round():
                result = Play(world, round_).run()
                with lock:
                    told.append(result)
                    tell(result, round_, say)

    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lane, range(lanes)))
    return told


def tell(told, round_, say):
    if told.wrong:
        say(f"round {told.round} (seed {round_.seed}): {asdict(round_)}")
        for sentence in told.wrong:
            say(f"    {sentence}")
    elif told.round % 50 == 0:
        say(f"round {told.round} good")


def summary(told, seed):
    """What was played, what was hit, what went wrong; as a dict."""
    hits = [hit for each in told for hit in each.hits]
    wrong = [sentence for each in told for sentence in each.wrong]
    return {
        "seed": seed,
        "first": min((each.round for each in told), default=None),
        "last": max((each.round for each in told), default=None),
        "rounds": len(told),
        "attempts": sum(each.attempts for each in told),
        "faults": dict(Counter(hit.fault for hit in hits)),
        "phases": dict(Counter(hit.phase for hit in hits)),
        "as aimed": sum(hit.aimed for hit in hits),
        "too late": sum(each.too_late for each in told),
        "missed phases": sorted(set(PHASES) - {hit.phase for hit in hits}),
        "landed when hit": sorted(hit.landed for hit in hits)[:: max(1, len(hits) // 10)],
        "lost": [sentence for sentence in wrong if sentence.startswith("lost")],
        "left or wrong": [sentence for sentence in wrong if not sentence.startswith("lost")],
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--lanes", type=int, default=4, help="how many transfers at once")
    parser.add_argument("--first", type=int, default=1, help="the number of the first one")
    parser.add_argument("--only", type=int, action="append", help="play this round")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no further round after so many")
    options = parser.parse_args(argv)
    numbers = options.only or range(options.first, options.first + options.rounds)
    told = play_all((draw(options.seed, number) for number in numbers), options.lanes, options.seconds)
    shown = summary(told, options.seed)
    print(json.dumps(shown, indent=4))
    return int(failed(shown))


def failed(shown):
    """Whether something went wrong, or so much was played that each phase had to be struck and one was not."""
    missed = shown["rounds"] >= ENOUGH and shown["missed phases"]
    return bool(shown["lost"] or shown["left or wrong"] or missed)


if __name__ == "__main__":
    sys.exit(main())
