"""How a transfer is said to have ended: one row for each pair of last words."""

import json

import pytest

from transferplan import display, errors, plan, report
from transferplan.course import Decided, Declined, Interrupted

from .samples import ALPHA, BETA, GIB, ROOT, TRANSFER, alpha, asked, beta, failure, source, status, verdict
from .test_course import BROKEN, Driver

OK, CANCELLED = verdict(), verdict(result="cancelled", root=None)


def result(ours, theirs, **options):
    """The result after these verdicts of the two ends; None for an end that was never heard of."""
    driver = Driver(asked(**options)).until("following")
    for member, last in ((ALPHA, ours), (BETA, theirs)):
        if last:
            driver.hear("follow", {member: status(member, verdict=last)}, after=1)
        else:
            driver.miss("follow", member, after=400)
    assert driver.state.ended
    return report.result(driver.state)


ENDS = [
    ("both proved", OK, OK, "ok", []),
    ("the destination failed", OK, failure(), "failed", ["source-changed"]),
    (
        "both failed",
        failure(),
        failure(code=71, name="peer-failed", text="gone"),
        "failed",
        ["source-changed", "peer-failed"],
    ),
    (
        "the source repeats why the destination failed",
        failure(code=90, name="peer-failed", text="beta: /srv/data/x changed while it was read"),
        failure(),
        "failed",
        ["source-changed"],
    ),
    ("the source failed before it had sealed", failure(), OK, "failed", ["source-changed", "unproved"]),
    (
        "the source failed after it had sealed what is there",
        verdict(result="failed", error=failure()["error"]),
        OK,
        "ok",
        ["source-changed"],
    ),
    ("the source failed after it had sealed", {**failure(), "root": ROOT}, failure(), "failed", ["source-changed"] * 2),
    ("cancelled when the copy was there", verdict(result="cancelled"), OK, "ok", []),
    ("cancelled", CANCELLED, CANCELLED, "cancelled", []),
    ("cancelled at the destination", OK, CANCELLED, "cancelled", []),
    ("the destination is out of sight", OK, None, "unknown", ["out-of-sight"]),
    ("the source is out of sight", None, OK, "unknown", ["out-of-sight"]),
    (
        "the source is out of sight, the destination failed",
        None,
        failure(),
        "failed",
        ["out-of-sight", "source-changed"],
    ),
    ("nobody is in sight", None, None, "unknown", ["out-of-sight", "out-of-sight"]),
    ("other roots", OK, verdict(root="cd" * 32), "failed", ["unproved"]),
    ("no roots", verdict(root=None), verdict(root=None), "failed", ["unproved"]),
    ("empty roots", verdict(root=""), verdict(root=""), "failed", ["unproved"]),
    ("another algorithm", OK, verdict(algorithm="sha256"), "failed", ["unproved"]),
    ("another block size", OK, verdict(block_size=1), "failed", ["unproved"]),
    ("fewer entries", OK, verdict(entries=1002), "failed", ["unproved"]),
    ("fewer bytes", OK, verdict(bytes=1), "failed", ["unproved"]),
    ("a lower level than asked for", OK, verdict(level="flight"), "failed", ["unproved"]),
    ("a level of its own", OK, verdict(level="trusted"), "failed", ["unproved"]),
]


