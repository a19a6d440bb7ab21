"""What the destination of a link told it has, and what is left to be passed on."""

import pytest

from datamover import wire
from datamover.engine.passingon import Passed
from datamover.engine.standings import Awaited, Standing
from datamover.engine.stop import Stop
from datamover.errors import ProtocolError
from datamover.manifest import Entry, Kind

BLOCK = 100
EDITION = {"dataset": "cd" * 16}


def standing(*spans, landed=(), verified=(), announced=100):
    told = Standing(BLOCK)
    spans = tuple(wire.Span(*span) for span in spans)
    for message in wire.standing_messages(announced, landed, verified, spans, **EDITION):
        told.hear(message)
    return told


def file(size):
    return Entry(7, 0, b"file", Kind.FILE, size=size)


def test_what_has_landed_and_what_was_verified_is_told_as_ranges():
    told = standing(landed=((0, 3), (10, 1)), verified=((5, 2),))
    assert [number for number in range(20) if told.has_all(number, 1)] == [0, 1, 2, 5, 6, 10]
    assert [number for number in range(20) if told.has_verified(number, 1)] == [5, 6]


def test_what_has_landed_of_another_try_counts_for_nothing():
    told = standing((3, 2, 0, 0), landed=((3, 1),))
    assert (told.try_of(3), told.try_of(4)) == (2, 1)
    assert told.has_all(3, 2) and not told.has_all(3, 1) and not told.has_all(3, 3)


def test_of_a_file_blocks_up_to_the_frontier_and_parts_beyond_it_are_there():
    told = standing((7, 1, 0, 300), (7, 1, 500, 40))
    assert [told.filled(7, 1, block) for block in range(0, 700, 100)] == [100, 100, 100, 0, 0, 40, 0]
    assert told.filled(7, 2, 0) == told.filled(8, 1, 0) == 0


@pytest.mark.parametrize("span", [(100, 1, 0, 10), (7, 1, 50, 10)])
def test_what_cannot_be_is_refused(span):
    with pytest.raises(ProtocolError, match="was told where"):
        standing(span)


def test_many_ranges_come_in_several_messages_and_nothing_after_the_last():
    landed = tuple((2 * number, 1) for number in range(30_000))
    awaited = Awaited(BLOCK, Stop())
    messages = list(wire.standing_messages(60_000, landed, (), (), **EDITION))
    assert len(messages) > 1
    for message in messages:
        awaited.hear(message)
    told = awaited.get()
    assert told.has_all(59_998, 1) and not told.has_all(59_999, 1)
    with pytest.raises(ProtocolError, match="after the last"):
        awaited.hear(messages[-1])


# What is left of a file


def test_what_is_here_is_passed_on_once_as_it_lands():
    passed = Passed(file(250), 1, Standing(BLOCK), BLOCK)
    assert passed.ready(0, {0: 40}) == [(0, 40)]
    passed.add(0, 40)
    assert passed.ready(0, {0: 40, 200: 20}) == [(200, 20)]
    passed.add(200, 20)
    assert passed.ready(200, {200: 50}) == [(0, 100), (100, 100), (200, 50)]
    for block, length in passed.ready(200, {200: 50}):
        passed.add(block, length)
    assert passed.complete


def test_what_the_destination_has_is_left_out():
    passed = Passed(file(250), 1, standing((7, 1, 0, 100), (7, 1, 200, 30)), BLOCK)
    assert passed.ready(250, {}) == [(100, 100), (200, 50)]
    assert (passed.of(100), passed.of(200)) == (0, 30)


def test_a_file_that_is_there_as_a_whole_needs_nothing():
    assert Passed(file(150), 1, standing((7, 1, 0, 100), (7, 1, 100, 50)), BLOCK).complete
