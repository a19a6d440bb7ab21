"""What the rounds of a chain draw, and what has to have become of all hosts in them."""

import os
import signal
import socket
import threading

import pytest

from datamover.engine.outcome import Chain, Outcome
from tests.faults import chains
from tests.faults.chains import SILENT, Host, Told, draw, left, names, sockets, wrong
from tests.faults.test_chain_deaths import SEED

ROOT = bytes(32)
HOSTS = ("alpha", *names(4))


def ended(error="", root=ROOT, lost=(), left=()):
    return Told(error, Outcome(root=root, chain=Chain(lost=lost)), left)


def heard(**told):
    """What the hosts told: all is well, but what a test says. host2 has died, and host1 named it."""
    return {**dict.fromkeys(HOSTS, ended()), "host1": ended(lost=("host2",)), "host2": None, **told}


def judged(published=(), **told):
    return wrong(heard(**told), {"host2"}, {"host1", "host3", "host4", *published})


def test_a_round_depends_on_its_seed_and_number_alone():
    assert draw(7, 12) == draw(7, 12) != draw(7, 13) != draw(8, 13)


def test_all_that_may_happen_is_drawn():
    rounds = [draw(7, number) for number in range(1, 101)]
    assert {len(each.kills) for each in rounds} == {1, 2, 3}
    assert {host for each in rounds for host in each.dead} == {*names(8)}
    assert 15 < sum(each.stream for each in rounds) < 45 and 3 < sum(each.halts for each in rounds) < 20


def test_the_short_form_has_a_tree_and_a_stream_and_the_long_one_somebody_who_stands_still():
    assert [draw(SEED, number).stream for number in (1, 2)] == [False, True]
    assert any(draw(SEED, number).halts for number in range(3, 21))


def test_who_stands_still_is_alone_and_is_served_by_then():
    halts = [each for number in range(1, 200) if (each := draw(7, number)).halts]
    assert {len(each.kills) for each in halts} == {1} and min(each.kills[0].share for each in halts) >= 0.05


def test_a_stream_is_proved_in_flight():
    assert {each.verify for number in range(1, 60) if (each := draw(7, number)).stream} == {"flight"}


def test_where_the_living_have_all_and_the_dead_are_named_nothing_is_wrong():
    assert judged() == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"host3": None}, "host3 lived and died without a word"),
        ({"host3": SILENT}, f"host3 lived and {SILENT}"),
        ({"host3": ended("stalled: nothing moved")}, "host3 lived and failed: stalled: nothing moved"),
        ({"host3": ended(root=bytes(31) + b"x")}, "host3 does not have the root that the source sealed"),
        ({"host3": ended(left=("the socket:[7]",))}, "host3 left the socket:[7]"),
        ({"alpha": ended(left=("the process 17",))}, "alpha left the process 17"),
        ({"host1": ended()}, "host2 died and nobody named them"),
    ],
)
def test_what_must_not_be_is_told(told, words):
    assert judged(**told) == [words]


def test_a_source_that_failed_is_told_and_nobody_has_its_root():
    told = judged(alpha=ended("producer-failed: gone", root=None))
    assert told[0] == "alpha lived and failed: producer-failed: gone" and len(told) == 4


def test_who_said_that_all_is_well_must_have_published():
    told = wrong(heard(), {"host2"}, {"host1", "host3"})
    assert told == ["host4 said that all is well, and has published nothing"]


@pytest.mark.parametrize(("published", "host2"), [({"host2"}, None), ((), ended("stalled: x"))])
def test_who_had_published_or_told_why_it_failed_before_it_died_needs_not_be_named(published, host2):
    assert judged(published, host1=ended(), host2=host2) == []


def test_what_is_left_open_is_seen():
    """Beside what other tests of this process may have left."""
    before, gate = sockets(), threading.Event()
    thread = threading.Thread(target=gate.wait, name="link to beta")
    thread.start()
    with socket.socket() as opened:
        ours = {f"the socket:[{os.fstat(opened.fileno()).st_ino}]", "the thread link to beta"}
        assert ours <= set(left(before))
    gate.set()
    thread.join()
    assert ours.isdisjoint(left(before))


def host(run):
    return Host("host1", run, set, None)


def test_a_host_tells_how_it_ended_and_one_that_dies_tells_nothing():
    told = host(lambda: Outcome(root=ROOT)).told()
    assert told == Told("", Outcome(root=ROOT))
    dying = host(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert dying.told() is None
    dying.process.join()
    dying.strike(signal.SIGKILL)


def test_one_that_goes_on_and_on_is_told(monkeypatch):
    monkeypatch.setattr(chains, "PATIENCE", 0)
    waiting = host(lambda: threading.Event().wait())
    assert waiting.told() == SILENT
    waiting.strike(signal.SIGKILL)
    waiting.process.join()
