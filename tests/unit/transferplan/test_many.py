"""One source and many destinations: the plan and its documents, the course, how it ended, how it is told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from transferplan import course, display, errors, plan, records, report, request
from transferplan.records import Record
from transferplan.status import Status

from . import samples
from .samples import ALPHA, BETA, DELTA, GAMMA, GIB, ROOT, TRANSFER, destination, interface, source, verdict
from .test_course import BROKEN, Driver

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "chain-1.json").read_text(encoding="utf-8"))
PLACES = ["beta:/srv/", "gamma:/srv/", "delta:/srv/"]
EVERYBODY = (ALPHA, BETA, GAMMA, DELTA)
ANN = {"user": "sudo_ann", "via": "salt-run"}


def asked(src="alpha:/srv/data", dst=None, **options):
    return samples.asked(src, dst or PLACES, **options)


def facts(**changes):
    """What everybody answers; `changes` replaces single answers by the name of the host."""
    return {member: changes.get(member.host) or getattr(samples, member.host)() for member in EVERYBODY}


def made(wanted=None, **changes):
    return plan.make(wanted or asked(), facts(**changes))


def refused(wanted=None, **changes):
    with pytest.raises(errors.Refused) as caught:
        made(wanted, **changes)
    return [reason.text for reason in caught.value.reasons]


def order(planned):
    return [hop.member.host for hop in planned.hops]


# --- documents that leave the master ---------------------------------------------------------------------------------


def golden_plan():
    wanted = asked("alpha:/srv/größe", special="fifos", port=4444, lease="1m", reserve="1GiB", order="given")
    both = [interface("10.77.1.11"), interface("10.77.2.11", name="eth1")]
    place = destination(real=None)
    return made(
        replace(wanted, asked_by=ANN),
        alpha=samples.alpha(source(real="/srv/gr%C3%B6%C3%9Fe"), interfaces=both),
        beta=samples.beta(place, interfaces=[interface("10.77.1.12"), interface("10.77.2.12", name="eth1")]),
        gamma=samples.gamma(place, interfaces=[interface("10.77.2.13")]),
        delta=samples.delta(place, interfaces=[interface("10.77.2.14")]),
    )


def test_the_specs_of_a_chain_have_the_released_form():
    version = {"version": GOLDEN["source"]["version"]}
    first, *others = ({**spec, **version} for spec in golden_plan().specs().values())
    assert first == GOLDEN["source"]
    assert others == GOLDEN["destinations"]


def test_the_roster_of_a_chain_has_the_released_form():
    prepared = {
        member: {"certificate": f"PEM of {member.host}", "port": None if member is ALPHA else 4403, "addresses": {}}
        for member in EVERYBODY
    }
    assert plan.roster(golden_plan(), prepared) == GOLDEN["roster"]


def test_each_member_comes_from_where_its_routes_to_each_later_one_begin():
    prepared = {member: {"certificate": "C", "port": 4403, "addresses": {}} for member in EVERYBODY}
    prepared[BETA]["addresses"] = {"10.77.1.14": "10.9.9.9"}
    members = plan.roster(made(asked(order="given")), prepared)["members"]
    assert members[1]["origins"] == {"gamma": "10.77.1.12", "delta": "10.9.9.9"}


def test_everybody_in_a_chain_is_given_the_lowest_limit_of_all():
    planned = made(beta=samples.beta(settings={"limit": 300_000}), delta=samples.delta(settings={"limit": 200_000}))
    assert {spec["settings"]["limit"] for spec in planned.specs().values()} == {200_000}


def test_a_single_destination_has_no_word_of_a_chain():
    planned = plan.make(samples.asked(), {ALPHA: samples.alpha(), BETA: samples.beta()})
    assert not [name for spec in planned.specs().values() for name in spec if name in ("fanout", "successors")]
    assert planned.summary()["fanout"] == ""


# --- refusals --------------------------------------------------------------------------------------------------------


def test_one_refused_destination_refuses_all_and_every_reason_is_told():
    full, occupied = destination(bytes_free=GIB), destination(exists=True, kind="file")
    told = refused(beta=samples.beta(full), delta=samples.delta(occupied))
    assert len(told) == 2 and "beta:/srv has 1.0 GiB free" in told[0] and "delta:/srv/data is a file" in told[1]


def test_who_is_silent_and_who_has_no_room_are_told_together():
    answers = {**facts(gamma=samples.gamma(destination(bytes_free=0))), BETA: None}
    with pytest.raises(errors.Refused) as caught:
        plan.make(asked(), answers)
    assert [reason.name for reason in caught.value.reasons] == ["minion-silent", "no-space"]


def test_in_a_chain_each_must_find_a_way_to_all_after_it():
    alone = samples.delta(interfaces=[interface("fd00::14", 64)])
    (one, *others) = refused(asked(order="given"), delta=alone)
    assert "alpha and delta have no addresses" in one and len(others) == 2
    assert all("fanout=serial needs no way between destinations" in text for text in others)


def test_one_after_the_other_only_the_source_must_find_a_way():
    dual = samples.alpha(interfaces=[interface("10.77.1.11"), interface("fd00::11", 64)])
    alone = samples.delta(interfaces=[interface("fd00::14", 64)])
    assert order(made(asked(fanout="serial"), alpha=dual, delta=alone)) == ["beta", "gamma", "delta"]


def test_a_digest_must_be_had_everywhere():
    planned = made(gamma=samples.gamma(digests=["sha256"]))
    assert planned.digest == "sha256"
    assert "gamma cannot compute blake3" in refused(asked(digest="blake3"), gamma=samples.gamma(digests=["sha256"]))[0]


@pytest.mark.parametrize(
    "dst, words",
    [
        (["beta:/a", "gamma:/a", "beta:/b"], "dst names beta more than once (beta:/a, beta:/b)"),
        (["beta:/a", "alpha:/b"], "alpha is the source and among 2 destinations"),
        ([f"host{number}:/a" for number in range(101)], "dst names 101 destinations, at most 100 go together"),
    ],
)
def test_destinations_that_cannot_go_together_are_refused(dst, words):
    with pytest.raises(errors.Refused) as caught:
        asked(dst=dst)
    assert words in caught.value.text


def test_each_destination_has_a_final_name_of_its_own():
    wanted = asked(dst="beta:/srv/,gamma:/backup/copy, delta:/x/y/")
    assert list(map(str, wanted.destinations)) == ["beta:/srv/data", "gamma:/backup/copy", "delta:/x/y/data"]


def test_everybody_in_a_chain_asks_whether_it_may_talk_to_everybody():
    asks = asked().asks()
    assert [peer["host"] for peer in asks[GAMMA]["peers"]] == ["alpha", "beta", "delta"]
    assert [peer["host"] for peer in asked(fanout="serial").asks()[GAMMA]["peers"]] == ["alpha"]


# --- the order -------------------------------------------------------------------------------------------------------


def test_hosts_that_are_alike_stay_in_the_order_in_which_they_are_named():
    assert order(made()) == ["beta", "gamma", "delta"]
    assert order(made(asked(dst=["delta:/a/", "beta:/a/", "gamma:/a/"]))) == ["delta", "beta", "gamma"]


def test_a_network_is_entered_once():
    far = {"beta": samples.beta(interfaces=[interface("10.1.1.1")])}
    far["delta"] = samples.delta(interfaces=[interface("10.1.1.2")])
    assert order(made(**far)) == ["gamma", "beta", "delta"]


def linked(host, address, speed):
    """A host whose link tells this speed, in Mbit/s."""
    return getattr(samples, host)(interfaces=[{**interface(address), "speed": speed}])


SLOW = linked("beta", "10.77.1.12", 100)


@pytest.mark.parametrize(
    "beta",
    [samples.beta(load=[2.0, 0, 0]), samples.beta(destination(bytes_free=13 * GIB)), SLOW],
    ids=["busy", "tight", "slow link"],
)
def test_who_may_hold_up_the_others_comes_last(beta):
    assert order(made(beta=beta)) == ["gamma", "delta", "beta"]
    assert order(made(asked(order="given"), beta=beta)) == ["beta", "gamma", "delta"]


def test_a_link_counts_as_slow_beside_that_of_who_serves_it():
    fast = {"gamma": linked("gamma", "10.77.1.13", 10_000), "delta": linked("delta", "10.77.1.14", 10_000)}
    beta = linked("beta", "10.77.1.12", 1000)
    assert order(made(**fast, beta=beta, alpha=linked("alpha", "10.77.1.11", 10_000))) == ["gamma", "delta", "beta"]
    assert order(made(**fast, beta=beta, alpha=linked("alpha", "10.77.1.11", 1000))) == ["beta", "gamma", "delta"]


def test_a_network_is_entered_once_also_where_that_puts_a_slow_link_before_others():
    far = samples.delta(interfaces=[interface("10.1.1.2")])
    assert order(made(beta=SLOW, delta=far)) == ["gamma", "beta", "delta"]


# --- the plan for people ---------------------------------------------------------------------------------------------


def test_the_plan_of_a_chain_tells_of_each_destination_the_way_the_room_and_the_firewall():
    room = "40.0 GiB free there, 30.0 GiB free afterwards"
    lines = display.plan_lines(made().summary())
    assert lines[1:8] == [
        "      to  beta:/srv/data  (from alpha, 10.77.1.11 to 10.77.1.12, a port of 4400-4499)",
        f"          {room}; nft inet filter input opened for alpha alone",
        "      to  gamma:/srv/data  (from beta, 10.77.1.12 to 10.77.1.13, a port of 4400-4499)",
        f"          {room}; nft inet filter input opened for beta alone",
        "      to  delta:/srv/data  (from gamma, 10.77.1.13 to 10.77.1.14, a port of 4400-4499)",
        f"          {room}; nft inet filter input opened for gamma alone",
        "   chain  each passes on to the next what has landed; the source is read once, encrypted",
    ]
    assert json.loads(json.dumps(made().summary())) == made().summary()


def test_each_destination_is_told_with_its_own_room_and_its_own_firewall():
    place = samples.destination(bytes_free=13 * GIB)
    closed = {"backend": "none", "drops": False}
    runtime = {"backend": "firewalld", "drops": True, "chains": [{"backend": "firewalld", "variant": "public"}]}
    hosts = {"gamma": samples.gamma(place, firewall=closed), "delta": samples.delta(firewall=runtime)}
    summary = made(asked(order="given"), **hosts).summary()
    lines = display.plan_lines(summary)
    assert "          13.0 GiB free there, 3.0 GiB free afterwards; no firewall opened" in lines
    assert "          40.0 GiB free there, 30.0 GiB free afterwards; firewalld opened for gamma alone" in lines
    assert [hop["bytes_free_after"] for hop in summary["hops"]] == [30 * GIB, 3 * GIB, 30 * GIB]
    assert [hop["chains"] for hop in summary["hops"]] == [["nft inet filter input"], [], ["firewalld"]]


def test_only_who_sends_must_be_let_out():
    drops = {"backend": "none", "drops": False, "outbound": [samples.CHAIN]}
    assert made(delta=samples.delta(firewall=drops)).warnings == ()
    assert "gamma's firewall drops what no rule lets out" in made(gamma=samples.gamma(firewall=drops)).warnings[0]


# --- the course ------------------------------------------------------------------------------------------------------


class Crowd(Driver):
    """A course with many destinations."""

    def __init__(self, wanted=None):
        super().__init__(wanted or asked())

    def until(self, stage):
        members = self.state.members
        prepared = {each: {"certificate": each.host, "port": 4401, "addresses": {}} for each in members}
        steps = (
            lambda: self.hear("facts", facts()),
            lambda: self.observe(course.Decided(plan.make(self.state.request, self.decide.answers))),
            lambda: self.hear("prepare", prepared),
            lambda: self.hear("arm", {each: {"phase": "armed"} for each in members}),
            lambda: self.hear("go", {ALPHA: {"phase": "connecting"}}),
        )
        for play in steps[: ("asking", "deciding", "preparing", "arming", "starting", "following").index(stage)]:
            play()
        assert self.state.stage == stage
        return self

    def last_words(self, **verdicts):
        for member in EVERYBODY:
            if told := verdicts.get(member.host):
                self.hear("follow", {member: samples.status(member, verdict=told)})
        return self


def test_everybody_is_prepared_and_armed_and_the_source_alone_is_told_to_begin():
    assert Crowd().until("preparing").asks == [(member.host, "prepare") for member in EVERYBODY]
    assert Crowd().until("starting").asks == [("alpha", "go")]
    assert Crowd().until("following").asks == [(member.host, "follow") for member in EVERYBODY]


def test_trouble_with_one_withdraws_what_was_prepared_on_all():
    crowd = Crowd().until("arming")
    crowd.hear("arm", {ALPHA: {}, BETA: {}, GAMMA: BROKEN, DELTA: {}})
    assert crowd.asks == [(member.host, "cancel") for member in EVERYBODY]


EARLY = {"phases": {"prepared": 0.0}}


def test_a_destination_that_fails_early_stops_nobody_as_long_as_there_are_others():
    crowd = Crowd().until("following")
    for member in (BETA, DELTA):
        crowd.hear("follow", {member: samples.status(member, verdict=samples.failure(), **EARLY)})
        assert crowd.asks == []
    crowd.hear("follow", {GAMMA: samples.status(GAMMA, verdict=samples.failure(), **EARLY)})
    assert crowd.asks == [("alpha", "cancel")]


def test_a_source_that_fails_early_stops_all():
    crowd = Crowd().until("following")
    crowd.hear("follow", {ALPHA: samples.status(ALPHA, verdict=samples.failure(), **EARLY)})
    assert crowd.asks == [(member.host, "cancel") for member in EVERYBODY[1:]]


# --- how it ended ----------------------------------------------------------------------------------------------------

OK, FAILED = verdict(), samples.failure(80, "disk-full", "no room")
CANCELLED = verdict(result="cancelled", root=None)
GIVEN_UP, LOST = verdict(result="cancelled"), {**FAILED, "root": ROOT}
"""Of a source that had sealed already."""


def result(**verdicts):
    crowd = Crowd().until("following").last_words(**verdicts)
    for member in EVERYBODY:
        if member.host not in verdicts:
            crowd.miss("follow", member, after=400)
    assert crowd.state.ended
    return report.result(crowd.state)


ENDS = [
    ({"alpha": OK, "beta": OK, "gamma": OK, "delta": OK}, "ok", "ok ok ok"),
    ({"alpha": OK, "beta": OK, "gamma": FAILED, "delta": OK}, "partial", "ok failed ok"),
    ({"alpha": OK, "beta": OK, "delta": OK}, "partial", "ok unknown ok"),
    ({"alpha": OK, "beta": OK, "gamma": verdict(root="cd" * 32), "delta": OK}, "partial", "ok failed ok"),
    ({"alpha": OK, "beta": FAILED, "gamma": FAILED, "delta": FAILED}, "failed", "failed failed failed"),
    ({"alpha": FAILED, "beta": OK, "gamma": OK, "delta": OK}, "failed", "failed failed failed"),
    ({"alpha": LOST, "beta": OK, "gamma": OK, "delta": OK}, "ok", "ok ok ok"),
    ({"alpha": LOST, "beta": FAILED, "gamma": OK, "delta": OK}, "partial", "failed ok ok"),
    ({"alpha": LOST, "beta": OK, "gamma": verdict(root="cd" * 32), "delta": OK}, "partial", "ok failed ok"),
    ({"alpha": LOST, "beta": FAILED, "gamma": FAILED, "delta": FAILED}, "failed", "failed failed failed"),
    ({"alpha": GIVEN_UP, "beta": OK, "gamma": CANCELLED, "delta": OK}, "partial", "ok cancelled ok"),
    ({"alpha": CANCELLED, "beta": CANCELLED, "gamma": CANCELLED, "delta": CANCELLED}, "cancelled", "cancelled " * 3),
    ({"beta": OK, "gamma": OK, "delta": OK}, "unknown", "unknown unknown unknown"),
]


@pytest.mark.parametrize("verdicts, word, outcomes", ENDS)
def test_the_result_says_all_or_some_and_which_or_none(verdicts, word, outcomes):
    told = result(**verdicts)
    assert (told["result"], told["retcode"]) == (word, report.RETCODES[word])
    assert [end["outcome"] for end in told["destinations"].values()] == outcomes.split()
    assert list(told["destinations"]) == ["beta", "gamma", "delta"]


def test_the_receipt_names_on_whom_it_is_proved():
    told = result(**ENDS[1][0])["receipt"]
    assert (told["proved"], told["proved_on"]) == (False, ["beta", "delta"])
    assert (told["root"], told["source_root"]) == (None, ROOT)
    assert told["destination_roots"] == {"beta": ROOT, "gamma": None, "delta": ROOT}
    assert result(**ENDS[0][0])["receipt"]["root"] == ROOT


def test_who_published_what_the_source_had_sealed_has_its_copy_whatever_became_of_the_source():
    told = result(alpha=LOST, beta=OK, gamma=FAILED, delta=OK)
    assert (told["receipt"]["proved_on"], told["receipt"]["source_root"]) == (["beta", "delta"], ROOT)
    assert [reason["text"] for reason in told["reasons"]] == ["alpha: no room", "gamma: no room"]
    assert told["source"]["result"] == "failed"
    lines = display.result_lines(told)
    assert "  ok: delta:/srv/data" in lines
    assert f"blake3 root {ROOT}, the same on the source and 2 destinations" in lines


def test_what_was_published_is_not_proved_where_the_source_tells_no_seal():
    died = verdict(result="failed", root=None, entries=0, bytes=0, error=FAILED["error"])
    told = result(alpha=died, beta=OK, gamma=FAILED, delta=OK)
    assert (told["result"], told["receipt"]["proved_on"]) == ("failed", [])
    doubts = [reason["text"] for reason in told["reasons"] if reason["name"] == "unproved"]
    assert doubts == [
        f"the copy on {host} is there but not proved: the source tells no root that it sealed; compare the two yourself"
        for host in ("beta", "delta")
    ]


def test_the_receipt_counts_how_often_the_source_was_read():
    once = verdict(read_bytes=10 * GIB, reread_bytes=7)
    told = result(alpha=once, beta=OK, gamma=OK, delta=OK)["receipt"]
    assert (told["read_bytes"], told["reread_bytes"], told["moved_bytes"]) == (10 * GIB, 7, 30 * GIB)


def test_what_held_it_up_is_sought_on_every_hop():
    after_beta = {"predecessors": [{"host": "beta", "epoch": 1}], "lost": [], "forwarded_bytes": 0}
    slow = verdict(stages={"write": 99.0}, chain=after_beta)
    told = result(alpha=OK, beta=OK, gamma=slow, delta=OK)["bottleneck"]
    assert (told["host"], told["stage"], told["seconds"]) == ("gamma", "write", 99.0)


def chained(**stages):
    """alpha to beta to gamma to delta, each with what it spent on its stages."""
    after = {"gamma": "beta", "delta": "gamma"}
    before = {host: [{"host": after.get(host, "alpha"), "epoch": 1}] for host in ("beta", "gamma", "delta")}
    chain = {host: {"chain": {"predecessors": each, "lost": []}} for host, each in before.items()}
    ends = {host: verdict(stages=told, **chain.get(host, {})) for host, told in stages.items()}
    told = result(**ends)["bottleneck"]
    return told["host"], told["stage"]


def test_those_behind_wait_for_what_holds_up_the_first_of_a_chain_and_their_networks_are_not_to_blame():
    waiting = {"network": 7.5, "write": 0.1}
    assert chained(alpha={"limit": 7.3}, beta=waiting, gamma=waiting, delta=waiting) == ("alpha", "limit")


def test_a_network_behind_the_first_hop_is_to_blame_for_what_it_takes_longer():
    quick, slow = {"network": 7.5, "write": 0.1}, {"network": 60.0, "write": 0.1}
    assert chained(alpha={"limit": 7.3}, beta=slow, gamma=slow, delta=quick) == ("", "network")


def test_hosts_that_say_they_follow_each_other_are_still_told_of():
    each = {host: [{"host": other, "epoch": 1}] for host, other in (("beta", "gamma"), ("gamma", "beta"))}
    ends = {host: verdict(stages={"write": 9.0}, chain={"predecessors": told}) for host, told in each.items()}
    assert result(alpha=OK, delta=OK, **ends)["bottleneck"]["stage"] == "write"


def test_people_see_first_who_has_no_copy_and_by_what_way_it_came():
    healed = {"predecessors": [{"host": "gamma", "epoch": 1}, {"host": "beta", "epoch": 2}], "lost": []}
    told = result(alpha=OK, beta=OK, gamma=FAILED, delta=verdict(chain=healed))
    lines = display.result_lines(told)
    assert lines[:5] == [
        "partial: alpha:/srv/data to beta:/srv/data, gamma:/srv/data, delta:/srv/data",
        "  failed: gamma:/srv/data",
        "  ok: beta:/srv/data",
        "  ok: delta:/srv/data, from gamma then beta",
        "[80 disk-full] gamma: no room",
    ]
    assert f"blake3 root {ROOT}, the same on the source and 2 destinations" in lines


def test_people_see_who_went_on_without_whom():
    before = {"predecessors": [{"host": "alpha", "epoch": 0}], "lost": ["gamma", "delta"]}
    lines = display.result_lines(result(alpha=OK, beta=verdict(chain=before), gamma=FAILED, delta=FAILED))
    assert "  ok: beta:/srv/data, which went on without gamma, delta" in lines


def test_progress_has_a_line_for_each_destination():
    counted = samples.status(BETA)["progress"]
    done = {BETA: 8, GAMMA: 4, DELTA: 0}
    statuses = {
        member: Status.from_payload(
            samples.status(member, progress={**counted, "bytes_done": count * GIB}), member.host
        )
        for member, count in done.items()
    }
    paces = display.measure(statuses, {}, dict.fromkeys(statuses, 1.0))
    assert [line.split()[:4] for line in display.progress_lines(statuses, paces)] == [
        ["beta", "moving", "80", "%"],
        ["gamma", "moving", "40", "%"],
        ["delta", "moving", "0", "%"],
    ]


def heard(*told):
    """The paces when hosts told these numbers of MiB at these times, one after the other."""
    statuses, heard_at, paces = {}, {}, {}
    for member, at, done in told:
        statuses[member] = Status.from_payload(samples.status(member, done=done << 20), member.host)
        heard_at[member] = at
        paces = display.measure(statuses, paces, heard_at)
    return paces


def test_what_a_host_says_changes_the_pace_of_no_other():
    beta = [(BETA, float(second), 5 * second) for second in range(9)]
    gamma = [(GAMMA, second + 0.1, 5 * second) for second in range(9)]
    told = [each for both in zip(beta, gamma, strict=True) for each in both]
    assert {member: pace.rate for member, pace in heard(*told).items()} == pytest.approx(
        dict.fromkeys((BETA, GAMMA), 5 << 20)
    )


def test_who_says_again_what_it_said_before_gets_slower():
    moving = [(GAMMA, 0.0, 0), (GAMMA, 1.0, 5)]
    assert heard(*moving, (GAMMA, 9.0, 5), (BETA, 9.1, 1))[GAMMA].rate < heard(*moving)[GAMMA].rate / 4


def test_of_very_many_those_are_shown_that_lag():
    statuses = {}
    for number in range(40):
        member = request.Member(f"host{number}", "destination")
        last = {"verdict": OK} if number < 30 else {}
        statuses[member] = Status.from_payload(samples.status(member, done=number, **last), member.host)
    lines = display.progress_lines(statuses, {})
    assert len(lines) == display.MOST_LINES
    assert lines[0].startswith("host0 ") and lines[-1] == "and 29 more, farther ahead; 29 of them have ended"


# --- going on --------------------------------------------------------------------------------------------------------


def payloads(wanted=None, **verdicts):
    """The records of all ends; whoever has no verdict of its own failed."""
    specs = made(wanted).specs()
    return {
        member: samples.record(spec, verdict=verdicts.get(member.host, samples.failure()))
        for member, spec in specs.items()
    }


def read(told):
    return [Record.from_payload(payload, member.host) for member, payload in told.items()]


def gathered(told=None, **verdicts):
    return records.gather(TRANSFER, read(told or payloads(**verdicts)))


def again(found, **options):
    return records.next_attempt(found, options, [], ANN)


def test_another_attempt_goes_to_those_who_lack_their_copy():
    found = gathered(alpha=OK, beta=OK, delta=OK)
    records.refuse_unresumable(found)
    following = again(found)
    assert list(map(str, following.destinations)) == ["gamma:/srv/data"]
    assert following.attempt == 2
    assert following.notes == ("not sent again: beta:/srv/data, delta:/srv/data have it already",)
    planned = plan.make(following, {ALPHA: samples.alpha(), GAMMA: samples.gamma()})
    assert planned.specs()[GAMMA]["peers"][0]["host"] == "alpha" and "fanout" not in planned.specs()[GAMMA]


def test_a_silent_destination_is_left_out_and_named():
    told = payloads()
    del told[DELTA]
    found = gathered(told)
    assert [peer.host for peer in found.missing] == ["delta"]
    assert "delta did not tell and is left out" in again(found).notes[0]


def test_what_is_complete_but_for_one_who_is_silent_is_no_success():
    told = payloads(alpha=OK, beta=OK, gamma=OK)
    del told[DELTA]
    with pytest.raises(errors.Refused, match="of the destination delta nobody has told"):
        records.refuse_unresumable(gathered(told))


def test_a_finished_destination_can_take_the_place_of_the_source():
    told = payloads(beta=OK)
    del told[ALPHA]
    found = records.with_source(TRANSFER, read(told), "beta")
    following = again(found)
    assert (str(following.source), following.attempt) == ("beta:/srv/data", 2)
    assert list(map(str, following.destinations)) == ["gamma:/srv/data", "delta:/srv/data"]


def test_after_that_the_new_source_is_gone_on_with():
    told = payloads(alpha=OK, beta=OK)
    second = records.with_source(TRANSFER, read(told), "beta")
    answers = {request.Member("beta", "source"): {**samples.beta(), "source": source()}}
    answers |= {GAMMA: samples.gamma(), DELTA: samples.delta()}
    specs = plan.make(again(second), answers).specs()
    told |= {member: samples.record(spec, verdict=samples.failure()) for member, spec in specs.items()}
    found = gathered(told)
    assert (str(found.source.place), found.attempt, len(found.destinations)) == ("beta:/srv/data", 2, 2)
    assert records.with_source(TRANSFER, read(told), "alpha").attempt == 2


THERE = {"entries": 9, "bytes": GIB, "disk_bytes": GIB, "estimated": False}


def updated(**options):
    """The records of an update of beta that lost gamma and delta; nothing stood at delta before."""
    there = destination(exists=True, kind="directory", standing=THERE)
    hosts = {host: getattr(samples, host)(there) for host in ("beta", "gamma")}
    specs = made(asked(update=True, **options), **hosts).specs()
    verdicts = {ALPHA: OK, BETA: OK, DELTA: OK, GAMMA: FAILED}
    return read({member: samples.record(spec, verdict=verdicts[member]) for member, spec in specs.items()})


def test_an_update_is_not_completed_from_one_that_keeps_what_else_stands_there():
    (reason,) = again(records.with_source(TRANSFER, updated(), "beta")).reasons
    assert reason.name == "not-resumable"
    assert reason.text == (
        "beta:/srv/data was updated and keeps what else stood there, which would travel too: leave source= out to take "
        "it from alpha, or name a destination where nothing stood before; or copy anew"
    )


def test_an_update_is_completed_from_one_that_has_just_what_the_source_has():
    assert again(records.with_source(TRANSFER, updated(), "delta")).reasons == ()
    assert again(records.with_source(TRANSFER, updated(delete=True), "beta")).reasons == ()
    assert again(records.with_source(TRANSFER, updated(), "alpha")).reasons == ()


def test_who_keeps_more_than_the_source_has_is_not_advised_as_a_source():
    beta = [each for each in updated() if each.member == BETA]
    with pytest.raises(errors.Refused) as caught:
        records.gather(TRANSFER, beta)
    assert "source=beta" not in caught.value.text and "or copy anew" in caught.value.text


def test_who_has_no_copy_cannot_be_the_source():
    with pytest.raises(errors.Refused, match="gamma has no copy of transfer .* to take it from; alpha, beta has"):
        records.with_source(TRANSFER, read(payloads(beta=OK)), "gamma")


def test_an_attached_result_names_those_of_whom_nobody_told():
    told = report.beside(result(**ENDS[0][0]), ["epsilon"])
    assert (told["result"], told["retcode"]) == ("partial", 5)
    assert told["destinations"]["epsilon"]["outcome"] == "unknown"
    assert told["reasons"][-1]["name"] == "out-of-sight"
    assert report.beside(result(**ENDS[0][0]), [])["result"] == "ok"
