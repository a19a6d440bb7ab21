"""Copies to many: one after the other, and by target expression."""

import os
import signal

import pytest

from tests.support.fleet import FakeFleet
from tests.unit.transferplan import samples
from transferplan.request import Member

from .world import UNKNOWN

SRC = "alpha:/srv/data"
DST = "beta:/srv/,gamma:/srv/,delta:/srv/"
SERIAL = {"fanout": "serial"}


@pytest.fixture
def names():
    return ("alpha", "beta", "gamma", "delta")


def reasons(answer):
    return [reason["name"] for reason in answer["reasons"]]


def outcomes(answer):
    return {host: end["outcome"] for host, end in answer["destinations"].items()}


# --- one after the other ---------------------------------------------------------------------------------------------


def test_each_is_a_transfer_of_its_own_from_the_source(run, minions):
    answer = run("copy", src=SRC, dst=DST, **SERIAL)
    assert (answer["result"], answer["retcode"], answer["transfer"]) == ("ok", 0, None)
    assert outcomes(answer) == dict.fromkeys(("beta", "gamma", "delta"), "ok")
    transfers = [end["transfer"] for end in answer["destinations"].values()]
    assert len(set(transfers)) == 3
    assert minions["alpha"].asked().count("go") == 3
    for name, transfer in zip(("beta", "gamma", "delta"), transfers, strict=True):
        ((_, role),) = minions[name].specs
        spec = minions[name].specs[transfer, role]
        assert [peer["host"] for peer in spec["peers"]] == ["alpha"] and "fanout" not in spec


def test_the_receipt_is_for_all_of_them(run):
    receipt = run("copy", src=SRC, dst=DST, **SERIAL)["receipt"]
    assert (receipt["proved"], receipt["root"]) == (True, samples.ROOT)
    assert receipt["proved_on"] == ["beta", "gamma", "delta"]
    assert receipt["moved_bytes"] == 30 * samples.GIB


def test_one_that_is_refused_refuses_all_before_anything_is_done(run, minions):
    minions["gamma"].says["facts"] = samples.gamma(samples.destination(bytes_free=0))
    minions["delta"].says["facts"] = samples.delta(samples.destination(exists=True, kind="file"))
    answer = run("copy", src=SRC, dst=DST, **SERIAL)
    assert (answer["result"], answer["retcode"], reasons(answer)) == ("refused", 3, ["no-space", "destination-exists"])
    assert all(set(minion.asked()) == {"facts"} for minion in minions.values())


def test_one_that_fails_does_not_keep_the_others_from_their_copies(run, minions):
    minions["beta"].says["follow"] = samples.status(samples.BETA, verdict=samples.failure(80, "disk-full", "no room"))
    answer = run("copy", src=SRC, dst=DST, **SERIAL)
    assert (answer["result"], answer["retcode"]) == ("partial", 5)
    assert outcomes(answer) == {"beta": "failed", "gamma": "ok", "delta": "ok"}
    assert answer["receipt"]["proved_on"] == ["gamma", "delta"] and answer["receipt"]["root"] is None
    assert "disk-full" in reasons(answer)


def test_another_root_at_the_source_in_between_is_no_single_proof(run, minions):
    other = samples.verdict(root="cd" * 32)
    sources = iter([samples.verdict(), other, other])
    minions["alpha"].says["follow"] = lambda **_: samples.status(samples.ALPHA, verdict=next(sources))
    for name in ("gamma", "delta"):
        minions[name].says["follow"] = samples.status(Member(name, "destination"), verdict=other)
    receipt = run("copy", src=SRC, dst=DST, **SERIAL)["receipt"]
    assert (receipt["proved"], receipt["root"], receipt["source_root"]) == (False, None, None)


def test_who_interrupts_it_keeps_the_rest_from_beginning(run, minions):
    def strike(**_):
        os.kill(os.getpid(), signal.SIGINT)
        return samples.status(samples.BETA)

    minions["beta"].says["follow"] = strike
    answer = run("copy", src=SRC, dst=DST, **SERIAL)
    assert outcomes(answer) == {"beta": "unknown", "gamma": "cancelled", "delta": "cancelled"}
    assert set(minions["gamma"].asked()) == {"facts"}


