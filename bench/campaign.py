"""Carries out rows: warm up, alternate, check that everything arrived, take the medians, write down, go on."""

import time
from dataclasses import asdict, dataclass

from transferplan.options import TABLE

from .errors import BenchError
from .figures import is_wide, ratio, summary
from .goals import bridged, judged
from .machine import BUSY, others_at_work
from .network import LINKS
from .ours import Ours
from .peers import PEERS
from .rows import LACKING, VARIANTS
from .stage import Stage, check_equal
from .tool import Tool

NO_TIME = "no time was left for it"
FEWEST_RUNS = 3
"""What a median needs: of a row without a goal. A row that has no time for it is left for another day."""

DOUBTS = ("others were at work", "the runs of a side lie far apart", "there was no time for all rounds")


class NoTime(BenchError):
    """The budget does not suffice for this row."""


def side_of(name):
    """Ours as this variant, or a peer."""
    return Ours(name, VARIANTS[name], LACKING.get(name, ())) if name in VARIANTS else Tool(PEERS[name])


def obstacle(side):
    """Why this side cannot run here, in words; empty if it can."""
    if isinstance(side, Tool):
        return f"{' and '.join(side.missing)} is not here" if side.missing else ""
    lacking = [name for name, value in side.changes.items() if not takes(name, value)]
    return f"this version has no {' and no '.join(lacking)} of that kind" if lacking else ""


def takes(name, value):
    """Whether there is an option of this name that takes this value."""
    try:
        TABLE[name].kind.read(value)
    except (KeyError, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Clock:
    """A budget of seconds (None is without end)."""

    until: float | None

    @classmethod
    def of(cls, budget):
        return cls(budget and time.monotonic() + budget)

    @property
    def over(self):
        return self.until is not None and time.monotonic() >= self.until

    def runs(self, wanted, round_seconds):
        """How many of the wanted rounds there is time for."""
        if self.until is None:
            return wanted
        possible = int((self.until - time.monotonic()) / round_seconds)
        if possible < min(wanted, FEWEST_RUNS):
            raise NoTime(NO_TIME)
        return min(wanted, possible)


class Campaign:
    """`say(text)` tells people how it goes."""

    def __init__(self, network, grounds, scale, runs, record, clock, say):
        self._network = network
        self._grounds = grounds
        self._scale = scale
        self._runs = runs
        self._record = record
        self._clock = clock
        self._say = say

    def carry_out(self, rows, again=False):
        """Measure all rows that are not in the record yet; with `again` also those whose figures are doubtful."""
        for number, row in enumerate(rows, 1):
            known = self._record.rows.get(row.key, {})
            if is_due(known, self._runs, again):
                self._say(f"[{number}/{len(rows)}] {row.key}")
                result = self._result(row)
                if is_better(result, known, self._runs):
                    self._record.put(row.key, result)
                self._say(f"        {in_short(result)}")

    def _result(self, row):
        head = {"group": row.group, "data": row.data, "link": row.link, "place": row.place, "goal": list(row.goal)}
        sides = [side_of(name) for name in (row.ours, row.theirs)]
        troubles = list(dict.fromkeys(filter(None, map(obstacle, sides))))
        try:
            found = self._without(row, troubles) if troubles else self._measure(row, sides)
        except NoTime as error:
            found = {"left_out": str(error)}
        except BenchError as error:
            found = {"failed": str(error)}
        return head | found

    def _without(self, row, troubles):
        """What can be said of a row that cannot run."""
        left = {"left_out": "; ".join(troubles)}
        if not row.bridge or (guess := bridged(row, self._record.rows)) is None:
            return left
        names = {"ours": {"name": row.ours}, "theirs": {"name": row.theirs}}
        return left | names | {"bridge": asdict(row.bridge), "guess": guess, "verdict": judged(guess, row.goal)}

    def _measure(self, row, sides):
        if self._clock.over:
            raise NoTime(NO_TIME)
        busy = others_at_work()
        began = time.monotonic()
        source, load = self._grounds.source(row.data, getattr(self._scale, row.amount))
        measured = self._alternate(row, sides, source, load)
        named = ({"name": side.name, "effort": side.effort} for side in sides)
        ours, theirs = (
            name | summary(runs, load) | runs[-1].more for name, runs in zip(named, measured, strict=True)
        )
        times = ratio(ours, theirs)
        return {
            "bytes": load.bytes,
            "files": load.files,
            "ours": ours,
            "theirs": theirs | ({"apart": sides[1].apart} if sides[1].apart else {}),
            "ratio": times,
            "verdict": judged(times, row.goal),
            "load": max(busy, others_at_work()),
            "rounds": len(measured[0]),
            "took": round(time.monotonic() - began, 1),
        }

    def _alternate(self, row, sides, source, load):
        """The runs of each side, the first of each being only to warm up."""
        measured = [[] for _ in sides]
        with self._network.over(LINKS[row.link]) as addresses:
            began = time.monotonic()
            self._round(row, sides, addresses, source, load)
            for _ in range(self._clock.runs(rounds_for(row.goal, self._runs), time.monotonic() - began)):
                for side, run in enumerate(self._round(row, sides, addresses, source, load)):
                    measured[side].append(run)
        return measured

    def _round(self, row, sides, addresses, source, load):
        return [self._once(row, side, addresses, source, load) for side in sides]

    def _once(self, row, side, addresses, source, load):
        with self._grounds.fresh(row.place, load) as place:
            stage = Stage(self._network, addresses, source, place, self._grounds.things)
            run = side.run(stage)
            check_equal(source, side.arrival(place, source.name))
        return run


def rounds_for(goal, runs):
    """All that are asked for where there is a goal to be judged."""
    return runs if goal else min(runs, FEWEST_RUNS)


def doubts(result, runs):
    """What speaks against the figures of a row, of DOUBTS."""
    found = (
        result.get("load", 0.0) > BUSY,
        is_wide(result["ours"]) or is_wide(result["theirs"]),
        result["rounds"] < rounds_for(result["goal"], runs),
    )
    return [words for words, holds in zip(DOUBTS, found, strict=True) if holds]


def is_due(known, runs, again):
    """Whether a row of which this is known is to be measured."""
    return "ratio" not in known or (again and bool(doubts(known, runs)))


def is_better(result, known, runs):
    """Whether a result is to stand in place of what is known of its row: the less doubtful one, whatever it shows."""
    if "ratio" not in known:
        return True
    return "ratio" in result and _doubtfulness(result, runs) <= _doubtfulness(known, runs)


def _doubtfulness(result, runs):
    return len(doubts(result, runs)), result.get("load", 0.0)


def in_short(result):
    """One line about a row."""
    if "ratio" not in result:
        return result.get("failed") or result["left_out"]
    ours, theirs = (result[side]["mb_per_s"] for side in ("ours", "theirs"))
    verdict = f" (goal {result['goal'][0]:g}: {result['verdict']})" if result["verdict"] else ""
    return f"{ours:.0f} against {theirs:.0f} MB/s: {result['ratio']:.2f}{verdict}, in {result['took']:.0f} s"
