"""Going on with what there is: resume, attach, and the same copy asked for again."""

import pytest

from tests.support.fleet import FakeFleet
from tests.unit.transferplan import samples
from transferplan.request import Member

PLACES = {"src": "alpha:/srv/data", "dst": "beta:/srv/data"}
ENDS = {"alpha": "source", "beta": "destination"}


def names(answer):
    return [reason["name"] for reason in answer["reasons"]]


def told(fleet):
    return [tag.rpartition("/")[2] for tag, _ in fleet.told]


def ended(minion, verdict):
    return samples.status(Member(minion.name, ENDS[minion.name]), verdict=verdict)


@pytest.fixture
def failed(run, minions):
    """The id of a transfer that failed in the middle; what comes next goes well."""
    for minion in minions.values():
        minion.says["follow"] = ended(minion, samples.failure())
    transfer = run("copy", **PLACES)["transfer"]
    for minion in minions.values():
        minion.calls = []
        # Of the attempt that failed the record tells, of the next one whoever follows it.
        minion.says["record"] = failed_record(minion)
        del minion.says["follow"]
    return transfer


def failed_record(minion):
    def record(transfer, role, **_):
        spec = minion.specs.get((transfer, role))
        return samples.record(spec, verdict=samples.failure()) if spec else minion.record(transfer, role)

    return record


def prepared(minion):
    return [arguments["spec"] for name, arguments in minion.calls if name == "prepare"]


def rests(transfer):
    return samples.beta(resumable=[{"transfer": transfer, "role": "destination", "attempt": 1, "bytes": 7}])


# --- resume ----------------------------------------------------------------------------------------------------------


def test_resume_makes_another_attempt_of_what_the_ends_recorded(run, minions, failed):
    answer = run("resume", failed, __pub_user="bob")
    assert (answer["result"], answer["transfer"], answer["attempt"], answer["retcode"]) == ("ok", failed, 2, 0)
    assert minions["alpha"].asked() == ["record", "record", "facts", "prepare", "arm", "go", "follow"]
    for minion in minions.values():
        (spec,) = prepared(minion)
        assert (spec["transfer"], spec["attempt"], spec["path"]) == (failed, 2, "/srv/data")
        assert spec["asked_by"]["user"] == "bob"


def test_resume_changes_nothing_in_a_test(run, minions, failed, fleet):
    fleet.told.clear()
    answer = run("resume", failed, test=True)
    assert (answer["result"], answer["plan"]["attempt"]) == ("planned", 2)
    assert prepared(minions["beta"]) == [] and fleet.told == []


def test_resume_takes_options_that_change_only_the_way(run, minions, failed):
    assert run("resume", failed, streams=3)["result"] == "ok"
    assert prepared(minions["beta"])[0]["settings"]["streams"] == 3


def test_resume_refuses_options_that_would_change_what_has_arrived(run, minions, failed):
    answer = run("resume", failed, overwrite=True)
    assert (answer["result"], answer["retcode"], names(answer)) == ("refused", 3, ["bad-option"])
    assert prepared(minions["beta"]) == []


def test_a_failed_resume_withdraws_without_giving_up_what_has_arrived(run, minions, failed):
    minions["alpha"].says["arm"] = {"error": {"code": 60, "name": "protocol-error", "text": "no luck"}}
    assert run("resume", failed)["result"] == "failed"
    (cancelled,) = [arguments for name, arguments in minions["beta"].calls if name == "cancel"]
    assert (cancelled["keep"], cancelled["attempt"]) == (True, 2)


def test_an_unknown_transfer_is_refused(run):
    answer = run("resume", samples.OTHER)
    assert (answer["result"], answer["retcode"], names(answer)) == ("refused", 3, ["unknown-transfer"])


def test_what_runs_is_refused_with_the_word_to_follow_it(run, minions, failed):
    for minion in minions.values():
        del minion.says["record"]
        minion.says["follow"] = lambda role, name=minion.name, **_: samples.status(Member(name, role))
    answer = run("resume", failed)
    assert names(answer) == ["already-running"] and f"transfer.attach {failed}" in answer["reasons"][0]["text"]


@pytest.mark.parametrize("verdict, said", [({}, "is complete"), ({"result": "cancelled", "root": None}, "was cancel")])
def test_what_is_over_for_good_is_refused(run, minions, failed, verdict, said):
    del minions["beta"].says["record"]
    minions["beta"].says["follow"] = ended(minions["beta"], samples.verdict(**verdict))
    answer = run("resume", failed)
    assert names(answer) == ["not-resumable"] and said in answer["reasons"][0]["text"]


