"""Probes of a plan: what the hosts are asked to do, what is made of what they tell, and where none is meant."""

import json
from dataclasses import replace

import pytest

from transferplan import course, display, errors, plan, probing, settings
from transferplan.course import Call, Heard, Interrupted
from transferplan.forecast import LIMIT, PROBE, Probed
from transferplan.options import COMMAND, MASTER

from .samples import ALPHA, BETA, CHAIN, GAMMA, GIB, TRANSFER, alpha, asked, beta, gamma, source, status, verdict

MIB = 1024 * 1024
PREPARED = {
    ALPHA: {"certificate": "A", "port": None, "addresses": {}},
    BETA: {"certificate": "B", "port": 4401, "addresses": {}},
}


def made(*, to=("beta",), facts=(), **options):
    """The plan of a copy to these hosts."""
    answers = {ALPHA: alpha(), BETA: beta(), GAMMA: gamma(), **dict(facts)}
    return plan.make(asked(dst=[f"{host}:/srv/data" for host in to], **options), answers)


def probe_of(whole=None):
    (only,) = probing.plans(whole or made(probe=True))
    return only


# What the hosts are asked to do.


def test_a_probe_has_the_terms_of_the_copy_and_is_no_transfer_of_it():
    whole = made(streams=3, encrypt=False, limit="5MB/s", nice="low", port=4444)
    copy, probe = whole.specs(), probe_of(whole).specs()
    assert probe[BETA]["transfer"] == probe[ALPHA]["transfer"] != TRANSFER
    for member in (ALPHA, BETA):
        for name in ("streams", "encrypt", "limit", "nice"):
            assert probe[member]["settings"][name] == copy[member]["settings"][name]
        assert {name: probe[member][name] for name in ("firewall", "listen", "peers", "path")} == {
            name: copy[member][name] for name in ("firewall", "listen", "peers", "path")
        }
    assert probe[BETA]["firewall"]["chains"] == [CHAIN]


def test_a_probe_is_bounded_promises_no_room_and_opens_for_a_short_lease():
    spec = probe_of(made(lease="10m")).specs()[BETA]
    assert spec["stream"] == {"type": "probe", "seconds": 2, "bytes": 2 * GIB}
    assert spec["settings"]["lease"] == probing.LEASE and spec["settings"]["keep_partial"] == 0
    assert (spec["expect"]["held"], spec["settings"]["reserve_bytes"]) == (0, 0)
    assert probe_of(made(lease="10s")).specs()[BETA]["settings"]["lease"] == 10


@pytest.mark.parametrize("fanout", ["chain", "serial"])
def test_every_destination_is_probed_from_the_source(fanout):
    whole = made(to=("beta", "gamma"), fanout=fanout, order="given")
    told = [{member.role: member.host for member in each.specs()} for each in probing.plans(whole)]
    assert told == [{"source": "alpha", "destination": host} for host in ("beta", "gamma")]
    assert all("fanout" not in spec for each in probing.plans(whole) for spec in each.specs().values())


# The course of a probe.


class Course:
    """A course that is told what a test wants."""

    def __init__(self, way=None):
        self.state, self.actions = course.probe(way or probe_of(), 0.0)

    def hear(self, function, payloads):
        for member, payload in payloads.items():
            self.state, self.actions = course.step(self.state, Heard(member, function, payload), 0.0)
        return self

    def followed(self):
        self.hear("prepare", PREPARED)
        self.hear("arm", {ALPHA: {"phase": "armed"}, BETA: {"phase": "armed"}})
        return self.hear("go", {ALPHA: {"phase": "connecting"}})

    def ended(self, ours, theirs):
        self.followed()
        return self.hear("follow", {ALPHA: status(ALPHA, verdict=ours), BETA: status(BETA, verdict=theirs)})

    @property
    def asks(self):
        return [(each.member.host, each.function) for each in self.actions if isinstance(each, Call)]

    @property
    def found(self):
        assert self.state.ended
        return probing.found(self.state)


def well(**report):
    return verdict(report=report, moved_bytes=0, root=None)


SENT = {"bytes": 222 * MIB, "round_trip": 0.0004}
CAME = {"bytes": 222 * MIB, "seconds": 2.004, "rate": 111 * MIB}


