"""Plans that probe, by the runner against minions in memory: what is asked, told and returned."""

import io
import signal

import pytest

import saltface
from tests.unit.transferplan import samples
from transferplan import probing
from transferplan.request import Member

PLACES = {"src": "alpha:/srv/data", "dst": "beta:/srv/data"}
MIB = 1024 * 1024
STEPS = ["facts", "prepare", "arm", "go", "follow"]
REPORTS = {
    "source": {"bytes": 222 * MIB, "round_trip": 0.0004},
    "destination": {"bytes": 222 * MIB, "seconds": 2.0, "rate": 111 * MIB},
}
CLOSED = {"code": 24, "name": "peer-unreachable", "retryable": True, "text": "no connection to beta"}

NO_LUCK = {"code": 101, "name": "start-failed", "retryable": False, "text": "no luck", "evidence": {}}


def ended(name):
    """follow, as the end of a probe tells it."""

    def follow(role, **_):
        told = samples.verdict(report=REPORTS[role], moved_bytes=0, root=None)
        return samples.status(Member(name, role), verdict=told)

    return follow


@pytest.fixture
def names():
    return ("alpha", "beta", "gamma")


@pytest.fixture
def probed(minions):
    """Every minion does its part of a probe well."""
    for name, minion in minions.items():
        minion.says["follow"] = ended(name)
    return minions


def closed(minions):
    """The way to beta is closed."""
    failed = samples.verdict(result="failed", error=CLOSED)
    minions["alpha"].says["follow"] = samples.status(Member("alpha", "source"), verdict=failed)


def specs(minion):
    return [arguments["spec"] for name, arguments in minion.calls if name == "prepare"]


@pytest.mark.parametrize("how", ["plan", "copy"])
def test_a_plan_that_probes_tells_the_rate_and_tells_the_bus_nothing(run, fleet, probed, how):
    answer = run(how, **PLACES, probe=True, **({"test": True} if how == "copy" else {}))
    assert (answer["result"], answer["retcode"], answer["reasons"]) == ("planned", 0, [])
    assert (answer["plan"]["forecast"]["basis"], answer["plan"]["forecast"]["rate"]) == ("probe", 111 * MIB)
    assert [each["after"] for each in answer["plan"]["probes"]] == ["beta"]
    assert probed["alpha"].asked() == STEPS and probed["beta"].asked() == [each for each in STEPS if each != "go"]
    (spec,) = specs(probed["beta"])
    assert spec["stream"]["type"] == "probe" and spec["transfer"] != answer["transfer"]
    assert fleet.told == []


def test_without_the_wish_nothing_is_probed(run, probed):
    assert run("plan", **PLACES)["plan"]["probes"] == []
    assert probed["alpha"].asked() == ["facts"]


def test_a_plan_that_is_refused_is_not_probed(run, probed):
    probed["alpha"].says["facts"] = samples.alpha(samples.source(exists=False))
    assert run("plan", **PLACES, probe=True)["result"] == "refused"
    assert probed["alpha"].asked() == probed["beta"].asked() == ["facts"]


def test_a_closed_way_is_told_by_a_plan_that_stands(run, probed):
    closed(probed)
    answer = run("plan", **PLACES, probe=True)
    assert (answer["result"], answer["retcode"]) == ("planned", 0)
    assert [(each["code"], each["name"]) for each in answer["reasons"]] == [(24, "peer-unreachable")]
    assert "let TCP from 10.77.1.11" in answer["plan"]["warnings"][-1]
    assert answer["plan"]["forecast"]["seconds"] is None


def test_a_host_that_does_not_prepare_is_told_and_the_others_are_withdrawn(run, probed):
    probed["beta"].says["prepare"] = {"error": NO_LUCK}
    answer = run("plan", **PLACES, probe=True)
    assert [each["name"] for each in answer["reasons"]] == ["start-failed"]
    assert probed["alpha"].asked() == ["facts", "prepare", "cancel"]


