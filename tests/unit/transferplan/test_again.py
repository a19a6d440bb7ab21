"""The same copy asked for again joins what runs or rests; another one does not, and says what it met."""

from transferplan import again, plan
from transferplan.errors import Refused

from .samples import (
    ALPHA,
    BETA,
    OTHER,
    TRANSFER,
    alpha,
    asked,
    beta,
    destination,
    failed_records,
    record,
    source,
    specs,
    verdict,
)
from .test_records import ends

RESTS = [{"transfer": TRANSFER, "role": "destination", "attempt": 1, "bytes": 5}]
HERE = {ALPHA: alpha(), BETA: beta(resumable=RESTS)}


def running():
    return ends({member: record(spec) for member, spec in specs().items()})


def test_what_rests_and_what_runs_at_the_destination_is_met():
    held = destination(locked_by=OTHER)
    assert again.met(asked(), {ALPHA: alpha(), BETA: beta(held, resumable=RESTS)}) == (OTHER, TRANSFER)
    assert again.met(asked(), {ALPHA: alpha(), BETA: beta()}) == ()


def test_what_this_host_once_read_from_there_is_not_met():
    rests = [{**RESTS[0], "role": "source"}]
    assert again.met(asked(), {ALPHA: alpha(), BETA: beta(resumable=rests)}) == ()


def test_an_answer_that_cannot_be_read_is_the_plans_to_tell():
    assert again.met(asked(), {ALPHA: alpha(), BETA: {"error": {"code": 1, "name": "x", "text": "y"}}}) == ()
    assert again.met(asked(), {ALPHA: alpha()}) == ()


def test_the_same_copy_resumes_what_rests_and_attaches_to_what_runs():
    assert again.joins(asked(), HERE, ends()) == again.RESUMED
    assert again.joins(asked(), HERE, running()) == again.ATTACHED


def test_what_only_changes_the_way_does_not_make_it_another_copy():
    assert again.joins(asked(streams=4, port=4444), HERE, ends()) == again.RESUMED


def test_another_source_or_setting_makes_it_another_copy():
    assert again.joins(asked("alpha:/srv/other"), {**HERE, ALPHA: alpha(source(real="/srv/other"))}, ends()) == ""
    assert again.joins(asked(overwrite=True), HERE, ends()) == ""
    assert again.joins(asked(verify="flight"), HERE, running()) == ""


def test_a_place_is_the_same_by_whatever_links_it_is_reached():
    assert again.joins(asked("alpha:/link/data", "beta:/other/data"), HERE, ends()) == again.RESUMED


def test_what_is_over_for_good_is_not_joined():
    cancelled = {**failed_records(), BETA: record(specs()[BETA], verdict=verdict(result="cancelled", root=None))}
    assert again.joins(asked(), HERE, ends(cancelled)) == ""


def test_a_copy_of_its_own_tells_what_rests_beside_it():
    own = again.beside(asked(overwrite=True), HERE, (ends(),))
    warnings = plan.make(own, HERE).warnings
    assert any(f"transfer {TRANSFER} rests at beta:/srv/data" in each for each in warnings)


def test_a_copy_of_its_own_is_refused_with_what_tells_it_from_the_one_that_runs():
    own = again.beside(asked(overwrite=True), HERE, (running(),))
    try:
        plan.make(own, HERE)
    except Refused as refused:
        assert "runs at beta:/srv/data and is another one (its overwrite is False)" in refused.text
    else:
        raise AssertionError("it must not run into another one")