@pytest.mark.parametrize("ours, theirs, word, names", [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_only_proof_is_success(ours, theirs, word, names):
    told = result(ours, theirs)
    assert (told["result"], told["retcode"]) == (word, report.RETCODES[word])
    assert [reason["name"] for reason in told["reasons"]] == names
    assert bool(told["receipt"] and told["receipt"]["proved"]) is (word == "ok")


def test_a_lower_level_is_proof_where_it_was_asked_for():
    flight = verdict(level="flight")
    told = result(flight, flight, verify="flight")
    assert (told["result"], told["receipt"]["level"]) == ("ok", "flight")
    assert result(OK, OK, verify="flight")["receipt"]["level"] == "readback"


def test_what_is_not_proved_says_what_differs():
    (reason,) = result(OK, verdict(root="cd" * 32))["reasons"]
    assert reason["text"] == (
        "the copy on beta is there but not proved: their roots differ: "
        f"{ROOT} and {'cd' * 32}; compare the two yourself"
    )


def test_the_receipt_holds_both_roots():
    told = result(OK, verdict(root="cd" * 32))["receipt"]
    assert (told["root"], told["source_root"], told["destination_roots"]) == (None, ROOT, {"beta": "cd" * 32})
    told = result(OK, OK)["receipt"]
    assert (told["root"], told["source_root"], told["destination_roots"]) == (ROOT, ROOT, {"beta": ROOT})
    assert (told["files"], told["bytes"], told["algorithm"]) == (1000, 10 * GIB, "blake3")


def test_bytes_that_were_held_and_sent_again_are_in_the_receipt_and_those_of_each_stream_at_the_end():
    streams = [{"bytes": number * GIB, "wire_bytes": GIB, "pieces": 7, "connections": 1} for number in (6, 3)]
    told = result(OK, verdict(held_bytes=GIB, moved_bytes=9 * GIB, resent_bytes=4 << 20, streams=streams))
    found = {name: told["receipt"][name] for name in ("held_bytes", "moved_bytes", "resent_bytes")}
    assert found == {"held_bytes": GIB, "moved_bytes": 9 * GIB, "resent_bytes": 4 << 20}
    assert told["destinations"]["beta"]["streams"] == streams


KEYS = ["transfer", "attempt", "result", "source", "destinations", "receipt", "bottleneck"]
KEYS += ["phases", "reasons", "retcode"]


def test_the_keys_are_stable_however_it_ends():
    refused = Driver().until("deciding").observe(Declined((errors.NoSpace.reason("full"),)))
    withdrawn = Driver().until("starting").hear("go", {ALPHA: BROKEN}).hear("cancel", {ALPHA: {}, BETA: {}})
    left = Driver().until("following").observe(Interrupted())
    unread = report.refusal(TRANSFER, "alpha", ["beta:/x", 7], [errors.BadPlace.reason("no")])
    ends = [result(OK, OK), result(None, failure()), unread]
    ends += [report.result(driver.state) for driver in (refused, withdrawn, left)]
    assert [list(told) for told in ends] == [KEYS] * len(ends)
    assert [told["result"] for told in ends] == ["ok", "failed", "refused", "refused", "failed", "unknown"]
    assert [told["retcode"] for told in ends] == [0, 2, 3, 3, 2, 6]
    assert all(json.loads(json.dumps(told)) == told for told in ends)


def test_a_request_that_could_not_be_read_is_shown_as_it_was_written():
    told = report.refusal(TRANSFER, "al\x1bpha", None, [])
    assert told["source"] == {"place": r"al\x1bpha"}
    assert told["destinations"] == {}
    assert display.result_lines(report.refusal(None, None, None, [])) == ["refused"]


def test_the_slowest_stage_is_told_with_what_to_try():
    told = result(verdict(stages={"read": 1.0, "network": 0.5}), verdict(stages={"network": 6.0, "write": 9.0}))
    assert (told["bottleneck"]["stage"], told["bottleneck"]["host"]) == ("write", "beta")
    assert told["bottleneck"]["text"].startswith("beta, writing: ") and told["bottleneck"]["seconds"] == 9.0
    assert result(None, failure())["bottleneck"] is None


def test_every_end_is_told_with_place_phase_and_figures():
    told = result(OK, verdict(skipped=[{"path": "/srv/data/s%0A", "why": "socket"}], cleanup=["left \x1b"]))
    assert told["source"]["place"] == "alpha:/srv/data"
    assert told["destinations"]["beta"]["phase"] == "published"
    assert told["destinations"]["beta"]["moved_bytes"] == 10 * GIB
    carried = {"bytes": 10 * GIB, "wire_bytes": 4 * GIB, "pieces": 20_480, "connections": 1}
    assert told["destinations"]["beta"]["streams"] == [carried]
    assert told["destinations"]["beta"]["skipped"] == [{"path": "/srv/data/s%0A", "why": "socket"}]
    assert told["destinations"]["beta"]["cleanup"] == [r"left \x1b"]


def test_an_end_without_a_verdict_says_how_far_it_was():
    driver = Driver().until("following").hear("follow", {BETA: status(BETA, "moving")}).observe(Interrupted())
    end = report.result(driver.state)["destinations"]["beta"]
    expected = {"place": "beta:/srv/data", "host": "beta", "phase": "moving", "result": None, "outcome": "unknown"}
    assert end == expected


def test_the_real_places_are_told():
    driver = Driver().hear("facts", {ALPHA: alpha(source(real="/data/one")), BETA: beta()})
    driver.observe(Decided(plan.make(driver.state.request, driver.decide.answers))).observe(Interrupted())
    assert report.result(driver.state)["source"]["place"] == "alpha:/data/one"


def test_the_time_to_the_first_byte_is_told_in_parts():
    driver = Driver()
    driver.now = 0.5
    driver.until("preparing").now = 1.0
    driver.hear("prepare", {ALPHA: {"certificate": "A"}, BETA: {"certificate": "B", "port": 1}})
    driver.now = 1.5
    driver.hear("arm", {ALPHA: {}, BETA: {}})
    driver.hear("go", {ALPHA: {}}, after=0.25)
    driver.hear("follow", {BETA: status(BETA, verdict=OK, phases={"moving": 77.0})}, after=5)
    driver.hear("follow", {ALPHA: status(ALPHA, verdict=OK)}, after=5)
    assert report.result(driver.state)["phases"] == {
        "asking": 0.5,
        "deciding": 0.0,
        "preparing": 0.5,
        "arming": 0.5,
        "starting": 0.25,
        "following": 10.0,
        "to_first_byte": 1.5,
    }


def test_what_the_last_event_carries_is_short():
    told = report.brief(result(OK, OK))
    assert (told["source"], told["destinations"]) == ("alpha:/srv/data", {"beta:/srv/data": "published"})
    assert set(told) == {"result", "retcode", "receipt", "reasons", "source", "destinations"}


@pytest.mark.parametrize(
    "results, word",
    [
        (["ok"], "ok"),
        (["ok", "ok"], "ok"),
        (["ok", "failed"], "partial"),
        (["unknown", "ok"], "partial"),
        (["failed", "unknown"], "unknown"),
        (["failed", "cancelled"], "failed"),
        (["cancelled", "cancelled"], "cancelled"),
    ],
)
def test_the_results_of_several_destinations_become_one(results, word):
    assert report.joined(results) == word


def test_exit_statuses_are_told_apart_and_none_is_that_of_a_crash():
    codes = [each.retcode for each in report.EXITS]
    assert len(set(codes)) == len(codes) and 1 not in codes
    assert report.RETCODES["ok"] == 0


UNREACHED = failure(91, "peer-unreachable", "10.77.1.12 port 4401 cannot be reached")


@pytest.mark.parametrize("error", [None, failure(97, "cancelled")["error"], failure(98, "no-go")["error"]])
def test_only_the_first_cause_is_told_when_the_other_end_was_stopped_for_it(error):
    driver = Driver().until("following").hear("follow", {ALPHA: status(ALPHA, verdict=UNREACHED, phases={})})
    driver.hear("follow", {BETA: status(BETA, verdict=verdict(result="cancelled", error=error), phases={})})
    told = report.result(driver.state)
    assert (told["result"], [reason["name"] for reason in told["reasons"]]) == ("failed", ["peer-unreachable"])


def test_an_end_that_failed_by_itself_before_it_could_be_stopped_is_told():
    driver = Driver().until("following").hear("follow", {ALPHA: status(ALPHA, verdict=UNREACHED, phases={})})
    driver.hear("follow", {BETA: status(BETA, verdict=failure(80, "disk-full", "no room"), phases={})})
    assert [each["name"] for each in report.result(driver.state)["reasons"]] == ["peer-unreachable", "disk-full"]


def test_a_port_that_cannot_be_reached_is_explained_by_a_firewall_that_was_not_opened():
    driver = Driver(asked(firewall="none")).until("following")
    driver.hear("follow", {ALPHA: status(ALPHA, verdict=UNREACHED, phases={})})
    (reason,) = report.result(driver.state)["reasons"]
    assert reason["text"].startswith("alpha: 10.77.1.12 port 4401 cannot be reached; beta's firewall drops")
    assert "firewall=none opens nothing" in reason["text"]
