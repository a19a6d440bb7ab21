"""Up to where a stream is held by all behind a host, and what follows from that."""

import threading

import pytest

from datamover.engine.holding import Holding
from datamover.engine.stop import Stop, Stopped


class Seen:
    """A Holding with what it is told, and what was let go."""

    def __init__(self, own=0, behind=None):
        self.own, self.behind = own, behind
        self.let_go = []
        self.stop = Stop()
        self.holding = Holding(lambda: self.own, lambda: self.behind, self.let_go.append, self.stop)

    def note(self, own, behind):
        self.own, self.behind = own, behind
        self.holding.note()
        return self.holding.upto


def test_it_is_the_least_of_all():
    seen = Seen()
    assert [seen.note(5, 0), seen.note(5, 3), seen.note(6, 4)] == [0, 3, 4]
    assert seen.let_go == [3, 4]
    assert (seen.holding.await_more(0), seen.holding.await_more(3)) == (4, 4)


def test_the_last_of_a_chain_speaks_for_itself():
    assert Seen().note(7, None) == 7


def test_it_never_goes_back_when_others_come_who_have_not_told_yet():
    seen = Seen()
    assert [seen.note(9, 8), seen.note(9, 0), seen.note(9, 5), seen.note(10, 9)] == [8, 8, 8, 9]


def test_who_waits_for_all_waits_no_longer_than_its_link_lasts():
    seen, link = Seen(own=4, behind=3), Stop()
    link.on_set(lambda _reason: seen.holding.wake())
    done = []

    def wait(stop):
        try:
            seen.holding.wait(4, stop)
            done.append("held")
        except Stopped:
            done.append("stopped")

    waiting = threading.Thread(target=wait, args=(link,))
    waiting.start()
    link.set(ValueError("the link is over"))
    waiting.join(10)
    waiting = threading.Thread(target=wait, args=(Stop(),))
    waiting.start()
    seen.note(4, 4)
    waiting.join(10)
    assert done == ["stopped", "held"]
    seen.stop.set(ValueError("all is over"))
    with pytest.raises(Stopped):
        seen.holding.wait(5, Stop())
