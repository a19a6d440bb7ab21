"""Timesheets of time: each thread is in one stage at a time, and all of them add up."""

import threading
from functools import partial

import pytest

from datamover.engine.stages import WORTH_A_LOOK, Stages, Timesheet


class Clock:
    def __init__(self):
        self.seconds = 0

    def __call__(self):
        return self.seconds * 10**9

    def passes(self, seconds):
        self.seconds += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def times(clock):
    return Timesheet(clock)


def test_a_stage_within_another_counts_for_itself_alone(times, clock):
    with times.on("write"):
        clock.passes(1)
        with times.on("digest"):
            clock.passes(2)
        clock.passes(4)
    clock.passes(8)
    assert times.stages() == Stages(write=5, digest=2)


def test_trouble_ends_a_stage_too(times, clock):
    with pytest.raises(OSError, match="full"), times.on("write"):
        clock.passes(1)
        raise OSError("full")
    clock.passes(1)
    assert times.stages() == Stages(write=1)


def test_what_lasts_still_is_seen(times, clock):
    with times.on("network"):
        clock.passes(7)
        assert times.stages() == Stages(network=7)


def test_threads_add_up(times, clock):
    with times.on("read"):
        thread = threading.Thread(target=lambda: times.on("read").__enter__())
        thread.start()
        thread.join()
        clock.passes(3)
    assert times.stages() == Stages(read=6)


def test_getting_the_next_item_is_spent_on_its_stage(times, clock):
    def items():
        for number in range(3):
            clock.passes(1)
            yield number

    for _ in times.over("list", items()):
        clock.passes(10)
    assert times.stages() == Stages(list=3)


class SlowHasher:
    """Digests to what it was given; each update takes two seconds."""

    def __init__(self, clock, data=b""):
        self.clock, self.data = clock, data

    def copy(self):
        return SlowHasher(self.clock, self.data)

    def update(self, data):
        self.clock.passes(2)
        self.data += data

    def digest(self):
        return self.data


def test_a_counted_hasher_digests_as_any_other(times, clock):
    hasher = times.hashing(partial(SlowHasher, clock))()
    hasher.update(bytes(WORTH_A_LOOK))
    hasher.update(bytes(WORTH_A_LOOK))
    hasher.update(b"as good as nothing")
    assert hasher.digest() == bytes(2 * WORTH_A_LOOK) + b"as good as nothing"
    assert times.stages() == Stages(digest=4)


def test_a_copy_of_a_counted_hasher_goes_on_by_itself_and_is_counted_too(times, clock):
    hasher = times.hashing(partial(SlowHasher, clock))()
    copy = hasher.copy()
    copy.update(bytes(WORTH_A_LOOK))
    assert (len(hasher.digest()), len(copy.digest())) == (0, WORTH_A_LOOK)
    assert times.stages() == Stages(digest=2)


def test_only_what_took_time_is_told():
    assert Stages(read=1.23456, wait=0.0001).as_dict() == {"read": 1.235}