@pytest.mark.parametrize("fanout", ["chain", "serial"])
def test_several_destinations_are_probed_one_after_the_other_from_the_source(run, probed, fanout):
    both = "beta:/srv/data,gamma:/srv/data"
    answer = run("plan", src="alpha:/srv/data", dst=both, probe=True, fanout=fanout)
    assert [(each["before"], each["after"]) for each in answer["plan"]["probes"]] == [
        ("alpha", "beta"),
        ("alpha", "gamma"),
    ]
    assert probed["alpha"].asked() == [*STEPS, *STEPS[1:]]
    assert len({spec["transfer"] for spec in specs(probed["alpha"])}) == 2


# Where it is not meant.


@pytest.mark.parametrize("name", ["copy", "start"])
def test_a_copy_that_shall_be_probed_is_refused_in_words(run, probed, name):
    answer = run(name, **PLACES, probe=True)
    assert (answer["result"], answer["retcode"]) == ("refused", 3)
    assert "give test=True too" in answer["reasons"][0]["text"]
    assert "prepare" not in probed["alpha"].asked()


@pytest.mark.parametrize("dst", ["beta:/srv/data", "beta:/srv/data,gamma:/srv/data"])
@pytest.mark.parametrize("fanout", ["chain", "serial"])
def test_a_configuration_that_probes_all_plans_probes_no_copy(opts, run, minions, dst, fanout):
    opts["transfer"] = {"probe": True}
    assert run("copy", src="alpha:/srv/data", dst=dst, fanout=fanout)["result"] == "ok"
    assert not [spec for spec in specs(minions["alpha"]) if "stream" in spec]


def test_a_configuration_may_probe_all_plans(opts, run, probed):
    opts["transfer"] = {"probe": True}
    assert len(run("plan", **PLACES)["plan"]["probes"]) == 1
    assert run("plan", **PLACES, probe=False)["plan"]["probes"] == []


# What people see, and who interrupts.


@pytest.fixture
def screen(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(saltface, "screen", lambda _opts, quiet: saltface.Screen(stream))
    return stream


def test_people_see_the_plan_once_with_what_was_measured(run, probed, screen):
    run("plan", **PLACES, probe=True)
    shown = screen.getvalue()
    assert "probing the way from alpha to beta" in shown
    assert shown.count("    copy  ") == 1
    assert "probe  alpha to beta: 111.0 MiB/s" in shown and "a probe of 2 s" in shown


def test_who_interrupts_a_probe_gets_no_plan_and_leaves_nothing_behind(run, probed, screen):
    def interrupted(**_):
        signal.raise_signal(signal.SIGINT)
        return {"phase": "armed"}

    probed["beta"].says["arm"] = interrupted
    answer = run("plan", **PLACES, probe=True)
    assert (answer["result"], answer["retcode"]) == ("cancelled", 4)
    assert probed["alpha"].asked()[-1] == probed["beta"].asked()[-1] == "cancel"
    assert "cancelled" in screen.getvalue() and "    copy  " not in screen.getvalue()


def test_who_interrupts_while_a_failed_probe_is_withdrawn_ends_all_of_them(run, probed):
    def interrupted(**_):
        signal.raise_signal(signal.SIGINT)
        return {"phase": "cancelled"}

    probed["beta"].says["prepare"] = {"error": NO_LUCK}
    probed["alpha"].says["cancel"] = interrupted
    answer = run("plan", src="alpha:/srv/data", dst="beta:/srv/data,gamma:/srv/data", probe=True)
    assert (answer["result"], answer["retcode"]) == ("cancelled", 4)
    assert probed["gamma"].asked() == ["facts"]


def test_a_bug_in_a_probe_is_told_and_not_taken_for_a_plan(run, probed, monkeypatch):
    def broken(_state):
        raise ValueError("nobody foresaw it")

    monkeypatch.setattr(probing, "found", broken)
    answer = run("plan", **PLACES, probe=True)
    assert (answer["result"], answer["retcode"]) == ("failed", 2)
    assert "a bug: ValueError('nobody foresaw it')" in answer["reasons"][0]["text"]
