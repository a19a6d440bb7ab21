"""Lists and states as people read them: one line each, and nothing that steers their terminal."""

from transferplan import display, looks, plan
from transferplan.errors import BadOption, MinionSilent

from .samples import ALPHA, BETA, GIB, OTHER, TRANSFER, alpha, asked, beta

PEERS = {"db1": "source", "db2": "destination"}
REFUSED = {"result": "refused", "reasons": [BadOption.reason("no such state").as_dict()], "retcode": 3}


def end(host, phase="failed", **changes):
    peers = [{"host": peer, "role": role} for peer, role in PEERS.items() if peer != host]
    told = {"host": host, "role": PEERS[host], "phase": phase, "path": "/srv/big", "peers": peers, "alive": False}
    return {**told, "bytes_done": GIB, "bytes_total": 4 * GIB, **changes}


def entry(*ends, state="resumable", transfer=TRANSFER):
    return {"transfer": transfer, "state": state, "ends": list(ends)}


def listed(*entries, **more):
    return looks.list_lines({"transfers": list(entries), "reasons": [], **more})


def test_a_transfer_is_a_line_with_its_places_and_how_much_of_it_is_there():
    lines = listed(entry(end("db1"), end("db2")), entry(end("db2", "published"), state="finished", transfer=OTHER))
    assert lines == [
        f"{TRANSFER}  resumable  db1:/srv/big to db2:/srv/big  1.0 GiB of 4.0 GiB",
        f"{OTHER}  published  db1 to db2:/srv/big  1.0 GiB of 4.0 GiB",
    ]


def test_an_end_that_has_not_told_is_known_by_the_other():
    assert listed(entry(end("db1"))) == [f"{TRANSFER}  resumable  db1:/srv/big to db2"]


WAITS = {"transfer": TRANSFER, "src": "db1:/a", "dst": "db2:/", "advice": "waits since 5.0 s: transfer.attach goes on"}


def test_what_waits_is_told_with_what_to_do():
    line = f"{TRANSFER}  waiting    db1:/a to db2:/  waits since 5.0 s: transfer.attach goes on"
    assert listed(waiting=[WAITS]) == [line]
    assert looks.status_lines({"ends": [], "waiting": WAITS, "reasons": []}) == [line]


def test_what_is_only_being_prepared_is_told():
    told = {"transfer": TRANSFER, "src": "db1:/a", "dst": "db2:/", "text": "it is being prepared"}
    line = f"{TRANSFER}  preparing  db1:/a to db2:/  it is being prepared"
    assert looks.status_lines({"ends": [], "preparing": told, "reasons": []}) == [line]


def test_what_waited_in_vain_is_told_with_its_end():
    assert looks.status_lines({"ends": [], "outcome": REFUSED, "reasons": []}) == display.answer_lines(REFUSED)


def test_what_is_not_listed_and_who_was_silent_is_said():
    assert listed(more=2, silent=["db3"]) == [
        looks.NOTHING,
        "and 2 older ones that are over: older=True lists them",
        "db3 did not answer: ask again when it is up",
    ]


def test_a_refusal_is_told():
    assert looks.list_lines(REFUSED) == looks.status_lines(REFUSED) == ["[12 bad-option] no such state"]


def status(host, **changes):
    counted = {"bytes_done": GIB, "bytes_total": 4 * GIB}
    return {"host": host, "role": PEERS[host], "phase": "moving", "alive": True, "progress": counted, **changes}


def test_a_state_is_a_line_for_each_end_whoever_answered_first():
    error = {"phase": "failed", "alive": False, "verdict": {"error": {"text": "the disk\x1b is full"}}}
    ends = [status("db2", alive=False), status("db2", **error), status("db1")]
    assert looks.status_lines({"ends": ends, "silent": [], "reasons": []}) == [
        "db1 (source): moving, 1.0 GiB of 4.0 GiB",
        "db2 (destination): moving, its worker is dead, 1.0 GiB of 4.0 GiB",
        "db2 (destination): failed, 1.0 GiB of 4.0 GiB: the disk\\x1b is full",
    ]


def test_of_what_is_cancelled_only_the_end_is_told():
    assert cancelled("cancelled") == ["db1 (source): cancelled", "db2 (destination): cancelled"]


def cancelled(*phases, **told):
    ends = [{"host": host, "role": PEERS[host], "phase": phase} for host in reversed(PEERS) for phase in phases]
    return looks.cancel_lines({"ends": ends, "reasons": [], **told})


def test_who_cancels_what_was_published_hears_that_nothing_was_cancelled():
    assert cancelled("published") == [
        "nothing was cancelled: it had ended before, and what is published stays",
        "db1 (source): published",
        "db2 (destination): published",
    ]
    assert looks.IN_VAIN not in cancelled("published", "cancelled")


