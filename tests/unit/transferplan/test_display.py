"""What people see: progress that makes sense, a receipt they can read, and nothing that steers their terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import course, display, report
from transferplan.course import Declined, Interrupted
from transferplan.display import Pace
from transferplan.errors import NoSpace
from transferplan.request import Member
from transferplan.status import Status

from .samples import ALPHA, BETA, GIB, ROOT, TRANSFER, failure, status, unhurried, verdict
from .test_course import BROKEN, Driver


def told(member, **changes):
    return Status.from_payload(status(member, **changes), member.host)


def progress(**changes):
    counted = status(BETA)["progress"]
    return {**counted, **changes}


def shown(statuses, pace):
    """The one line of a copy to a single destination."""
    (line,) = display.progress_lines(statuses, {BETA: pace})
    return line


def finished(ours, theirs):
    driver = Driver().until("following")
    driver.hear("follow", {ALPHA: status(ALPHA, verdict=ours), BETA: status(BETA, verdict=theirs)})
    return report.result(driver.state)


def test_the_pace_follows_and_forgets_slowly():
    pace = Pace().after(0.0, 0)
    assert (pace.rate, pace.seconds_for(100)) == (0.0, None)
    pace = pace.after(1.0, 100)
    assert (pace.rate, pace.seconds_for(200)) == (100.0, 2.0)
    assert 100.0 < pace.after(2.0, 300).rate < 200.0


def test_the_pace_survives_a_clock_that_stands_and_a_count_that_falls():
    pace = Pace().after(0.0, 0).after(1.0, 100)
    assert pace.after(1.0, 500) == pace
    assert pace.after(2.0, 50) == Pace(2.0, 50)


def test_progress_tells_share_amount_rate_and_time():
    statuses = {ALPHA: told(ALPHA), BETA: told(BETA, progress=progress(bytes_done=4 * GIB, files_done=203))}
    line = shown(statuses, Pace(1.0, 4 * GIB, GIB / 2))
    assert line == "moving       40 %  512.0 MiB/s  12 s left  4.0 GiB of 10.0 GiB  203 of 1,000 files"


def test_share_rate_time_left_and_what_holds_it_up_fit_on_a_usual_terminal():
    waiting = {"network": 7.0}
    source = told(ALPHA, stages=waiting)
    destinations = {
        BETA: told(BETA, progress=progress(bytes_done=4 * GIB), stages=waiting),
        Member("db2.example", "destination"): told(BETA, stages=waiting),
    }
    paces = {BETA: Pace(1.0, 4 * GIB, GIB / 2)}
    line, _ = display.progress_lines({ALPHA: source, **destinations}, paces)
    assert line[:79].startswith("beta         moving       40 %  512.0 MiB/s  12 s left  slowest: the network")


def test_progress_tells_what_holds_it_up():
    source, destination = {"read": 1.0, "network": 6.0}, {"write": 5.0, "network": 1.0}
    statuses = {ALPHA: told(ALPHA, stages=source), BETA: told(BETA, stages=destination)}
    assert shown(statuses, Pace()).endswith("slowest: beta, writing  0 B of 10.0 GiB  0 of 1,000 files")
    statuses[BETA] = told(BETA, stages={"network": 7.0})
    assert "  slowest: the network between the hosts  " in shown(statuses, Pace())
    (line,) = display.progress_lines({**statuses, ALPHA: told(ALPHA, stages={"read": 3.0, "encrypt": 8.0})}, {}, 4)
    assert "  slowest: alpha, reading  " in line, "connections work side by side"


def test_nothing_holds_up_what_has_ended_or_has_not_told():
    stages = {"write": 5.0}
    ended = told(BETA, stages=stages, verdict=verdict())
    assert "slowest" not in shown({ALPHA: told(ALPHA, stages=stages), BETA: ended}, Pace())
    assert "slowest" not in shown({ALPHA: told(ALPHA), BETA: told(BETA, stages=stages)}, Pace())
    assert "slowest" not in shown({BETA: told(BETA, stages=stages)}, Pace())


def test_totals_come_from_the_end_that_knows_more():
    statuses = {ALPHA: told(ALPHA), BETA: told(BETA, progress=progress(bytes_total=0, bytes_done=GIB, files_total=0))}
    assert "10 %  1.0 GiB of 10.0 GiB  0 of 1,000 files" in shown(statuses, Pace())


def test_an_estimate_is_marked():
    statuses = {BETA: told(BETA, progress=progress(estimated=True))}
    assert "0 B of about 10.0 GiB" in shown(statuses, Pace())


def test_verifying_is_progress_of_its_own():
    statuses = {BETA: told(BETA, phase="verifying", progress=progress(bytes_done=10 * GIB, bytes_verified=GIB))}
    assert shown(statuses, Pace()).startswith("verifying    10 %  1.0 GiB of 10.0 GiB")
    assert display.measure(statuses, {}, {BETA: 5.0}) == {BETA: Pace(5.0, GIB)}


def test_what_is_verified_while_data_still_comes_is_no_measure():
    statuses = {BETA: told(BETA, progress=progress(bytes_done=4 * GIB, bytes_verified=GIB))}
    assert shown(statuses, Pace()).startswith("moving       40 %")


def test_when_nothing_is_left_no_time_is_told():
    statuses = {BETA: told(BETA, progress=progress(bytes_done=10 * GIB))}
    assert "  1.0 GiB/s  10.0 GiB of 10.0 GiB  " in shown(statuses, Pace(1.0, 10 * GIB, GIB))


@pytest.mark.parametrize("last", [verdict(), failure()])
def test_what_is_over_has_no_rate_and_no_time_left(last):
    statuses = {BETA: told(BETA, progress=progress(bytes_done=4 * GIB), verdict=last)}
    assert shown(statuses, Pace(1.0, 4 * GIB, GIB)).endswith("0 of 1,000 files")


def test_before_anything_is_known_nothing_is_shown():
    assert display.progress_lines({}, {}) == []
    assert display.measure({}, {}, {}) == {}


def test_an_empty_source_has_no_share():
    statuses = {BETA: told(BETA, progress=progress(bytes_total=0, files_total=1))}
    assert shown(statuses, Pace()).split() == [
        "moving",
        "0",
        "B",
        "of",
        "0",
        "B",
        "0",
        "of",
        "1",
        "file",
    ]


def test_the_receipt_is_shown_with_its_proof():
    assert display.result_lines(finished(verdict(), verdict(links=1))) == [
        "ok: alpha:/srv/data to beta:/srv/data",
        "proved by readback: 1,000 files, 3 directories, 10.0 GiB",
        f"blake3 root {ROOT}, the same on both ends",
        "beta: 12 s in all; moved 10.0 GiB in 10 s (1.0 GiB/s); 4.0 GiB travelled, compressed",
        "slowest, 6.0 s: the network between the hosts: try compress=zstd:6, more streams on a long way, or another "
        "network",
        f"transfer {TRANSFER}",
    ]


def says_its_id(result, noted=False):
    return f"transfer {TRANSFER}" in display.result_lines(result, noted)


def test_a_transfer_that_nobody_can_be_asked_about_is_not_named():
    refused = report.result(Driver().until("deciding").observe(Declined((NoSpace.reason("full"),))).state)
    stopped = report.result(Driver().until("asking").observe(Interrupted()).state)
    unread = report.refusal(TRANSFER, "alpha", "beta:/x", [])
    assert not any(map(says_its_id, (refused, stopped, unread)))
    assert says_its_id(refused, noted=True) and says_its_id({**refused, "attempt": 2})


def test_a_transfer_that_was_begun_is_named_however_it_ended():
    withdrawn = Driver().until("preparing").hear("prepare", {ALPHA: BROKEN, BETA: BROKEN})
    left = Driver().until("following").observe(Interrupted())
    seen = course.seen(Driver().state.request, {})
    assert all(map(says_its_id, (report.result(state) for state in (withdrawn.state, left.state, seen))))


@pytest.mark.parametrize("saved", [-(5 << 20), 0, 1 << 20])
def test_what_compression_hardly_made_smaller_is_not_called_compressed(saved):
    ended = finished(verdict(), verdict(wire_bytes=10 * GIB - saved))
    assert "beta: 12 s in all; moved 10.0 GiB in 10 s (1.0 GiB/s)" in display.result_lines(ended)


def test_a_failure_is_shown_with_its_reasons_and_what_could_not_be_undone():
    ended = finished(failure(), {**failure(70, "source-changed", "x"), "cleanup": ["the pinhole is still open"]})
    assert display.result_lines(ended) == [
        "failed: alpha:/srv/data to beta:/srv/data",
        "[70 source-changed] alpha: /srv/data/x changed while it was read",
        "[70 source-changed] beta: x",
        "beta: the pinhole is still open",
        f"transfer {TRANSFER}",
    ]


def test_what_is_left_out_is_counted():
    skipped = [{"path": "/srv/data/s", "why": "socket"}]
    ended = finished(verdict(skipped=skipped, skipped_more=2, links=3, excluded=1), verdict())
    lines = display.result_lines(ended)
    assert "1 entry left out by include and exclude" in lines
    assert "3 entries left out, listed as skipped" in lines
    assert "proved by readback: 1,000 files, 3 directories, 3 links, 10.0 GiB" in lines


def test_what_a_further_attempt_found_and_what_it_sent_again_is_told():
    ended = finished(verdict(), verdict(held_bytes=9 * GIB, moved_bytes=GIB, resent_bytes=4 << 20))
    assert "beta: 9.0 GiB were there already, 4.0 MiB were sent again" in display.result_lines(ended)
    assert not any("sent again" in line for line in display.result_lines(finished(verdict(), verdict())))


def test_connections_that_were_made_again_are_counted():
    streams = [{"bytes": 5, "pieces": 1, "connections": number} for number in (1, 3, 0)]
    ended = finished(verdict(), verdict(streams=streams))
    assert "beta: 2 connections lost and made again" in display.result_lines(ended)


@pytest.mark.parametrize(
    "what, details, line",
    [
        ("prepared", {"host": "beta", "role": "destination"}, "beta (destination): prepared"),
        ("phase", {"host": "beta", "role": "destination", "phase": "moving\x1b"}, r"beta (destination): moving\x1b"),
        ("planned", {"source": "alpha:/x"}, "planned"),
    ],
)
def test_a_step_is_one_line(what, details, line):
    assert display.event_line(what, details) == line


@unhurried
@given(st.text(), st.text())
def test_whatever_minions_say_cannot_steer_a_terminal(text, phase):
    ended = finished(failure(text=text), {**failure(name=text or "x"), "cleanup": [text], "algorithm": text})
    lines = display.result_lines(ended) + [display.event_line("phase", {"host": text, "role": text, "phase": phase})]
    assert all(line.isprintable() for line in lines)


def test_files_are_only_counted_while_their_number_is_not_known():
    statuses = {BETA: told(BETA, progress=progress(files_total=0, files_done=3, estimated=True))}
    assert shown(statuses, Pace()).endswith("3 files")
