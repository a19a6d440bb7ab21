"""What the state says, from what stands there and what became of a copy."""

import pytest

from tests.unit.transferplan import samples
from transferplan import declared, plan
from transferplan.request import Member

RUN = {"transfer": "t" * 32, "role": "destination", "phase": "published", "path": "/srv/data"}
FROM_ALPHA = {"peers": [{"host": "alpha", "role": "source"}]}
END = {"created": 0, "changed": 0, "deleted": 0, "unchanged": 0}
RECEIPT = {"files": 3, "directories": 1, "links": 0, "bytes": 10, "level": "readback", "algorithm": "a", "root": "r"}


def told(result="ok", reasons=(), **end):
    ends = {"beta": {**END, **end}}
    source = {"place": "alpha:/srv/data"}
    return {"result": result, "transfer": "t" * 32, "source": source, "destinations": ends, "receipt": RECEIPT} | {
        "reasons": [{"code": 1, "name": name, "text": f"{name}!"} for name in reasons]
    }


@pytest.mark.parametrize(
    ("name", "source", "options", "part"),
    [
        ("srv/data", "alpha:/srv/data", {}, "no absolute path"),
        ("/srv/data", "alpha", {}, "source=alpha has no path"),
        ("/srv/data", None, {}, "source must be MINION:/path"),
        ("/srv/data", "alpha:/srv/data", {"updat": True}, "did you mean update?"),
        ("/srv/data", "alpha:/srv/data", {"overwrite": True}, "would replace it at every run"),
        ("/srv/data", "alpha:/srv/data", {"delete": True}, "delete=True is only for update=True"),
    ],
)
def test_a_declaration_that_is_none_is_told(name, source, options, part):
    assert part in " | ".join(declared.misdeclared(name, source, options))


def test_a_sound_declaration_has_no_troubles():
    assert declared.misdeclared("/srv/data", "alpha:/srv/data", {"update": True, "overwrite": True}) == []


def test_a_profile_is_for_the_master_to_know():
    assert declared.misdeclared("/srv/data", "alpha:/srv/data", {"profile": "wan"}) == []
    assert declared.wants(True, {"profile": "wan", "update": True}) is True


def test_a_slash_at_the_end_is_a_directory_to_copy_into():
    assert declared.final_name("/srv/", "alpha:/srv/data/") == "/srv/data"
    assert declared.final_name("/srv/copy", "alpha:/srv/data") == "/srv/copy"


@pytest.mark.parametrize(
    ("standing", "options", "wants"), [(False, {}, True), (True, {}, False), (True, {"update": True}, True)]
)
def test_what_stands_there_is_left_alone_unless_it_shall_be_updated(standing, options, wants):
    assert declared.wants(standing, options) is wants


@pytest.mark.parametrize(
    ("runs", "part"),
    [
        ([{**RUN, **FROM_ALPHA}], "brought it from alpha, proved"),
        ([{**RUN, "peers": [{"host": "gamma", "role": "source"}]}], "update=True would compare"),
        ([{**RUN, **FROM_ALPHA, "phase": "failed"}], "update=True would compare"),
        ([{**RUN, **FROM_ALPHA, "path": "/srv/other"}], "update=True would compare"),
        ([], "update=True would compare"),
    ],
)
def test_what_is_there_is_told_with_what_is_known_of_it(runs, part):
    outcome = declared.present("/srv/data", "alpha:/srv/data", runs)
    assert (outcome.result, dict(outcome.changes)) == (True, {})
    assert part in outcome.comment


def test_a_copy_changes_what_its_receipt_counts():
    outcome = declared.ended(told())
    assert outcome.result is True
    assert outcome.changes == {
        "source": "alpha:/srv/data",
        "files": 3,
        "directories": 1,
        "links": 0,
        "bytes": 10,
        "transfer": "t" * 32,
        "level": "readback",
        "root": "a:r",
    }


def test_an_update_that_found_nothing_changes_nothing():
    assert declared.ended(told(unchanged=4)).changes == {}


def test_an_update_tells_what_it_changed():
    changes = declared.ended(told(unchanged=4, changed=2)).changes
    assert (changes["changed"], "created" in changes) == (2, False)


@pytest.mark.parametrize("result", ["failed", "refused", "cancelled", "unknown"])
def test_what_did_not_end_well_is_a_failure_with_its_reasons(result):
    outcome = declared.ended(told(result, reasons=["no-space", "no-port"]))
    assert (outcome.result, outcome.changes) == (False, {})
    assert "no-space!" in outcome.comment and "no-port!" in outcome.comment
    assert ("transfer.attach" in outcome.comment) is (result == "unknown")


def test_in_a_test_run_a_parent_may_still_come_and_nothing_else():
    assert declared.foreseen(told("refused", reasons=["destination-parent"])).result is None
    assert declared.foreseen(told("refused", reasons=["destination-parent", "no-space"])).result is False


@pytest.mark.parametrize("told", [{}, None, "'transfer.pull' runner publish timed out", []])
def test_what_is_no_answer_is_told(told):
    assert declared.untold(told, "db2")
    assert declared.is_forbidden(told) is (told in ({}, None))


def test_the_permission_that_is_advised_is_for_the_minion_that_asked_alone():
    assert r"peer_run: {'db2\.example$': [transfer.pull]}" in declared.untold({}, "db2.example")


def test_an_answer_is_one():
    assert declared.untold({"result": "running"}, "db2") == ""


def test_a_plan_tells_what_would_be_copied_or_compared():
    plain = declared.foreseen({"result": "planned", "plan": planned()})
    assert (plain.result, set(plain.changes)) == (None, {"source", "files", "bytes"})
    standing = {"exists": True, "kind": "directory", "empty": False}
    update = declared.foreseen({"result": "planned", "plan": planned(standing, update=True)})
    assert (update.result, update.changes, "would be compared" in update.comment) == (None, {}, True)


def planned(found=None, **options):
    """A plan's summary, as the program makes it."""
    answers = {Member("alpha", "source"): samples.alpha()}
    answers[Member("beta", "destination")] = samples.beta(samples.destination(**(found or {})))
    return plan.make(samples.asked(**options), answers).summary()