def test_who_cancels_what_waited_hears_that_it_waits_no_more():
    assert cancelled() == ["it waits no more: its place is given up"]
    assert looks.cancel_lines({**REFUSED, "ends": []}) == looks.cancel_lines(REFUSED)
    assert looks.cancel_lines(REFUSED) == ["[12 bad-option] no such state"]


def test_what_is_as_it_was_proved_is_told_and_what_is_not_is_a_reason():
    same, other = {"host": "db2", "path": "/srv/data", "verified": True}, {"host": "db3", "verified": False}
    lines = looks.verify_lines({"ends": [same, other], "reasons": [BadOption.reason("it differs").as_dict()]})
    assert lines == ["db2:/srv/data is as it was proved", "[12 bad-option] it differs"]


def test_nothing_that_a_minion_says_is_too_odd_to_be_told():
    odd = end("db2", path="/srv/%zz\x1b", bytes_done="much", bytes_total=None)
    (line,) = listed(entry(odd))
    assert line == f"{TRANSFER}  resumable  db1 to db2:/srv/%zz\\x1b  0 B"


def limited(**told):
    return looks.limit_lines({"ends": [{"host": "db1", "role": "source", **told}], "reasons": []})


def test_another_limit_is_told_with_the_one_before_if_that_is_known():
    assert limited(limit=2 << 20, before=1 << 20) == ["db1: 2.0 MiB/s from now on, 1.0 MiB/s before"]
    assert limited(limit=0, before=1 << 20) == ["db1: no limit from now on, 1.0 MiB/s before"]
    assert limited(limit=2 << 20, before=0) == ["db1: 2.0 MiB/s from now on, no limit before"]
    assert limited(limit=2 << 20) == ["db1: 2.0 MiB/s from now on"]


def test_a_limit_that_nobody_takes_is_told_with_the_reason():
    assert looks.limit_lines({**REFUSED, "ends": []}) == ["[12 bad-option] no such state"]


def test_who_starts_a_copy_is_told_how_to_look_at_it():
    (line,) = looks.start_lines({"transfer": TRANSFER, "result": "running", "reasons": []})
    assert f"salt-run transfer.status {TRANSFER}" in line
    assert looks.start_lines(REFUSED) == display.answer_lines(REFUSED) == ["refused", "[12 bad-option] no such state"]


def test_who_starts_a_plan_again_when_it_is_there_sees_it():
    told = plan.make(asked(), {ALPHA: alpha(), BETA: beta()}).summary()
    assert looks.start_lines({"result": "planned", "plan": told, "reasons": []}) == display.plan_lines(told)


def test_what_is_tended_is_told_and_what_waits_on():
    told = {"waiting": [TRANSFER, OTHER], "taken_up": [OTHER], "reasons": []}
    assert looks.tend_lines(told) == [f"{TRANSFER}  waits on", f"{OTHER}  is gone on with"]
    assert looks.tend_lines({"waiting": [], "taken_up": [], "reasons": []}) == ["nothing waits"]
    assert looks.tend_lines(REFUSED) == ["[12 bad-option] no such state"]


def test_metrics_are_told_or_where_they_were_written():
    told = {"text": "# HELP a\na 1\n", "silent": [], "reasons": []}
    assert looks.metrics_lines({**told, "file": None}) == ["# HELP a", "a 1"]
    assert looks.metrics_lines({**told, "file": "/x.prom", "silent": ["db3"]})[0] == "written to /x.prom"
    assert looks.metrics_lines(REFUSED) == ["[12 bad-option] no such state"]


ROW = {"value": "wan", "from": "the command line"}


def test_settings_are_told_with_what_is_wrong():
    hosts = {"db1": {"settings": {"nice": {"value": "idle", "from": "the minion"}}}}
    told = {"settings": {"profile": ROW}, "hosts": hosts, "silent": ["db3"], **REFUSED}
    assert [line.split() for line in looks.settings_lines(told)] == [
        ["for", "every", "transfer"],
        ["profile", "wan", "the", "command", "line"],
        ["on", "db1"],
        ["nice", "idle", "the", "minion"],
        ["db3", "did", "not", "answer:", "ask", "again", "when", "it", "is", "up"],
        ["[12", "bad-option]", "no", "such", "state"],
    ]
    assert looks.settings_lines(REFUSED) == ["[12 bad-option] no such state"]


CLEAN = {"found": [], "removed": [], "trouble": []}
UNHEARD = "db3 did not answer: ask again when it is up"


def test_what_was_swept_is_told_with_who_was_silent():
    told = {"hosts": {"db1": CLEAN, "db2": CLEAN}, "silent": ["db3"], "reasons": []}
    assert looks.sweep_lines(told) == ["nothing to remove on 2 hosts", UNHEARD]
    assert looks.sweep_lines(REFUSED) == ["[12 bad-option] no such state"]


