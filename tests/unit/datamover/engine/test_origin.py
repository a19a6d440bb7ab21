"""What the source of a chain makes once, however many links it serves at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from datamover.disk.journal import Journal
from datamover.engine.origin import Origin, Walk
from datamover.errors import SourceChanged, SourceVanished
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


# The seal


class Onward:
    serves_several = False


@pytest.fixture
def origin():
    """An Origin of which only the seal is looked at."""
    origin = Origin.__new__(Origin)
    origin.seal, origin._sealing, origin._onward = None, threading.Lock(), Onward()
    return origin


def test_there_is_one_seal_however_many_links_ask_for_it_at_the_same_moment(origin):
    made, together = [], threading.Barrier(8)

    def ask():
        together.wait(PATIENCE)
        return origin.seal_once(lambda: made.append(object()) or made[-1])

    with ThreadPoolExecutor(8) as pool:
        seals = {asked.result(PATIENCE) for asked in [pool.submit(ask) for _ in range(8)]}
    assert seals == {*made} and len(made) == 1


def test_nothing_that_was_read_changes_while_a_seal_is_made_of_it(origin):
    inside, go_on = threading.Event(), threading.Event()

    def make():
        inside.set()
        assert go_on.wait(PATIENCE)
        return "seal"

    def change():
        with origin.unsealed(False) as may_change:
            return may_change

    with ThreadPoolExecutor(2) as pool:
        sealing = pool.submit(origin.seal_once, make)
        assert inside.wait(PATIENCE)
        changing = pool.submit(change)
        assert not wait([changing], timeout=0.2).done
        go_on.set()
        assert (sealing.result(PATIENCE), changing.result(PATIENCE)) == ("seal", False)


@pytest.mark.parametrize(
    ("rereads", "several", "may_change"),
    [(False, False, True), (False, True, True), (True, False, True), (True, True, False)],
)
def test_what_went_over_another_link_that_is_there_is_not_begun_again_for_one(origin, rereads, several, may_change):
    origin._onward.serves_several = several
    with origin.unsealed(rereads) as found:
        assert found == may_change
    late = SourceChanged("it changed", late=True)
    assert not origin._is_own(late) and origin._is_own(SourceChanged("it changed"))