def test_a_test_tells_the_plan_for_all(run, minions, capsys):
    answer = run("copy", src=SRC, dst=DST, test=True, **SERIAL)
    assert (answer["result"], answer["plan"]["fanout"]) == ("planned", "serial")
    assert [hop["host"] for hop in answer["plan"]["hops"]] == ["beta", "gamma", "delta"]
    assert "serial  one after the other" in capsys.readouterr().err
    assert "prepare" not in minions["beta"].asked()


# --- by target expression --------------------------------------------------------------------------------------------


def planned(run, **options):
    return run("plan", src=SRC, dst="/srv/", **SERIAL, **options)


def test_names_are_decided_by_the_master(run, minions):
    answer = planned(run, targets="beta,delta", target_type="list")
    assert answer["plan"]["destinations"] == ["beta:/srv/data", "delta:/srv/data"]
    assert "matches" not in minions["beta"].asked()


def test_what_only_minions_know_is_asked_of_them(run, minions):
    minions["gamma"].says["matches"] = {"matches": False}
    minions["alpha"].says["matches"] = {"matches": False}
    answer = planned(run, targets="role:replica", target_type="grain")
    assert answer["plan"]["destinations"] == ["beta:/srv/data", "delta:/srv/data"]
    (asked,) = [arguments for name, arguments in minions["gamma"].calls if name == "matches"]
    assert asked == {"expression": "role:replica", "kind": "grain"}


def test_who_is_silent_and_matches_as_the_master_remembers_refuses_all(run, minions):
    minions["alpha"].says["matches"] = {"matches": False}
    minions["delta"].says["matches"] = lambda **_: FakeFleet.SILENT
    answer = planned(run, targets="L@beta,delta or G@role:replica", target_type="compound")
    assert (answer["result"], reasons(answer)) == ("refused", ["minion-silent"])
    assert "delta is probably meant" in answer["reasons"][0]["text"]


def test_who_is_silent_and_of_whom_nothing_is_known_is_left_out_and_noted(run, opts, minions):
    opts["minion_data_cache"] = True
    minions["alpha"].says["matches"] = {"matches": False}
    minions["delta"].says["matches"] = lambda **_: FakeFleet.SILENT
    answer = planned(run, targets="L@beta,gamma", target_type="compound")
    assert answer["plan"]["destinations"] == ["beta:/srv/data", "gamma:/srv/data"]
    assert "left out, since they did not say whether targets mean them: delta" in answer["plan"]["warnings"]


def test_a_nodegroup_is_what_the_master_says(run, opts, minions):
    opts["nodegroups"] = {"replicas": "L@beta,gamma"}
    for name in ("alpha", "delta"):
        minions[name].says["matches"] = {"matches": False}
    assert len(planned(run, targets="replicas", target_type="nodegroup")["plan"]["hops"]) == 2
    answer = planned(run, targets="nobody", target_type="nodegroup")
    assert "'nobody' is no nodegroup of this master, which has replicas" in answer["reasons"][0]["text"]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"targets": "*", "target_type": "glob"}, "matches alpha too, which is the source"),
        ({"targets": "zorro*", "target_type": "glob"}, "matches no minion"),
        ({"targets": "beta,zorro", "target_type": "list"}, "zorro: no minions whose keys"),
        ({"targets": "beta"}, "needs a target_type"),
        ({"target_type": "glob"}, "targets must be a Salt target expression"),
    ],
)
def test_an_expression_that_cannot_be_meant_is_refused(run, minions, options, words):
    answer = planned(run, **options)
    assert (answer["result"], answer["retcode"]) == ("refused", 3)
    assert words in answer["reasons"][0]["text"]
    assert "facts" not in minions["beta"].asked()


# --- waiting ---------------------------------------------------------------------------------------------------------


def crowded_once(minion):
    """A host that is full when it is asked for the first time."""
    crowd = {"running": [samples.OTHER], "max_transfers": 1}
    answers = iter([getattr(samples, minion.name)(**crowd)])
    minion.says["facts"] = lambda ask: next(answers, getattr(samples, minion.name)())


