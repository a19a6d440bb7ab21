"""What a chain of N destinations costs: a small simulation, whose constants come from measured copies to 1 and 2.

    python -m bench.chain_model                    from docs/fanout.json: predictions, and how they compare with 4 and 8
    python -m bench.chain_model --size 100G --rate 1000 --failures 0.001

Data goes in pieces. A host passes a piece on as soon as it has landed there; that takes `hop` seconds beside the time
on the wire, and each piece costs `work` seconds of a host's own, during which its wire idles. The last host ends a
while after its last piece: it flushes, compares with the seal, publishes. A host that dies costs those behind it the
time until they notice and have found who goes on; what was in flight is sent again.

Where the hosts are processes of one machine they share its cores, and what each needs of them was measured, too: then
all cannot be over before the cores have done the work of all. What is said of hosts elsewhere is of such that have
cores of their own.

Everything here is seconds and bytes. Pure, but for the program at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from dataclasses import dataclass, replace
from pathlib import Path

MIB = 1 << 20
PIECE = 512 << 10
"""What the engine passes on at a time (datamover.engine.loads.PIECE; a test holds the two together)."""
NEAR = 0.10
"""How far off it may be."""
NOTICE = 30.0
"""After so long one that says nothing any more is lost (datamover.engine.terms.LONGEST_QUIET); a test holds that, too.
One whose process died is lost at once.
"""
DATA = Path(__file__).resolve().parents[1] / "docs" / "fanout.json"


@dataclass(frozen=True)
class Chain:
    """`start`: from go to the first piece. `speeds`: bytes a second of each hop, one for all if there is only one.

    `failures`: how many hosts die in an hour, of one host; `notice`: how long until a successor has been found.
    """

    size: int
    speeds: tuple[float, ...]
    hop: float
    start: float
    end: float
    piece: int = PIECE
    work: float = 0.0
    failures: float = 0.0
    notice: float = NOTICE

    def speed(self, number):
        return self.speeds[min(number, len(self.speeds) - 1)]

    @property
    def pieces(self):
        return max(1, math.ceil(self.size / self.piece))


def seconds(chain, hosts):
    """From go until the last of so many hosts has its copy, if nobody dies."""
    wire = min(chain.piece, chain.size)
    ready = [chain.start] * chain.pieces
    for number in range(hosts):
        cost, free = wire / chain.speed(number) + chain.work, 0.0
        for at, there in enumerate(ready):
            free = max(free, there) + cost
            ready[at] = free + (chain.hop if number + 1 < hosts else 0.0)
    return ready[-1] + chain.end


def with_failures(chain, hosts, seed=0, rounds=100):
    """The mean of many runs in which hosts die now and then; those that died are given up, the others go on."""
    undisturbed = steady(chain, hosts) if len(set(chain.speeds)) == 1 else seconds(chain, hosts)
    if not chain.failures:
        return undisturbed
    dice = random.Random(seed)
    deaths = statistics.fmean(_deaths(dice, chain, hosts, undisturbed) for _ in range(rounds))
    return undisturbed + chain.notice * deaths


def _deaths(dice, chain, hosts, lasting):
    """How many hosts die while it lasts. Each costs all behind it, and so the whole, the time until that is healed."""
    share = 1 - math.exp(-chain.failures * lasting / 3600)
    return sum(dice.random() < share for _ in range(hosts))


def tree(chain, hosts, fanout=2):
    """The same for a tree: every host sends to so many at once, which share what it can send."""
    depth, reached = 0, 0
    while reached < hosts:
        depth += 1
        reached += fanout**depth
    shared = replace(chain, speeds=tuple(each / min(fanout, hosts) for each in chain.speeds))
    return steady(shared, depth)


def star(chain, hosts):
    """The source sends to each, all at once."""
    return seconds(replace(chain, speeds=(chain.speed(0) / hosts,)), 1)


def serial(chain, hosts):
    """One after the other from the source."""
    return hosts * seconds(chain, 1)


def tree_wins_at(chain, most=10_000):
    """With how many destinations a tree of two branches begins to be faster; None if not even with so many."""
    low, high = 2, most
    if tree(chain, high) >= steady(chain, high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if tree(chain, middle) < steady(chain, middle) else (middle + 1, high)
    return low


def steady(chain, hosts):
    """The same as `seconds` for a chain whose hops are all alike: each further one delays all by the same time."""
    cost = min(chain.piece, chain.size) / chain.speed(0) + chain.work
    return chain.start + chain.pieces * cost + (hosts - 1) * (cost + chain.hop) + chain.end


def best_piece(chain, hosts, choices=tuple(2**power for power in range(16, 28))):
    """The size of piece with which so many hosts are served soonest."""
    return min(choices, key=lambda size: steady(replace(chain, piece=size), hosts))


def calibrated(size, one, two, speed, piece=PIECE, end=0.0, work=0.0):
    """The chain whose copies to one and two destinations take what was measured over links of this speed.

    `speed` is what the link carries of payload. What one copy takes beside that is its start (and end); what the second
    host adds is a piece on the wire, and what the hop itself takes.
    """
    bare = Chain(size, (speed,), hop=0.0, start=0.0, end=end, piece=piece, work=work)
    start = one - seconds(bare, 1)
    hop = two - one - min(piece, size) / speed - work
    return replace(bare, start=start, hop=max(0.0, hop))


def of_record(document):
    """The chain that the figures of `./dev bench fanout` for 1 and 2 destinations make, of hosts of their own."""
    about, medians = document["about"], document["medians"]
    return calibrated(about["bytes"], medians["one 1"], medians["chain 2"], about["payload_per_s"])


@dataclass(frozen=True)
class Shared:
    """The cores that all hosts share; the processor seconds of a copy to one host, and of each further one."""

    cores: int
    one: float
    further: float

    def seconds(self, hosts):
        """What the cores need at least for so many destinations."""
        return (self.one + (hosts - 1) * self.further) / self.cores


def shared_of(document):
    """What the same runs to 1 and 2 destinations say of the processor."""
    one, two = (
        statistics.median(run["processor"] for run in document["rows"][key]["runs"]) for key in ("one 1", "chain 2")
    )
    return Shared(document["about"]["machine"]["cores"], one, two - one)


def together(chain, hosts, shared):
    """`seconds` where the hosts share the cores of one machine."""
    return max(seconds(chain, hosts), shared.seconds(hosts))


def predictions(chain, numbers=(1, 2, 4, 8, 10, 100, 1000)):
    """{N: seconds} of the ways to serve N destinations."""
    return {
        number: {
            "chain": steady(chain, number),
            "tree": tree(chain, number),
            "star": star(chain, number),
            "serial": serial(chain, number),
        }
        for number in numbers
    }


def compared(document):
    """{N: (predicted seconds, measured seconds, share by which it is off)} of the chains that were measured."""
    chain, shared, medians = of_record(document), shared_of(document), document["medians"]
    measured = {int(key.split()[1]): value for key, value in medians.items() if key.startswith("chain ")}
    predicted = {number: together(chain, number, shared) for number in sorted(measured)}
    return {number: (told, measured[number], told / measured[number] - 1) for number, told in predicted.items()}


def errors(document):
    """{N: how far off the prediction is, as a share of what was measured}."""
    return {number: off for number, (_, _, off) in compared(document).items()}


def main():
    options = _parser().parse_args()
    document = json.loads(DATA.read_text(encoding="utf-8"))
    chain = of_record(document)
    hop, start = f"{chain.hop * 1000:.0f} ms", f"{chain.start:.2f} s"
    print(f"a hop takes {hop} beside a piece of {chain.piece >> 10} KiB on the wire; a start {start}")
    for number, (predicted, _, off) in compared(document).items():
        print(f"{number} destinations: predicted {predicted:.2f} s, {off:+.1%} of what was measured")
    speed = chain.speed(0) * (options.rate / document["about"]["rate"] if options.rate else 1)
    asked = replace(chain, size=options.size or chain.size, speeds=(speed,), failures=options.failures)
    _show(asked)
    return 0


def _show(chain):
    print(f"{chain.size / 2**30:.1f} GiB at {chain.speed(0) / 1e6:.0f} MB/s")
    print(f"{'N':>6}" + "".join(f"{name:>12}" for name in ("chain", "tree", "star", "serial", "with deaths")))
    for number, told in predictions(chain).items():
        cells = [*told.values(), with_failures(chain, number)]
        print(f"{number:6}" + "".join(f"{value:11.1f}s" for value in cells))
    print(f"a tree of two branches is faster from {tree_wins_at(chain)} destinations on")
    print(f"best piece for 8, 100, 1,000: {[f'{best_piece(chain, n) >> 10} KiB' for n in (8, 100, 1000)]}")


def _parser():
    own = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own.add_argument("--size", type=_size, help="bytes, such as 100G; what was measured without it")
    own.add_argument("--rate", type=float, help="Mbit/s of each link")
    own.add_argument("--failures", type=float, default=0.0, help="deaths of one host in an hour")
    return own


def _size(text):
    units = {"M": MIB, "G": MIB << 10, "T": MIB << 20}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1:] in units else int(text)


if __name__ == "__main__":
    sys.exit(main())
