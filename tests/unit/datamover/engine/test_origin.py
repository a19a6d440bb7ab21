"""What the source of a chain makes once, however many links it serves at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from datamover.disk.journal import Journal
from datamover.engine.origin import Walk
from datamover.errors import SourceVanished
from datamover.manifest import Entry, Kind

MANY = 50
PATIENCE = 30


class Tree:
    """Lists `MANY` entries into its journal; `before(number)` is called before each is given."""

    def __init__(self, journal, before=lambda number: None):
        self._journal = journal
        self._before = before

    def walk(self):
        for number in range(MANY):
            self._before(number)
            entry = Entry(number, 0, b"f%d" % number if number else b"", Kind.FILE if number else Kind.DIRECTORY)
            self._journal.add([entry])
            yield entry


@pytest.fixture
def journal():
    journal = Journal("")
    yield journal
    journal.close()


def numbers(entries):
    return [entry.number for entry in entries]


def test_two_that_list_in_turn_each_get_every_entry(journal):
    walk = Walk(Tree(journal), journal)
    one, other = walk.walk(), walk.walk()
    first = numbers([next(one), next(other), next(other), next(one), next(one), next(other)])
    assert first == [0, 0, 1, 1, 2, 2]
    assert numbers(one) == numbers(other) == list(range(3, MANY))
    assert numbers(walk.walk()) == list(range(MANY))


def test_two_that_list_at_the_same_moment_each_get_every_entry(journal):
    inside, go_on = threading.Event(), threading.Event()

    def hold(number):
        if number == MANY // 2:
            inside.set()
            assert go_on.wait(PATIENCE)

    walk = Walk(Tree(journal, hold), journal)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(lambda: numbers(walk.walk()))
        assert inside.wait(PATIENCE)
        other = pool.submit(lambda: numbers(walk.walk()))
        wait([other], timeout=0.2)  # with nothing between two links it fails meanwhile
        go_on.set()
        assert one.result(PATIENCE) == other.result(PATIENCE) == list(range(MANY))


def test_trouble_while_listing_is_no_end_of_the_list_for_anybody(journal):
    def vanish(number):
        if number == 3:
            raise SourceVanished("it is gone")

    walk = Walk(Tree(journal, vanish), journal)
    for _ in range(2):
        with pytest.raises(SourceVanished):
            list(walk.walk())