def failed(name, text, code=24):
    return verdict(result="failed", error={"code": code, "name": name, "retryable": True, "text": text})


def test_a_probe_goes_from_prepare_to_its_verdicts_and_tells_nobody():
    run = Course()
    assert run.asks == [("alpha", "prepare"), ("beta", "prepare")]
    run.ended(well(**SENT), well(**CAME))
    assert run.found == Probed("alpha", "beta", 111 * MIB, 2.004, 222 * MIB, 0.0004)


def test_a_way_that_is_closed_is_told_with_the_copys_own_code_and_what_to_do():
    closed = failed("peer-unreachable", "no connection to beta: a firewall may drop it")
    told = Course().ended(closed, failed("no-go", "the source never came", 21)).found
    assert (told.reason.code, told.reason.name, told.rate) == (24, "peer-unreachable", None)
    assert told.reason.text == (
        "alpha: no connection to beta: a firewall may drop it; a copy would end so, too: let TCP from 10.77.1.11 to "
        "ports 4400-4499 of 10.77.1.12 pass on both hosts and on whatever lies between them"
    )


def test_the_end_that_knows_why_is_heard_before_the_one_that_only_lost_it():
    told = Course().ended(failed("connection-lost", "it broke"), failed("worker-died", "killed", 105)).found
    assert told.reason.name == "worker-died"


def test_an_end_whose_last_answer_was_lost_says_what_to_do():
    forgotten = {"error": {"code": 102, "name": "unknown-transfer", "retryable": False, "text": "?", "evidence": {}}}
    run = Course().followed().hear("follow", {ALPHA: status(ALPHA, verdict=well(**SENT)), BETA: forgotten})
    assert run.found.reason.text.endswith("tells once how a probe ended, and that answer was lost: probe again")


def test_what_a_host_has_against_a_probe_is_told_and_withdrawn():
    busy = {"error": {"code": 30, "name": "busy", "retryable": True, "text": "too much to do", "evidence": {}}}
    run = Course().hear("prepare", {ALPHA: PREPARED[ALPHA], BETA: busy})
    assert run.asks == [("alpha", "cancel"), ("beta", "cancel")]
    run.hear("cancel", {ALPHA: {"phase": "cancelled"}, BETA: {"phase": "failed"}})
    assert (run.found.reason.name, run.found.rate) == ("busy", None)


@pytest.mark.parametrize("far", ["preparing", "following"])
def test_who_interrupts_a_probe_ends_it_on_its_hosts(far):
    run = Course()
    if far == "following":
        run.followed()
    run.state, run.actions = course.step(run.state, Interrupted(), 0.0)
    if far == "preparing":
        run.hear("prepare", PREPARED)
    assert run.asks == [("alpha", "cancel"), ("beta", "cancel")]
    run.hear("cancel", {ALPHA: {"phase": "cancelled"}, BETA: {"phase": "cancelled"}})
    assert run.state.outcome == course.CANCELLED and run.found.reason


def test_a_host_that_never_tells_an_end_does_not_hold_the_plan():
    run = Course().followed()
    endless = Heard(BETA, "follow", status(BETA, phase="moving"))
    run.state, run.actions = course.step(run.state, endless, course.PATIENCE)
    assert run.asks == [("beta", "follow")]
    run.state, run.actions = course.step(run.state, endless, course.PATIENCE + 1)
    assert run.asks == [("alpha", "cancel"), ("beta", "cancel")]
    run.hear("cancel", {ALPHA: {"phase": "cancelled"}, BETA: {"phase": "moving"}})
    assert run.found.reason.text == "no end of the probe was told within 2 min 00 s"


@pytest.mark.parametrize(
    "sent, came, words",
    [
        (SENT, {**CAME, "bytes": 999}, "that 999 came"),
        (SENT, {**CAME, "rate": "fast"}, "rate must be of type float"),
        (SENT, {**CAME, "rate": -1}, "a figure that cannot be"),
        (SENT, {**CAME, "rate": float("inf")}, "a figure that cannot be"),
        ({}, CAME, "bytes is missing"),
    ],
)
def test_figures_that_do_not_fit_are_not_believed(sent, came, words):
    told = Course().ended(well(**sent), well(**came)).found
    assert told.rate is None and words in told.reason.text


