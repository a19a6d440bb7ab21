"""`./dev faults`: every fault of docs/faults.md, or with --rounds or --through-salt faults at random.

    ./dev faults                                             every row
    ./dev faults --rounds 1000 --through-salt 50 --seed 7    the engine alone, then whole machines
    ./dev faults --rounds 1000 --seed 7 --first 301          from round 301 of this seed on, to 1300
    ./dev faults --chain-rounds 100 --seed 7                 destinations of a chain of eight die, the engine alone

The rows fail too when in some phase of a transfer nothing struck. What comes only after the end is no hit. Rows can be
run in parts, by words for pytest, with one file that gathers the hits; without words the verdict is over all in it:

    ./dev faults --hits FILE -k kill
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs/faults.md"
HIT = re.compile(r"(.+) in (\w+) with (\d+) bytes landed")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=0, help="so many rounds of the engine alone")
    parser.add_argument("--through-salt", type=int, default=0, help="so many rounds of whole machines")
    parser.add_argument("--chain-rounds", type=int, default=0, help="so many rounds of a chain, the engine alone")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=1, help="the number of the first round")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no further round after so many")
    parser.add_argument("--hits", type=Path, help="gather the hits of rows in this file")
    options, rest = parser.parse_known_args(arguments)
    if not (options.rounds or options.through_salt or options.chain_rounds):
        return run_rows(rest, options.hits)
    return play_at_random(options, rest)


def play_at_random(options, rest):
    """Play the rounds that were asked for; the exit status."""
    sys.path[:0] = [str(CHECKOUT / "_utils")]
    from tests.faults import chains, rounds, through_salt  # only now, when the packages can be found

    shared = [f"--seed={options.seed}", f"--first={options.first}", f"--seconds={options.seconds}"]
    status = rounds.main([*shared, f"--rounds={options.rounds}", *rest]) if options.rounds else 0
    if options.through_salt:
        status |= through_salt.main([*shared, f"--rounds={options.through_salt}"])
    if options.chain_rounds:
        status |= chains.main([*shared, f"--rounds={options.chain_rounds}"])
    return status


def run_rows(words, gathered):
    """Run the tests of all rows, or those that `words` select, tell the hits; the exit status."""
    import pytest

    with tempfile.NamedTemporaryFile(suffix=".xml") as results:
        status = pytest.main(["--all", "--no-cov", f"--junitxml={results.name}", *words, *named()])
        told = hits(ElementTree.parse(results.name))
    struck = Counter(HIT.fullmatch(each).group(1, 2) for each in gather(told, gathered))
    for (fault, phase), count in sorted(struck.items()):
        print(f"{fault:30} in {phase:12} {count:4} times")
    troubles = missing(struck)
    for trouble in troubles:
        print(trouble)
    return status or (bool(troubles) and not words)


def gather(told, file):
    """These hits and all that were gathered before."""
    if file is None:
        return told
    with open(file, "a+", encoding="ascii") as gathered:
        gathered.writelines(f"{each}\n" for each in told)
        gathered.seek(0)
        return gathered.read().splitlines()


def named():
    """The tests that the page names, each once."""
    return list(dict.fromkeys(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE.read_text())))


def hits(results):
    """What struck where, as the tests recorded it."""
    return [each.get("value") for each in results.iter("property") if each.get("name") == "hit"]


def missing(struck):
    """Sentences about phases in which nothing struck."""
    from tests.faults.schedule import PHASES

    phases = {phase for _, phase in struck}
    return [f"nothing struck while a worker was {phase}" for phase in PHASES if phase not in phases]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
