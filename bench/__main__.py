"""Our engine beside the tools people use today: `./dev bench`. Nothing of it touches the network of this host.

    ./dev bench --quick                                a first look, under five minutes
    ./dev bench --only transferpy                      some rows alone; --list shows all
    ./dev bench --write-docs --with-salt --time-budget 60m
                                                       what stands in docs/benchmarks.md; again to go on
    ./dev bench --full --write-docs                    files of 4 GiB, for the rows whose goals are meant for them
    ./dev bench fanout --help                          one source and many destinations, by themselves
    ./dev bench clones --help                          clones of a database, beside what is typed by hand

It alternates the two sides of each row after warming up, takes medians, and checks each time that all arrived equal.
"""

import argparse
import fnmatch
import sys
from dataclasses import asdict, replace

from . import clones, fanout, with_salt
from .campaign import DOUBTS, FEWEST_RUNS, Campaign, Clock, in_short, is_better, is_due
from .data import size_of
from .errors import BenchError
from .grounds import Grounds
from .machine import BUSY, CHECKOUT, EVERYTHING, about, digest_of_code
from .network import Namespaces
from .page import MEANT, page
from .plot import picture
from .record import Record, read, to_show
from .rows import FULL, QUICK, ROWS, Scale, by_importance
from .tables import in_text
from .things import furnish, make_sshd_at_home, see_unpacked

DOCS = CHECKOUT / "docs"
DATA = DOCS / "benchmarks.json"
FULL_DATA = DOCS / "benchmarks-4GiB.json"
BENCH = "./dev bench"
MEMORY = "memory"
UNPACKED = CHECKOUT / ".venv" / "sshd"
SPANS = {"s": 1, "m": 60, "h": 3600}
QUICK_RUNS, RUNS = 2, 5
QUICK_SECONDS = 270
ROUNDS = f"alternations after the warm-up; {RUNS}, or {QUICK_RUNS} if quick; without a goal at most {FEWEST_RUNS}"


def main():
    if sys.argv[1:2] == ["fanout"]:
        return fanout.main(sys.argv[2:])
    if sys.argv[1:2] == ["clones"]:
        return clones.main(sys.argv[2:])
    options = parser().parse_args()
    rows = chosen(FULL if options.full else ROWS, options)
    if options.list:
        print("\n".join(row.key for row in rows))
        return 0
    try:
        document = to_show(*kept_by(options)) if options.render else measure(rows, options).document
        print(in_text(document))
        if options.write_docs or options.render:
            write_pages()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 70
    return 0


def place_of(options):
    """Which of the kept records is meant."""
    return FULL_DATA if options.full else DATA


def kept_by(options):
    """The record that is meant, and the command that keeps it."""
    return place_of(options), f"{BENCH} --full" if options.full else BENCH


def write_pages():
    for path, text in pages(to_show(DATA, BENCH), read(FULL_DATA)).items():
        path.write_text(text, encoding="utf-8")


def pages(document, full):
    """{path: text} of what the docs show of the kept records."""
    return {DOCS / "benchmarks.md": page(document, full), DOCS / "benchmarks.svg": picture(document)}


def parser():
    own = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own.add_argument("--quick", action="store_true", help="little data, and without --only the main rows")
    own.add_argument("--full", action="store_true", help="files of 4 GiB, and only rows whose goals mean them")
    own.add_argument("--only", action="append", metavar="PATTERN", help="rows with this in their name; * and ? match")
    own.add_argument("--list", action="store_true", help="name the rows, measure nothing")
    own.add_argument("--size", type=size_of, help="of one big file, such as 4G")
    own.add_argument("--files", type=int, help="of the tree of many small files")
    own.add_argument("--runs", type=int, help=ROUNDS)
    own.add_argument("--time-budget", type=span_of, metavar="SPAN", help="such as 20m; rows without time are left out")
    own.add_argument("--destination", metavar="DIR", help="receive below this directory instead of in memory")
    own.add_argument("--json", metavar="FILE", help="keep the figures there, and go on with what is there")
    own.add_argument("--with-salt", action="store_true", help="whole commands too, beside cp.push; takes minutes")
    own.add_argument("--fresh", action="store_true", help="measure again what is there")
    own.add_argument("--again", action="store_true", help=f"measure again rows that are doubtful: {', '.join(DOUBTS)}")
    own.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.{json,md,svg}")
    own.add_argument("--render", action="store_true", help="measure nothing, write the pages from docs/benchmarks.json")
    return own


def span_of(text):
    number, unit = (text[:-1], SPANS[text[-1]]) if text[-1:] in SPANS else (text, 1)
    return float(number) * unit


def chosen(rows, options):
    if options.quick and not options.only:
        return [row for row in rows if row.quick]
    return [row for row in rows if any(fits(row.key, pattern) for pattern in options.only or ["*"])]


def fits(name, pattern):
    """Whether the pattern is a part of the name; with * or ? in it, whether it is like the whole of it."""
    return fnmatch.fnmatchcase(name, pattern) if set("*?") & set(pattern) else pattern in name


def budget(options):
    """Seconds in which rows may begin; None is without end."""
    return options.time_budget or (QUICK_SECONDS if options.quick else None)


def scale_of(options):
    changes = {"big": options.size or (MEANT if options.full else None), "many": options.files}
    return replace(QUICK if options.quick else Scale(), **{name: value for name, value in changes.items() if value})


def measure(rows, options):
    """Measure what is not in the record yet, in namespaces of our own; the record."""
    scale = scale_of(options)
    runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    head = about(asdict(scale), runs, options.destination or MEMORY)
    path = options.json or (place_of(options) if options.write_docs else None)
    record = Record(path, head, options.fresh)
    if record.others:
        others = " and another ".join(record.others)
        say(f"{path} was measured with another {others}: its rows go with the first new one.")
    if head["load"] > BUSY:
        say(f"This machine is busy ({head['load']} cores are at work): take the figures for what they are.")
    grounds = Grounds(options.destination)
    see_unpacked(UNPACKED)
    furnish(grounds.things, grounds.place)
    make_sshd_at_home(grounds.things)
    clock = Clock.of(budget(options))
    campaign = Campaign(Namespaces(), grounds, scale, runs, record, clock, say)
    campaign.carry_out(by_importance(rows), options.again)
    if options.with_salt:
        measure_with_salt(record, scale.lab, min(runs, with_salt.MOST_RUNS), clock, options.again)
    return record


def measure_with_salt(record, size, runs, clock, again):
    """The row of whole commands, if it is not in the record yet, is doubtful, or is of other commands."""
    code = digest_of_code(EVERYTHING)
    known = record.rows.get(with_salt.KEY, {})
    known = known if known.get("code") == code else {}
    if is_due(known, runs, again):
        say(with_salt.KEY)
        result = with_salt.measure(size, runs, clock.over) | {"code": code}
        if is_better(result, known, runs):
            record.put(with_salt.KEY, result)
        say(f"        {in_short(result)}")


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