def test_what_was_logged_and_audited_is_told_with_who_was_silent():
    end = {"host": "db1", "role": "source", "lines": ["it began"], "more": False}
    assert looks.log_lines({"ends": [end], "silent": ["db3"], "reasons": []}) == ["db1 (source): it began", UNHEARD]
    page = {"lines": [], "more": False}
    told = {"hosts": {"db1": page, "db2": page}, "silent": ["db3"], "reasons": []}
    assert looks.audit_lines(told) == ["nothing recorded on 2 hosts", UNHEARD]
    assert looks.log_lines(REFUSED) == looks.audit_lines(REFUSED) == ["[12 bad-option] no such state"]


def test_who_watches_is_told_when_nothing_runs():
    told = {"transfers": {}, "waiting": [], "silent": ["db3"], "reasons": []}
    assert looks.watch_lines(told) == ["nothing runs", UNHEARD]
    assert looks.watch_lines({**told, "transfers": {TRANSFER: {}}}) == [UNHEARD], "it was said when it ended"
    assert looks.watch_lines(REFUSED) == ["[12 bad-option] no such state"]


def queued():
    ends = [{"host": host, "role": role, "path": "/srv/big"} for host, role in PEERS.items()]
    return {**entry(*ends, state="waiting"), "waits": {"advice": "transfer.attach goes on"}}


QUEUED = f"{TRANSFER}  waiting    db1:/srv/big to db2:/srv/big  transfer.attach goes on"


def test_who_watches_is_told_what_still_waits():
    assert looks.watch_lines({"transfers": {}, "waiting": [queued()], "silent": [], "reasons": []}) == [QUEUED]


def test_an_overview_is_a_line_for_each_that_runs_waits_or_ran():
    silent = {"host": "db2", "role": "destination", "path": None, "phase": None}
    ran = entry(end("db1"), silent, state="finished", transfer=OTHER)
    told = {"transfers": [entry(end("db1"), end("db2"), state="running"), queued(), ran], "more": 3, "reasons": []}
    assert looks.overview_lines(told) == [
        f"{TRANSFER}  running    db1:/srv/big to db2:/srv/big  1.0 GiB of 4.0 GiB",
        QUEUED,
        f"{OTHER}  finished   db1:/srv/big to db2  0 B",
        "and 3 older ones",
    ]
    assert looks.overview_lines({"transfers": [], "silent": [], "reasons": []}) == [looks.NOTHING]
    assert looks.overview_lines(REFUSED) == ["[12 bad-option] no such state"]


def test_an_overview_of_one_is_how_far_its_ends_are_or_how_it_ended():
    ends = [end("db2", "moving", alive=True), end("db1", "moving", alive=True)]
    shown = {"state": "running", "ends": ends, "outcome": None, "missing": ["the rest is silent"]}
    told = {"transfers": [queued()], "shown": shown, "reasons": []}
    assert looks.overview_lines(told) == [
        "db1 (source): moving, 1.0 GiB of 4.0 GiB",
        "db2 (destination): moving, 1.0 GiB of 4.0 GiB",
        "the rest is silent",
    ]
    ended = {**told, "shown": {**shown, "missing": [], "outcome": REFUSED}}
    assert looks.overview_lines(ended)[2:] == display.answer_lines(REFUSED)
    assert looks.overview_lines({**told, "shown": queued()}) == [QUEUED]


def test_an_overview_tells_what_a_doctor_found_where_that_is_asked_for():
    told = {"transfers": [], "findings": [], "examined": ["db1"], "reasons": []}
    assert looks.overview_lines(told) == [looks.NOTHING, "nothing is left over"]
    unheard = {**told, "examined": [], "silent": ["db3"]}
    assert looks.overview_lines(unheard) == [looks.NOTHING, "nobody answered: what is left over is not known", UNHEARD]


def test_what_a_doctor_found_is_told_with_who_was_silent():
    silent = {"findings": [], "hosts": ["db1"], "silent": ["db3"], "reasons": []}
    assert looks.doctor_lines(silent) == ["nothing is left over", UNHEARD]
    assert looks.doctor_lines({**silent, "hosts": []}) == [UNHEARD]
    assert looks.doctor_lines(REFUSED) == ["[12 bad-option] no such state"]


def test_who_is_silent_is_told_once_where_a_reason_tells_of_it():
    unknown = MinionSilent.reason("db3 is no minion whose key this master has accepted; did you mean db2?").as_dict()
    told = {"ends": [], "silent": ["db", "db3"], "reasons": [unknown]}
    assert looks.status_lines(told) == [
        "db did not answer: ask again when it is up",
        "[13 minion-silent] db3 is no minion whose key this master has accepted; did you mean db2?",
    ]


def test_blanks_at_the_ends_of_what_waits_can_be_seen():
    (line,) = listed(waiting=[{**WAITS, "src": "db1:/a ", "dst": ["db2:/ "]}])
    assert "'db1:/a ' to ['db2:/ ']" in line
