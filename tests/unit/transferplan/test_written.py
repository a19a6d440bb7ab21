"""Logs and audit trails as people read them: a line for each, and nothing that steers their terminal."""

from transferplan import written

from .samples import TRANSFER

BEGUN = {
    "n": 7,
    "at": "2026-01-31T01:02:03.456+00:00",
    "what": "begun",
    "transfer": TRANSFER,
    "attempt": 1,
    "role": "source",
    "asked_by": {"user": "ann", "via": "salt-run"},
    "path": "/srv/data",
    "peers": [{"host": "db2", "role": "destination", "addresses": []}],
}


def logged(*lines, more=False):
    return written.log_lines([{"host": "db1", "role": "source", "lines": list(lines), "more": more}])


def test_a_line_of_a_log_says_whose_it_is():
    assert logged("it began", "it ended") == ["db1 (source): it began", "db1 (source): it ended"]


def test_a_log_without_lines_and_one_that_goes_on_are_told():
    assert logged() == ["db1 (source): nothing recorded"]
    assert logged("a", more=True)[1] == "db1 (source): there are further lines: after= leaves out the first ones"


def audited(*lines, more=False):
    return written.audit_lines({"db1": {"lines": list(lines), "more": more}})


def test_a_line_of_a_trail_says_where_when_what_and_by_whom():
    assert audited(BEGUN) == [
        f"db1: 2026-01-31T01:02:03.456+00:00  begun: transfer {TRANSFER}, attempt 1, role source, asked by ann, "
        "path /srv/data, peers db2"
    ]


def test_trails_are_told_in_the_order_of_their_hosts_whoever_answered_first():
    page = {"lines": [{"n": 1, "at": "then", "what": "ended"}], "more": False}
    assert written.audit_lines({"db2": page, "db1": page}) == ["db1: then  ended", "db2: then  ended"]


def test_how_it_ended_is_told_without_what_there_is_none_of():
    error = {"code": 70, "text": "no"}
    ended = {"n": 8, "at": "then", "what": "ended", "result": "failed", "root": None, "files": 0, "error": error}
    assert audited(ended) == ["db1: then  ended: result failed, files 0, error no"]
    assert audited({"n": 9, "at": "then", "what": "ended"}) == ["db1: then  ended"]


def test_a_trail_without_lines_and_one_that_goes_on_are_told():
    assert audited() == ["nothing recorded on 1 host"]
    assert audited(BEGUN, more=True)[1] == "db1: there are further lines: after=7 shows them"
    assert written.audit_lines({}) == []


def test_nothing_that_was_written_steers_a_terminal():
    told = [*logged("\x1b[2J"), *audited({**BEGUN, "path": "\x1b[2J"})]
    assert all(line.isprintable() for line in told)
