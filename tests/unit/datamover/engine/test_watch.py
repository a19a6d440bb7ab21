"""Noticing that nothing moves."""

import itertools
import threading

import pytest

from datamover.engine.stop import Stop
from datamover.engine.watch import Watch
from datamover.errors import Stalled


def watch(look, stop, beat=lambda: None, timeout=0.2):
    return Watch(timeout, look, beat, lambda: "alpha is moving", stop)


def test_nothing_that_moves_is_a_stall_and_beats_go_on_until_then():
    beats = []
    with pytest.raises(Stalled, match="nothing moved for 1 s: alpha is moving"):
        watch(lambda: "same", Stop(), lambda: beats.append(1), timeout=1).run()
    assert beats


def test_it_beats_as_often_as_it_is_told():
    stop, beats = Stop(), []

    def beat():
        beats.append(1)
        if len(beats) == 3:
            stop.set(ValueError())

    Watch(1000, lambda: "same", beat, lambda: "", stop, pause=0.01).run()
    assert len(beats) == 3


def test_anything_that_moves_is_none():
    stop, looks = Stop(), itertools.count()

    def look():
        seen = next(looks)
        if seen == 12:  # three times the timeout
            stop.set(ValueError())
        return seen

    watch(look, stop).run()


def test_it_ends_with_the_work_at_once():
    stop = Stop()
    watching = threading.Thread(target=watch(lambda: 1, stop, timeout=1000).run)
    watching.start()
    stop.set(ValueError())
    watching.join(5)
    assert not watching.is_alive()
