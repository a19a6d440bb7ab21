"""A real end against a peer that has the right keys and says what nobody should: it ends, in words, in bounded memory.

The peer is our own other end in a process of its own, which changes some of what it says before it is encrypted. What
it changes is drawn from a seed, so that a finding comes again.
"""

import os
import random

import pytest

from datamover.engine.link import Link, TlsLink
from datamover.errors import LocalError, MoverError
from tests.functional.datamover.attempts import Attempts
from tests.functional.datamover.ends import Ends, OwnProcess
from tests.functional.datamover.places import independent_differences, plant
from tests.fuzz.mutation import drawn
from tests.support.memory import traced

MIB = 1 << 20
STALL = 2
COMPRESSIONS = ("none", "zlib", "zstd")
QUICK, AGAIN, LONG = range(10), range(6), range(10, 110)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    tree = {f"small {number}": b"%d" % number * number for number in range(40)}
    tree |= {"large": os.urandom(2 * MIB), "dir": {"link": "../large", "deep": {"a": b"a" * 70_000}}}
    root = plant(tmp_path / "source", tree)
    with open(root / "sparse", "wb") as out:
        out.truncate(3 * MIB)
        out.seek(MIB)
        out.write(b"island")
    os.link(root / "large", root / "dir" / "again")
    return root


class Liar:
    """Changes what is said: each portion with some probability, beginning anywhere, the seeds being what was said."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._after = self._random.choice((0, 1, 2, 4, 8, 16))
        self._share = self._random.choice((0.02, 0.1, 0.5, 1.0))
        self._said = []

    def changed(self, data):
        self._said = [*self._said[-8:], bytes(data[:4096])]
        self._after -= 1
        if self._after >= 0 or self._random.random() >= self._share:
            return data
        head = drawn(self._random, [bytes(data[:4096]), *self._said])
        return head + bytes(data[4096:]) if self._random.random() < 0.7 else head

    def run(self, work):
        """Carry out `work` in this process, lying."""
        for kind in (Link, TlsLink):
            self._tamper(kind, kind.send)
        return work()

    def _tamper(self, kind, send):
        def lie(link, data):
            # What TLS itself sends goes through the plain link and stays true.
            plain = kind is Link and isinstance(link, TlsLink)
            send(link, data if plain else self.changed(data))

        kind.send = lie


def against_a_liar(ends, role, seed):
    """The outcome of the honest end, and how much memory it took."""
    work = {"source": ends.sender, "destination": ends.receiver}
    liar, honest = Liar(seed), "destination" if role == "source" else "source"
    theirs = work[role]().run
    with OwnProcess(lambda: liar.run(theirs)):
        end = work[honest]()
        if role == "destination":
            ends.listener.close()
        with traced() as peak:
            outcome = end.run()
        return outcome, peak()


def varied(seed, **more):
    """Settings that differ from seed to seed."""
    compress = COMPRESSIONS[seed % len(COMPRESSIONS)]
    return {"stall_timeout": STALL, "block_size": 256 * 1024, "streams": 1 + seed % 2, "compress": compress, **more}


def check(ends, role, seed):
    outcome, peak = against_a_liar(ends, role, seed)
    assert peak < 48 * MIB
    if outcome.error:
        assert isinstance(outcome.error, MoverError) and not isinstance(outcome.error, LocalError), outcome.error
        assert outcome.error.text.isprintable()
    elif role == "source":
        # All that it changed did not matter.
        assert ends.sealed == [True] and independent_differences(ends.root.decode(), ends.data) == []


@pytest.mark.parametrize("encrypt", [True, False])
@pytest.mark.parametrize("seed", QUICK)
def test_a_destination_against_a_source_that_lies(root, folder, seed, encrypt):
    check(Ends(root, folder, **varied(seed, encrypt=encrypt)), "source", seed)


@pytest.mark.parametrize("seed", QUICK)
def test_a_source_against_a_destination_that_lies(root, folder, seed):
    check(Ends(root, folder, **varied(seed)), "destination", seed)


@pytest.mark.parametrize("role", ["source", "destination"])
@pytest.mark.parametrize("seed", AGAIN)
def test_either_end_of_a_further_attempt_against_a_peer_that_lies(root, folder, role, seed):
    attempts = Attempts(root, folder, **varied(seed))
    attempts.cut(0.6)
    check(attempts.next(), role, seed)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["source", "destination"])
@pytest.mark.parametrize("seed", LONG)
def test_either_end_against_a_peer_that_lies_in_many_ways(root, folder, role, seed):
    check(Ends(root, folder, **varied(seed, encrypt=bool(seed % 4))), role, seed)
