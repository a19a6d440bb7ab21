"""One source and many destinations, in four ways: `./dev bench fanout`. Nothing of it touches the network of this host.

    ./dev bench fanout                             a round of all ways for 2, 4 and 8, the figures on the screen
    ./dev bench fanout --rounds 3 --write-docs     three rounds more, into docs/fanout.{json,md,svg}; again to go on
    ./dev bench fanout --rate 100 --size 64M --write-docs     beside those, over slower links
    ./dev bench fanout --nodes 2 --size 64M        a first look

`one` is a copy to a single destination; `chain` is what transfer.copy does for several; `serial` is one after the
other; `star` (here alone, for comparison) sends to all at once from the source. Each host is a namespace with a link
of its own to a switch, shaped in both directions; source and destinations are processes of our engine, data lies in
memory. The clock runs from go until the last destination has all verified and flushed. Every copy is compared.
"""

import argparse
import contextlib
import statistics
import sys
import time
from pathlib import Path

from .chain_model import PIECE
from .data import size_of, write_random
from .end import TRANSFER, arrived
from .errors import BenchError
from .fanpage import page, picture, table
from .grounds import Grounds
from .machine import BUSY, CHECKOUT, about, others_at_work
from .ours import SETTINGS
from .processes import Conversation, Watchdog
from .record import Record, to_show
from .stage import check_equal, memory_file_system
from .switch import Counting, Switch

PROGRAM = Path(__file__).with_name("node.py")
DOCS = CHECKOUT / "docs"
DATA = DOCS / "fanout.json"
RATE = 500
"""Mbit/s of the links of the main record."""
ONE, CHAIN, SERIAL, STAR = "one", "chain", "serial", "star"
FRAMES = 0.95
"""How much of a shaped link's rate is payload: Ethernet, IP, TCP and TLS take the rest."""
LIMIT = 600
SETTLED = 2.1
BUSY_MARK = " !"
"""Others were at work before this run."""


class Host:
    """One process of the engine on a host of the switch."""

    def __init__(self, switch, role, host, path, things, more):
        argv = switch.at(host, [sys.executable, "-B", str(PROGRAM), role])
        self.host, self.role, self.address = host, role, switch.address(host)
        self.talk = Conversation(f"{role} {host}", argv, things / f"{role}-{host}-{time.monotonic_ns()}.log")
        order = {"host": host, "address": self.address, "path": str(path), "settings": SETTINGS, "more": more}
        self.talk.say(order)

    def member(self):
        told = self.talk.hear()
        return {**told, "addresses": [self.address]}


class Group:
    """A source and the destinations that it serves in one transfer; `run` gives what each process told."""

    def __init__(self, switch, names, paths, things, chain):
        source, *others = names
        more = {"fanout": "chain"} if chain else {}
        self.chain = chain
        self.source = Host(switch, "source", source, paths[source], things, more)
        self.others = [
            Host(switch, "destination", name, paths[name], things, {**more, "leaf": leaf} if chain else {})
            for leaf, name in enumerate(others)
        ]

    @property
    def hosts(self):
        return [*self.others, self.source]

    def introduce(self):
        self._members = [self.source.member(), *(each.member() for each in self.others)]
        if self.chain:
            self._members = [self._placed(at, each) for at, each in enumerate(self._members)]

    def _placed(self, at, member):
        """As the roster of a chain has it: which one it is, and where it comes from towards those after it."""
        own = member["addresses"][0]
        after = {each["host"]: own for each in self._members[at + 1 :]}
        return {**member, "origins": after, **({"leaf": at - 1} if at else {})}

    def go(self):
        roster = {"transfer": TRANSFER, "attempt": 1, "epoch": 1, "members": self._members}
        for each in self.hosts:
            each.talk.say(roster)

    def wait(self):
        """Until every destination has its copy; what else they say then are their last words."""
        for each in self.others:
            told = each.talk.hear()
            if "there" not in told:
                raise BenchError(f"{each.host} failed: {told['error']}")

    def last_words(self):
        told = {each.host: each.talk.hear() for each in self.hosts}
        if troubles := [f"{host}: {each['error']}" for host, each in told.items() if each["error"]]:
            raise BenchError("; ".join(troubles))
        return told


