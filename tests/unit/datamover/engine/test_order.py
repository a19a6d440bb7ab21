"""Who serves whom in a chain, with which epoch, and who may take another's place."""

import pytest

from datamover.engine.order import TIMES, Order, Succession

HOSTS = ("source", "b", "c", "d", "e")


def order(host):
    return Order(HOSTS, host)


def test_everybody_knows_who_stands_before_and_after():
    assert order("c").before == ("b", "source")
    assert order("c").after == ("d", "e")
    assert (order("source").before, order("e").after) == ((), ())


@pytest.mark.parametrize(
    ("host", "target", "times", "epoch"),
    [
        ("source", "b", 1, 1),
        ("c", "d", 1, 1),
        ("c", "d", 3, 3),
        ("b", "d", 1, TIMES + 1),
        ("source", "e", 2, 3 * TIMES + 2),
    ],
)
def test_an_epoch_says_how_far_apart_its_ends_stand_and_how_often_they_met(host, target, times, epoch):
    assert order(host).epoch(target, times) == epoch


@pytest.mark.parametrize(
    ("who", "times", "present", "let_in"),
    [
        ("c", 1, 0, True),
        ("c", 2, ("c", 1), True),
        ("c", 1, ("c", 1), False),
        ("b", 1, ("c", 9), True),
        ("source", 1, ("b", 9), True),
        ("c", 9, ("b", 1), False),
        ("b", 9, ("source", 1), False),
        ("e", 1, 0, False),
        ("d", 1, 0, False),
        ("stranger", 1, 0, False),
    ],
)
def test_only_who_is_farther_up_or_comes_again_takes_the_place(who, times, present, let_in):
    known = present and order(present[0]).epoch("d", present[1])
    epoch = order(who).epoch("d", times) if who in HOSTS else 5
    assert order("d").lets_in(who, epoch, known) is let_in


def test_an_epoch_that_does_not_fit_who_shows_it_is_not_believed():
    assert not order("d").lets_in("c", order("source").epoch("d", 1), 0)


def test_of_all_that_come_the_farthest_wins_in_whatever_order_they_come():
    """No two can take a host back and forth."""
    links = [(who, order(who).epoch("e", times)) for who in ("d", "c", "b", "source") for times in (1, 2)]
    for sequence in (links, list(reversed(links)), links[::2] + links[1::2]):
        present = 0
        for who, epoch in sequence:
            present = epoch if order("e").lets_in(who, epoch, present) else present
        assert present == order("source").epoch("e", 2)


# Whom one host serves


@pytest.fixture
def after():
    return Succession(order("b"))


def test_the_nearest_is_served_and_when_it_is_lost_the_next(after):
    assert (after.target, after.open("c")) == ("c", 1)
    after.lose("c", "lost", "it cannot be reached")
    assert (after.target, after.open("d")) == ("d", TIMES + 1)
    after.lose("d")
    after.lose("e")
    assert after.target is None
    assert after.lost == ("c", "d", "e")
    assert after.ends["c"] == ("lost", "it cannot be reached")


def test_who_is_connected_to_again_gets_a_higher_epoch(after):
    assert [after.open("c"), after.open("c"), after.opened("c")] == [1, 2, 2]


def test_who_is_set_aside_is_not_lost_but_the_next_is_served_too(after):
    after.set_aside("c")
    assert (after.target, after.lost) == ("d", ())
    after.tell("c", "published")
    assert after.lost == ()


def test_the_last_one_is_never_set_aside_for_nobody_waits_for_it():
    after = Succession(order("d"))
    assert not after.may_set_aside("e")
    assert Succession(order("b")).may_set_aside("c")


def test_one_is_not_set_aside_when_all_behind_it_have_ended(after):
    for host in ("d", "e"):
        after.tell(host, "published")
    assert not after.may_set_aside("c")


def test_who_published_and_died_is_not_lost(after):
    assert after.tell("c", "published") and not after.tell("c", "published")
    after.lose("c")
    assert after.ends["c"] == ("published", "")
    assert (after.lost, after.target) == ((), "d")


def test_when_all_have_ended_nobody_is_served(after):
    for host in ("c", "d", "e"):
        after.tell(host, "published")
    assert after.target is None


def test_what_is_told_of_hosts_that_are_not_behind_is_ignored(after):
    assert not after.tell("source", "lost")
    assert not after.tell("stranger", "lost")


def test_one_that_those_behind_cannot_reach_is_taken_once_and_those_behind_it_stay_with_them(after):
    assert after.take("d") and not after.take("d")
    assert (after.target, after.lost) == ("c", ())
    after.lose("c")
    assert after.target == "e"


@pytest.mark.parametrize("host", ["c", "source", "stranger"])
def test_who_is_served_already_or_stands_elsewhere_is_not_taken(after, host):
    assert not after.take(host)


def test_who_has_ended_is_not_taken(after):
    after.tell("d", "published")
    assert not after.take("d")


def test_who_is_superseded_serves_nobody_any_more(after):
    after.finish()
    assert after.target is None
