"""The page of all transfers, asked of minions as Salt does it: what is told of each, and to whom."""

import pytest
import salt.loader

from tests.support.fleet import FakeFleet
from tests.unit.transferplan import samples

from .test_looking import healthy, names, runs

TRANSFER = samples.TRANSFER


@pytest.fixture
def as_user(opts, fleet, context, monkeypatch):
    """overview(...) as this user of external authentication asks for it, through the master."""

    def as_user(user, table=None, **arguments):
        opts.update({"__cli": "salt-master", "transfer_viewers": table or {}})
        overview = salt.loader.runner(opts, context=context)["transfer.overview"]
        monkeypatch.setitem(overview.__globals__, "__user__", user)  # as Salt does it for each call
        return overview(**arguments)

    return as_user


def with_asker(minions, user="ann"):
    runs(minions, asked_by={"user": user})


def test_one_page_tells_of_all_transfers(run, minions):
    with_asker(minions)
    answer = run("overview")
    assert (answer["result"], answer["viewer"]["everything"], answer["silent"]) == ("ok", True, [])
    (one,) = answer["transfers"]
    assert (one["transfer"], one["state"]) == (TRANSFER, "running")
    assert [(end["host"], end["role"]) for end in one["ends"]] == [("alpha", "source"), ("beta", "destination")]


def test_one_that_runs_is_shown_closely_with_its_curve(run, minions):
    with_asker(minions)
    told = minions["beta"].says["record"]

    def with_curve(transfer, role, **_):
        record = told(transfer, role)
        record.get("status", {})["curve"] = [[0.0, 0], [0.5, 7]]
        return record

    minions["beta"].says["record"] = with_curve
    shown = run("overview", TRANSFER)["shown"]
    assert (shown["state"], shown["outcome"], shown["missing"]) == ("running", None, [])
    curves = {end["host"]: end["curve"] for end in shown["ends"]}
    assert curves == {"alpha": [], "beta": [[0.0, 0], [0.5, 7]]}


def test_one_that_has_ended_is_shown_with_the_outcome_that_attach_tells(run, minions):
    with_asker(minions)
    specs = {member.host: spec for member, spec in samples.specs().items()}
    for name, role in (("alpha", "source"), ("beta", "destination")):
        record = samples.record(specs[name], verdict=samples.verdict())
        minions[name].says["record"] = lambda transfer, role, record=record, own=role, **_: (
            record if role == own else {"error": {"code": 102, "name": "unknown-transfer", "text": "no"}}
        )
    outcome = run("overview", TRANSFER)["shown"]["outcome"]
    assert (outcome["result"], outcome["receipt"]["proved"], outcome["receipt"]["root"]) == ("ok", True, samples.ROOT)


def test_a_missing_end_is_told_in_words(run, minions):
    with_asker(minions)
    minions["alpha"].says["record"] = {"error": {"code": 102, "name": "unknown-transfer", "text": "no"}}
    shown = run("overview", TRANSFER)["shown"]
    assert shown["outcome"] is None and "only the destination beta has a record" in shown["missing"][0]


def test_findings_are_told_when_asked_for(run, minions):
    with_asker(minions)
    minions["alpha"].says["doctor"] = healthy()
    minions["beta"].says["doctor"] = {**healthy(), "findings": [{"what": "dead worker", "advice": "sweep it"}]}
    assert "findings" not in run("overview")
    assert [each["what"] for each in run("overview", doctor=True)["findings"]] == ["dead worker"]


def test_who_was_looked_at_for_findings_is_told_and_who_was_silent(run, minions):
    with_asker(minions)
    minions["alpha"].says["doctor"] = lambda **_: FakeFleet.SILENT
    minions["beta"].says["doctor"] = healthy()
    told = run("overview", doctor=True)
    assert (told["findings"], told["examined"], told["silent"]) == ([], ["beta"], ["alpha"])


def test_where_nobody_answers_it_is_not_said_that_nothing_is_left_over(opts, run, minions, capsys):
    opts["fun"] = "transfer.overview"
    for minion in minions.values():
        minion.says["list"] = minion.says["doctor"] = lambda **_: FakeFleet.SILENT
    assert run("overview", doctor=True)["examined"] == []
    said = capsys.readouterr().err
    assert "nobody answered: what is left over is not known" in said and "nothing is left over" not in said


def test_a_user_is_told_what_they_asked_for_and_what_is_opened_to_them(as_user, minions):
    with_asker(minions)
    assert len(as_user("ann")["transfers"]) == 1
    assert as_user("bob")["transfers"] == []
    assert as_user("bob", {"bob": ["alpha"]})["transfers"] == []
    assert len(as_user("bob", {"bob": ["alpha", "b*"]})["transfers"]) == 1


def test_a_doctor_visits_only_hosts_that_are_opened_to_who_asks(as_user, minions):
    with_asker(minions)
    for minion in minions.values():
        minion.says["doctor"] = healthy()
    assert as_user("bob", doctor=True)["findings"] == []
    assert "doctor" not in minions["alpha"].asked() + minions["beta"].asked()
    as_user("bob", {"bob": ["b*"]}, doctor=True)
    assert "doctor" in minions["beta"].asked() and "doctor" not in minions["alpha"].asked()


def test_one_that_a_user_may_not_see_is_as_unknown_as_one_that_does_not_exist(as_user, minions):
    with_asker(minions)
    hidden = as_user("bob", transfer=TRANSFER)
    absent = as_user("bob", transfer="f" * 32)
    assert names(hidden) == names(absent) == ["unknown-transfer"]
    assert "record" not in minions["alpha"].asked()
    assert hidden["reasons"][0]["text"].replace(TRANSFER, "f" * 32) == absent["reasons"][0]["text"]


def test_a_name_that_is_given_as_an_argument_opens_nothing(as_user, minions):
    with_asker(minions)
    assert as_user("bob", __pub_user="ann", __user__="ann")["transfers"] == []


def test_a_table_that_is_none_is_refused(run, opts, minions):
    opts["transfer_viewers"] = "everybody"
    assert names(run("overview")) == ["bad-option"]