def test_a_silent_end_is_named(run, minions, failed):
    minions["beta"].says["record"] = lambda **_: FakeFleet.SILENT
    answer = run("resume", failed)
    assert (answer["result"], names(answer)) == ("refused", ["not-resumable", "out-of-sight"])
    assert "the destination beta" in answer["reasons"][0]["text"] and "beta did not answer" in str(answer["reasons"][1])


# --- attach ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def running(run, minions, failed):
    """The id of a transfer that runs when it is asked about, and goes well from then on."""
    for minion in minions.values():
        minion.says["record"] = running_record(minion)
    return failed


def running_record(minion):
    def record(transfer, role, **_):
        spec = minion.specs.get((transfer, role))
        return samples.record(spec) if spec else minion.record(transfer, role)

    return record


def test_attach_follows_to_the_end_and_touches_nothing(run, minions, running):
    answer = run("attach", running)
    assert (answer["result"], answer["transfer"], answer["retcode"]) == ("ok", running, 0)
    assert answer["receipt"]["proved"]
    assert minions["beta"].asked() == ["record", "record", "follow"]


def test_attach_gives_the_result_that_copy_would_give(run, minions, running):
    minions["beta"].says["follow"] = ended(minions["beta"], samples.failure())
    answer = run("attach", running)
    assert (answer["result"], answer["retcode"], names(answer)) == ("failed", 2, ["source-changed"])
    assert list(answer) == list(run("copy", **PLACES))


def test_attach_tells_how_one_ended_long_ago(run, failed, minions):
    for minion in minions.values():
        minion.says["follow"] = ended(minion, samples.failure())
    assert run("attach", failed)["result"] == "failed"


def test_attach_does_not_know_while_an_end_is_silent(run, minions, running):
    minions["alpha"].says["record"] = lambda **_: FakeFleet.SILENT
    answer = run("attach", running)
    assert (answer["result"], answer["retcode"], answer["silent"]) == ("unknown", 6, ["alpha"])


@pytest.mark.parametrize("function", ["resume", "attach"])
@pytest.mark.parametrize("transfer", ["", "abc", 7, "../../etc"])
def test_what_is_no_transfer_id_is_refused(run, function, transfer):
    assert names(run(function, transfer)) == ["bad-option"]


# --- the same copy again ---------------------------------------------------------------------------------------------


def test_the_same_copy_resumes_what_rests_and_says_so(run, minions, failed, fleet, capsys):
    minions["beta"].says["facts"] = rests(failed)
    fleet.told.clear()
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["transfer"], answer["attempt"], answer["joined"]) == ("ok", failed, 2, "resumed")
    assert f"goes on with transfer {failed}, attempt 2" in capsys.readouterr().err
    assert told(fleet)[:3] == ["asked", "joined", "asked"] and fleet.told[1][1]["other"] == failed
    assert fleet.told[-1][1]["attempt"] == 2


def test_the_same_copy_attaches_to_what_runs(run, minions, running):
    minions["beta"].says["facts"] = samples.beta(samples.destination(locked_by=running))
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["transfer"], answer["joined"]) == ("ok", running, "attached")
    assert "prepare" not in minions["alpha"].asked() + minions["beta"].asked()


def test_another_copy_to_the_place_of_one_that_runs_is_refused_with_what_differs(run, minions, running):
    minions["beta"].says["facts"] = samples.beta(samples.destination(locked_by=running))
    answer = run("copy", **PLACES, verify="flight")
    assert (answer["result"], names(answer)) == ("refused", ["already-running", "place-locked"])
    assert "its verify is readback" in answer["reasons"][0]["text"]


def test_another_copy_beside_one_that_rests_is_made_and_told(run, minions, failed):
    minions["beta"].says["facts"] = rests(failed)
    answer = run("plan", **PLACES, overwrite=True)
    assert answer["result"] == "planned" and answer["transfer"] != failed
    assert any(f"transfer {failed} rests" in each for each in answer["plan"]["warnings"])


def test_a_test_says_what_the_copy_would_do(run, minions, failed):
    minions["beta"].says["facts"] = rests(failed)
    answer = run("copy", **PLACES, test=True)
    assert (answer["result"], answer["joined"], answer["plan"]["transfer"]) == ("planned", "resumed", failed)


def test_what_rests_of_hosts_that_cannot_be_asked_does_not_stand_in_the_way(run, minions, failed):
    minions["beta"].says["facts"] = rests("f" * 32)
    answer = run("copy", **PLACES)
    assert answer["result"] == "ok" and answer["transfer"] != failed
