"""How long a transfer will take: by what came before, by the links, by a limit; and that nothing known says so."""

from dataclasses import replace

import pytest

from transferplan import forecast, units
from transferplan.errors import Reason
from transferplan.facts import Facts
from transferplan.forecast import HISTORY, LIMIT, LINK, PROBE, Leg, Probed, foresee

from .samples import GIB, alpha, beta, gamma, interface

MIB = 1024 * 1024


def facts(payload, speed=0, paces=()):
    here = payload["interfaces"][0]["address"]
    told = [{"host": "alpha", "bytes": size * MIB, "seconds": seconds} for size, seconds in paces]
    known = {**payload, "interfaces": [{**interface(here), "speed": speed}], "paces": told}
    return Facts.from_payload(known, payload["host"])


def leg(size=GIB, to=beta, speeds=(0, 0), paces=()):
    addresses = "10.77.1.11", to()["interfaces"][0]["address"]
    return Leg(facts(alpha(), speeds[0]), facts(to(), speeds[1], paces), addresses, size)


def one(limit=0, at_least=False, **known):
    return foresee([leg(**known)], limit, at_once=True, at_least=at_least)


def test_the_middle_of_what_came_before_counts():
    told = one(paces=[(1000, 10), (1000, 5), (1000, 100)])
    assert (told.seconds, told.basis) == (pytest.approx(10.2, abs=0.1), HISTORY)
    assert told.text == "about 10 s: the last 3 copies from alpha to beta made 100.0 MiB/s"


def test_without_any_the_slower_link_bounds_it():
    told = one(speeds=(10_000, 1000))
    assert (told.seconds, told.basis) == (pytest.approx(8.6), LINK)
    assert told.text == "at least 8.6 s: the link of beta carries 1 Gbit/s"


def test_a_link_that_tells_no_speed_is_not_counted():
    assert one(speeds=(0, 1000)).basis == LINK
    assert one() == forecast.UNKNOWN


def test_a_limit_bounds_what_would_be_faster_and_nothing_else():
    assert one(limit=MIB, paces=[(1000, 10)]).text == f"about {units.span(1024)}: the limit is 1.0 MiB/s"
    assert one(limit=GIB, paces=[(1000, 10)]).basis == HISTORY
    assert one(limit=MIB).basis == LIMIT


def test_less_than_a_second_is_a_moment():
    assert one(size=MIB, speeds=(10_000, 10_000)).text == "at least a moment: the link of alpha carries 10 Gbit/s"


def test_what_is_not_counted_yet_is_at_least_so_much():
    assert one(at_least=True, paces=[(1000, 10)]).text.startswith("at least")


@pytest.mark.parametrize(("at_once", "seconds"), [(True, 20), (False, 30)])
def test_of_several_the_slowest_counts_in_a_chain_and_all_one_after_the_other(at_once, seconds):
    legs = [leg(1000 * MIB, paces=[(100, 1)]), leg(1000 * MIB, to=gamma, paces=[(50, 1)])]
    assert foresee(legs, 0, at_once, at_least=False).seconds == pytest.approx(seconds)


def test_one_of_several_that_is_unknown_leaves_all_unknown():
    assert foresee([leg(paces=[(100, 1)]), leg(to=gamma)], 0, at_once=True, at_least=False) == forecast.UNKNOWN


def test_what_no_copy_can_have_been_does_not_end_the_plan():
    assert foresee([leg(paces=[(0, 1)])], 0, at_once=True, at_least=False) == forecast.UNKNOWN
    told = foresee([leg(paces=[(1, 1e300)])], 0, at_once=True, at_least=False)
    assert told.basis == HISTORY and told.seconds == GIB


# With a probe.


def probed(rate=100 * MIB, reason=None, **known):
    whole = leg(**known)
    return replace(whole, probed=Probed("alpha", whole.after.host, rate, 2.0, 200 * MIB, 0.001, reason))


def of(*legs, limit=0):
    return foresee(legs, limit, at_once=True, at_least=False)


def test_a_probe_tells_the_time_where_nothing_came_before():
    told = of(probed())
    assert (told.seconds, told.basis) == (pytest.approx(10.2, abs=0.1), PROBE)
    assert told.text == "about 10 s: a probe of 2 s from alpha to beta made 100.0 MiB/s"


def test_a_probe_is_believed_before_the_speed_of_a_link():
    assert of(probed(speeds=(10_000, 1000))).basis == PROBE


def test_of_a_probe_and_what_came_before_the_slower_counts():
    assert of(probed(paces=[(1000, 1)])).basis == PROBE
    assert of(probed(paces=[(1000, 100)])).basis == HISTORY


def test_a_probe_that_tells_no_rate_leaves_it_to_what_else_is_known():
    assert of(probed(None, paces=[(1000, 10)])).basis == HISTORY
    assert of(probed(None)) == forecast.UNKNOWN


def test_where_a_probe_failed_nothing_is_foreseen_whatever_came_before():
    failed = probed(None, Reason(24, "peer-unreachable", "closed"), paces=[(1000, 10)])
    assert of(failed) == forecast.UNPROBED and of(failed, limit=MIB) == forecast.UNPROBED


@pytest.mark.parametrize("rate", [5e-324, 1e-9])
def test_a_rate_that_cannot_be_does_not_end_the_plan(rate):
    told = of(probed(rate))
    assert told.basis == PROBE and told.seconds == GIB


def test_a_short_probe_says_how_short_it_was():
    assert "a probe of 0.25 s from" in of(replace(probed(), probed=replace(probed().probed, seconds=0.254))).text
