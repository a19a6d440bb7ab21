"""Whether compressing pays, on ways and hosts as they may be."""

from dataclasses import dataclass, replace

import pytest

from datamover.engine.worth import HELD, PAUSE, Span, Worth

MB = 1e6
RATIO = 1 / 3


@dataclass(frozen=True)
class World:
    """What limits a transfer, each in bytes a second: the way (as travels), the compressor, the rest (raw)."""

    way: float
    compressor: float = 350 * MB
    rest: float = 1000 * MB
    ratio: float = RATIO
    starved: float = 1e15
    """What gets through at most while it is compressed, because the processors have other work too."""

    def goodput(self, compress):
        way = self.way / self.ratio if compress else self.way
        return min(way, self.rest, min(self.compressor, self.starved) if compress else self.rest)

    def span(self, compress, seconds=0.25):
        """What is seen of it: it is held up when its own work is not the limit, be that by the way or the other end."""
        raw = self.goodput(compress) * seconds
        held = 0.0 if compress and self.goodput(True) == min(self.compressor, self.starved) else 0.9
        return Span(int(raw), int(raw * (self.ratio if compress else 1)), seconds, held)


def lived(world, seconds, start=None):
    """(the part of the time that was spent compressing, raw bytes that passed)."""
    worth, now, compressing, moved = start or Worth(), 0.0, 0.0, 0.0
    while now < seconds:
        span = world.span(worth.compress)
        now += span.seconds
        compressing += span.seconds * worth.compress
        moved += span.raw
        if worth.compress:
            worth = Worth(**{**vars_of(worth), "speed": world.compressor, "ratio": world.ratio})
        worth = worth.after(span, now)
    return compressing / now, moved


def vars_of(worth):
    return {name: getattr(worth, name) for name in worth.__dataclass_fields__}


@pytest.mark.parametrize(
    ("world", "compresses"),
    [
        (World(way=12.5 * MB), True),
        (World(way=125 * MB), True),
        (World(way=330 * MB), False),
        (World(way=5000 * MB), False),
        (World(way=40 * MB, compressor=30 * MB), False),
        (World(way=12.5 * MB, compressor=30 * MB), True),
        (World(way=5000 * MB, rest=200 * MB), False),
        (World(way=125 * MB, starved=60 * MB), False),
    ],
    ids=["100 Mbit", "1 Gbit", "fast", "unshaped", "slow codec", "slow codec and way", "slow disk", "busy host"],
)
def test_it_comes_within_a_tenth_of_the_better_choice(world, compresses):
    share, moved = lived(world, 60)
    assert (share > 0.5) == compresses
    assert moved >= 0.9 * 60 * max(world.goodput(True), world.goodput(False))


def test_it_begins_by_compressing_and_tries_without_as_soon_as_nothing_holds_it_up():
    assert Worth().compress
    assert not Worth().after(Span(10**7, 3 * 10**6, 0.1, 0.0), 0.1).compress
    assert Worth().after(Span(10**7, 3 * 10**6, 0.1, 0.9), 0.1).compress


def test_a_way_that_gets_slower_is_noticed_and_one_that_gets_faster_too():
    worth, now = Worth(speed=350 * MB, ratio=RATIO, compress=False), 0.0
    for way, compress in ((5000, False), (12, True), (12, True), (5000, False)):
        for _ in range(400):
            now += 0.25
            worth = worth.after(World(way * MB).span(worth.compress), now)
        assert worth.compress == compress, way


def test_another_end_that_is_slow_gets_no_extra_work():
    slow = World(way=5000 * MB, rest=100 * MB)
    worth = Worth(way=100 * MB, compress=True, speed=350 * MB, ratio=RATIO)
    once = worth.after(slow.span(True), 10.0)
    assert once.compress, "that may have been a hiccup"
    assert once.after(World(way=100 * MB, rest=10**9).span(True), 10.2).doubts == 0, "it was one"
    twice = once.after(slow.span(True), 10.2)
    assert not twice.compress and twice.again_at == 10.2 + PAUSE


def test_more_effort_is_made_only_where_compressors_have_time_for_it():
    slow, quick = World(way=12.5 * MB).span(True), World(way=125 * MB).span(True)
    known = Worth(way=12.5 * MB, speed=350 * MB, ratio=RATIO, again_at=100.0)
    assert known.after(slow, 10.0).thorough
    assert not replace(known, way=125 * MB).after(quick, 10.0).thorough
    assert replace(known, way=0.0).after(slow, 0.5).thorough, "before anything else was tried"
    busy = replace(known, speed=2 * slow.raw / slow.seconds)
    assert not busy.after(slow, 10.0).thorough
    assert replace(busy, thorough=True).after(slow, 10.0).thorough, "begun, it goes on with half of that"


def test_where_more_effort_is_the_limit_the_usual_one_is_tried_before_none():
    thorough = Worth(thorough=True, way=12.5 * MB, speed=40 * MB, ratio=RATIO)
    after = thorough.after(Span(10**7, 3 * 10**6, 0.25, 0.0), 10.0)
    assert after.compress and not after.thorough


def test_on_a_busy_host_compressing_ends_as_soon_as_it_is_seen_to_hinder():
    busy = World(way=125 * MB, starved=60 * MB)
    worth = Worth(way=125 * MB, compress=True, speed=350 * MB, ratio=RATIO, again_at=100.0)
    once = worth.after(busy.span(True), 10.0)
    assert once.compress, "that may have been a hiccup"
    twice = once.after(busy.span(True), 10.25)
    assert not twice.compress and twice.again_at == 10.25 + PAUSE


def test_waiting_a_little_is_not_being_held_up():
    plain = Worth(compress=False, speed=350 * MB, ratio=RATIO)
    assert not plain.after(Span(10**7, 10**7, 1.0, HELD / 2), 5.0).compress
    assert plain.after(Span(10**7, 10**7, 1.0, HELD), 5.0).compress