class Field:
    """The switch, the data, and a fresh place for each destination of a run."""

    def __init__(self, grounds, switch, source):
        self._grounds, self._switch, self._source = grounds, switch, source

    def once(self, way, count):
        """One run of `count` destinations in this way: seconds, and what passed on the wire."""
        names = self._switch.hosts[: count + 1]
        with memory_file_system(self._grounds.place) as place, Counting() as counted:
            self._counted = counted
            paths = {name: place / name / "data" for name in names[1:]} | {names[0]: self._source}
            for name in names[1:]:
                paths[name].parent.mkdir()
            seconds, processor = self._move(way, names, paths)
            for name in names[1:]:
                check_equal(self._source, Path(arrived(paths[name])))
        return {"seconds": round(seconds, 3), "processor": round(processor, 2), **self._passed(names, counted)}

    def _move(self, way, names, paths):
        if way == SERIAL:
            parts = [self._together([[names[0], name]], paths, False) for name in names[1:]]
            return tuple(map(sum, zip(*parts, strict=True)))
        if way == STAR:
            return self._together([[names[0], name] for name in names[1:]], paths, False)
        return self._together([names], paths, way == CHAIN)

    def _together(self, groups, paths, chain):
        """(seconds, processor seconds) of these groups, all at once."""
        made = [Group(self._switch, names, paths, self._grounds.things, chain) for names in groups]
        with contextlib.ExitStack() as stack:
            talks = [each.talk for group in made for each in group.hosts]
            for talk in talks:
                stack.enter_context(talk)
            stack.enter_context(Watchdog(LIMIT, talks))
            for group in made:
                group.introduce()
            began = time.monotonic()
            self._counted.begin()
            for group in made:
                group.go()
            for group in made:
                group.wait()
            seconds = time.monotonic() - began
            spent = [told["processor"] for group in made for told in group.last_words().values()]
        return seconds, sum(spent)

    def _passed(self, names, counted):
        """What each received and sent, as a share of the data; when the first had its last, and the last its first."""
        size = self._source.stat().st_size
        shares = {name: [round(bytes_ / size, 3) for bytes_ in counted.passed(name)] for name in names}
        began, ended = counted.when_received(names[-1], PIECE), counted.when_received(names[1], size)
        return {
            "received": [shares[name][0] for name in names],
            "sent": [shares[name][1] for name in names],
            "last_began": began and round(began, 3),
            "first_ended": ended and round(ended, 3),
        }


def plan_of(nodes):
    """What a round measures, in an order that alternates."""
    return [(ONE, 1), *((way, count) for count in nodes for way in (CHAIN, SERIAL, STAR))]


def medians(rows):
    """{way and number: median seconds}."""
    return {key: statistics.median(run["seconds"] for run in row["runs"]) for key, row in rows.items()}


def main(arguments):
    options = parser().parse_args(arguments)
    try:
        document = read(DATA) if options.render else measure(options)
        print("\n".join(table(document)))
        if options.write_docs or options.render:
            write_docs()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 70
    return 0


def write_docs():
    document = read(DATA)
    (DOCS / "fanout.md").write_text(page(document, map(read, slower_records())), encoding="utf-8")
    (DOCS / "fanout.svg").write_text(picture(document), encoding="utf-8")


def read(path):
    return to_show(path, "./dev bench fanout")


def kept(rate):
    """Where the figures over links of this rate are kept."""
    return DATA if rate == RATE else DATA.with_name(f"fanout-{rate}.json")


def slower_records():
    rates = {int(path.stem.partition("-")[2]): path for path in DOCS.glob("fanout-*.json")}
    return [rates[rate] for rate in sorted(rates, reverse=True) if rate < RATE]


def parser():
    own = argparse.ArgumentParser(
        prog="./dev bench fanout", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own.add_argument("--nodes", default="2,4,8", help="how many destinations, separated by commas")
    own.add_argument("--size", type=size_of, default="256M", help="of the file that is copied")
    own.add_argument("--rate", type=int, default=RATE, help="of each link, Mbit/s")
    own.add_argument("--rounds", type=int, default=1)
    own.add_argument("--ways", default="", help="only these, such as chain,one")
    own.add_argument("--json", metavar="FILE", help="keep the figures there, and go on with what is there")
    own.add_argument("--fresh", action="store_true", help="measure again what is there")
    documents = "write docs/fanout.{json,md,svg}; over links of another rate their figures into fanout-RATE.json"
    own.add_argument("--write-docs", action="store_true", help=documents)
    own.add_argument("--render", action="store_true", help="measure nothing, write the pages from docs/fanout.json")
    return own


def measure(options):
    nodes = [int(text) for text in options.nodes.split(",")]
    head = head_of(options.size, options.rate, nodes)
    record = continued(options.json or (kept(options.rate) if options.write_docs else None), head, options.fresh)
    if head["load"] > BUSY:
        print(f"This machine is busy (load {head['load']}): take the figures for what they are.", file=sys.stderr)
    grounds = Grounds()
    source = Path(grounds.things.parent, "source", "data")
    write_random(source, options.size)
    time.sleep(SETTLED)
    field = Field(grounds, Switch(max(nodes), options.rate), source)
    wanted = [each for each in plan_of(nodes) if not options.ways or each[0] in options.ways.split(",")]
    for _ in range(options.rounds):
        for way, count in wanted:
            load = others_at_work()
            add(record, f"{way} {count}", {**field.once(way, count), "load": load})
    return record.document


def head_of(size, rate, nodes):
    """The head of a record. Rounds over links of another rate, or of another amount, are another record."""
    amounts = {"bytes": size, "rate": rate}
    return about(amounts, 0, "memory") | amounts | {"nodes": nodes, "payload_per_s": rate * 125_000 * FRAMES}


def continued(path, head, fresh=False):
    """The record to add rounds to, which were beside as much other work as the busiest of them."""
    record = Record(path, head, fresh)
    record.document["about"]["load"] = max(record.document["about"]["load"], head["load"])
    return record


def add(record, key, run):
    runs = [*record.rows.get(key, {"runs": []})["runs"], run]
    record.document["medians"] = medians({**record.rows, key: {"runs": runs}})
    record.put(key, {"runs": runs})
    told = f"{key:>9}: {run['seconds']:7.2f} s, source sent {run['sent'][0]:.2f}x"
    print(told + BUSY_MARK * (run["load"] > BUSY), file=sys.stderr, flush=True)