def test_a_copy_waits_for_its_turn(run, minions, fleet, capsys):
    crowded_once(minions["beta"])
    busy = {"turn": False, "running": [samples.OTHER], "waiting": [], "at": 1.0}
    turns = iter([busy])
    minions["beta"].says["queue"] = lambda **_: next(turns, {**busy, "turn": True})
    answer = run("copy", src=SRC, dst="beta:/srv/", wait="1h")
    assert answer["result"] == "ok"
    assert minions["beta"].asked()[:5] == ["facts", "queue", "queue", "facts", "prepare"]
    assert "waits for beta, which takes part in 1 transfer" in capsys.readouterr().err
    assert "queued" in [tag.rpartition("/")[2] for tag, _ in fleet.told]


def test_one_after_the_other_each_waits_by_itself(run, minions):
    crowded_once(minions["beta"])
    answer = run("copy", src=SRC, dst=DST, wait="1h", **SERIAL)
    assert answer["result"] == "ok"
    assert "queue" not in minions["beta"].asked() + minions["gamma"].asked()


def test_a_test_waits_for_nobody(run, minions):
    crowded_once(minions["beta"])
    answer = run("copy", src=SRC, dst="beta:/srv/", wait="1h", test=True)
    assert (answer["result"], reasons(answer)) == ("refused", ["too-many-transfers"])
    assert "queue" not in minions["beta"].asked()


def test_by_default_a_crowd_refuses_at_once(run, minions):
    crowded_once(minions["beta"])
    answer = run("copy", src=SRC, dst="beta:/srv/")
    assert reasons(answer) == ["too-many-transfers"] and "give wait=1h" in answer["reasons"][0]["text"]


# --- looking ---------------------------------------------------------------------------------------------------------


def told_by(name, role, others, **more):
    peers = [{"host": host, "role": "destination" if host != "alpha" else "source"} for host in others]
    return lambda transfer, role=role, own=role, **_: (
        {**samples.status(Member(name, own)), "peers": peers, **more} if role == own else {"error": UNKNOWN}
    )


def chain_told(minions, function, **more):
    """What the source and the first destination of a chain answer; the rest are silent or know nothing."""
    minions["alpha"].says[function] = told_by("alpha", "source", ["beta", "gamma"], **more)
    minions["beta"].says[function] = told_by("beta", "destination", ["alpha", "gamma"], **more)
    minions["gamma"].says[function] = lambda **_: FakeFleet.SILENT
    minions["delta"].says[function] = {"error": UNKNOWN}


@pytest.mark.parametrize("function", ["status", "cancel", "log"])
def test_a_silent_destination_that_the_others_name_is_not_forgotten(run, minions, function):
    chain_told(minions, function)
    answer = run(function, samples.TRANSFER)
    assert (answer["result"], answer["retcode"], answer["silent"]) == ("unknown", 6, ["gamma"])
    minions["gamma"].says[function] = {"error": UNKNOWN}
    minions["delta"].says[function] = lambda **_: FakeFleet.SILENT
    assert run(function, samples.TRANSFER)["result"] == "ok"


def test_what_was_verified_of_a_chain_is_unknown_while_one_of_it_is_silent(run, minions):
    chain_told(minions, "status", verdict=samples.verdict())
    answer = run("verify", samples.TRANSFER)
    assert (answer["result"], [end["host"] for end in answer["ends"]]) == ("unknown", ["beta"])
    assert "gamma did not answer" in answer["reasons"][0]["text"]
    minions["beta"].says["verify"] = lambda role, **_: samples.verified(Member("beta", role), root="cd" * 32)
    assert run("verify", samples.TRANSFER)["result"] == "failed"
    minions["beta"].says.pop("verify")
    minions["gamma"].says["status"] = {"error": UNKNOWN}
    minions["delta"].says["status"] = lambda **_: FakeFleet.SILENT
    assert run("verify", samples.TRANSFER)["result"] == "ok"
