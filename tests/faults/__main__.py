"""`./dev faults`: every fault of docs/faults.md, or with --rounds or --through-salt faults at random.

    ./dev faults                                             every row
    ./dev faults --rounds 1000 --through-salt 50 --seed 7    the engine alone, then whole machines
    ./dev faults --rounds 1000 --seed 7 --first 301          from round 301 of this seed on, to 1300
    ./dev faults --chain-rounds 100 --seed 7                 destinations of a chain of eight die or stand still while a
                                                             tree or a stream passes or is published, the engine alone

The rows fail too when in some phase of a transfer nothing struck. What comes only after the end is no hit. Rows can be
run in as many runs as it takes, with one file that records how each test ended and what it hit; each run goes on where
the last one ended, and the verdict is over all in the file, which fails if it is not all of one clean commit:

    ./dev faults --record FILE --seconds 250
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs/faults.md"
OVER = (0, 5)
"""Exit statuses of pytest that say nothing against it: all passed, or all had passed before."""


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=0, help="so many rounds of the engine alone")
    parser.add_argument("--through-salt", type=int, default=0, help="so many rounds of whole machines")
    parser.add_argument("--chain-rounds", type=int, default=0, help="so many rounds of a chain, the engine alone")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=1, help="the number of the first round")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin nothing further after so many")
    parser.add_argument("--record", type=Path, help="record in this file how the rows end, and run what is not done")
    options, rest = parser.parse_known_args(arguments)
    if not (options.rounds or options.through_salt or options.chain_rounds):
        return run_rows(rest, options.record, options.seconds)
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


def run_rows(words, file, seconds):
    """Run the tests of all rows, or those that `words` select; tell what came of them and was hit; the exit status."""
    with tempfile.TemporaryDirectory() as place:
        return run_recorded(words, file or Path(place) / "record", seconds)


def run_recorded(words, file, seconds):
    import pytest

    from tests.faults import record

    recorder = record.Recorder(file.absolute(), seconds)
    status = pytest.main(["--all", "--no-cov", *words, *named()], plugins=[recorder])
    ended = record.read(file)
    of_all = [] if words else [*record.missed(ended), *record.mixed(ended)]
    troubles = [*record.troubles(ended, recorder.asked), *of_all]
    print(*record.tell(ended, recorder.asked), *troubles, sep="\n")
    return 1 if troubles or status not in OVER else 0


def named():
    """The tests that the page names, each once."""
    return list(dict.fromkeys(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE.read_text())))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