def test_of_too_few_bytes_there_is_no_rate_and_no_reason():
    told = Course().ended(well(**SENT), well(**{**CAME, "rate": None})).found
    assert (told.rate, told.reason) == (None, None)


# What the plan makes of them.


def told(whole, *probes):
    return probing.probed(whole, probes).summary()


def to(host, rate=111 * MIB, reason=None):
    return Probed("alpha", host, rate, 2.004, 222 * MIB, 0.0004, reason)


CLOSED = errors.Reason(24, "peer-unreachable", "alpha: no connection to beta")


def test_the_plan_foresees_the_time_from_the_probe_for_people_and_programs():
    summary = told(made(probe=True), to("beta"))
    assert (summary["forecast"]["basis"], summary["forecast"]["rate"]) == (PROBE, 111 * MIB)
    assert summary["forecast"]["seconds"] == pytest.approx(10 * 1024 / 111, abs=0.1)
    lines = display.plan_lines(summary)
    assert "   probe  alpha to beta: 111.0 MiB/s, 0.4 ms for a round trip" in lines
    assert "    time  about 1 min 32 s: a probe of 2 s from alpha to beta made 111.0 MiB/s" in lines
    assert json.loads(json.dumps(summary["probes"])) == [
        {**{name: getattr(to("beta"), name) for name in ("before", "after", "rate", "seconds", "bytes")},
         "round_trip": 0.0004, "reason": None}
    ]


def test_a_plan_without_probes_tells_of_none():
    summary = made().summary()
    assert summary["probes"] == [] and not [line for line in display.plan_lines(summary) if "probe" in line]


def test_a_failed_probe_is_a_warning_with_its_code_and_leaves_the_time_unknown():
    summary = told(made(probe=True), to("beta", None, CLOSED))
    assert summary["warnings"][-1] == (
        "the probe from alpha to beta failed: [24 peer-unreachable] alpha: no connection to beta"
    )
    assert summary["probes"][0]["reason"] == CLOSED.as_dict()
    assert summary["forecast"]["seconds"] is None
    assert "    time  unknown: a probe failed, see the note" in display.plan_lines(summary)


def test_a_limit_bounds_what_was_measured():
    assert told(made(limit="10MB/s"), to("beta"))["forecast"]["basis"] == LIMIT
    assert told(made(limit="10MB/s"), to("beta", 9_800_000))["forecast"]["basis"] == LIMIT
    assert told(made(limit="10MB/s"), to("beta", 5_000_000))["forecast"]["basis"] == PROBE


def test_of_a_chain_the_slowest_probe_counts_and_the_plan_says_what_was_not_probed():
    summary = told(made(to=("beta", "gamma")), to("beta"), to("gamma", 10 * MIB))
    assert summary["forecast"]["rate"] == 10 * MIB
    text = "\n".join(display.plan_lines(summary))
    assert "each was probed from the source: what lies between the destinations is not known" in text


def test_one_closed_way_of_several_leaves_the_time_unknown():
    whole = made(to=("beta", "gamma"), facts={ALPHA: alpha(source(bytes=GIB, disk_bytes=GIB))}.items())
    assert told(whole, to("beta"), to("gamma", None, CLOSED))["forecast"]["seconds"] is None


def test_nothing_in_a_probe_steers_the_terminal():
    evil = errors.Reason(24, "peer-unreachable", "\x1b[2J gone")
    assert "\x1b" not in "".join(display.plan_lines(told(made(), to("beta", None, evil))))


# Where none is meant.


@pytest.mark.parametrize("value", [True, "True", "yes", "on"])
def test_a_copy_is_not_probed_and_the_command_line_hears_so(value):
    (reason,) = probing.unfit({"probe": value}, dry=False)
    assert reason.name == "bad-option" and "transfer.plan" in reason.text
    assert list(probing.unfit({"probe": value}, dry=True)) == []


@pytest.mark.parametrize("value", [False, "no", None, "perhaps"])
def test_without_the_wish_nothing_is_unfit(value):
    assert list(probing.unfit({"probe": value}, dry=False)) == list(probing.unfit({}, dry=False)) == []


def test_the_masters_configuration_may_ask_for_it_for_all_plans():
    assert settings.resolve([(MASTER, {"probe": True}), (COMMAND, {})]).probe
    assert replace(settings.resolve([]), probe=True).values()["probe"] is True
