"""Looking at many: what runs is watched, what is left over is found, states are told apart."""

import io
import os
import signal

import pytest

import saltface
from tests.support.fleet import FakeFleet
from tests.unit.transferplan import samples
from transfermaster import watching
from transferplan.request import Member
from transferplan.version import VERSION

TRANSFER = samples.TRANSFER
ENDS = {"alpha": "source", "beta": "destination"}


def names(answer):
    return [reason["name"] for reason in answer["reasons"]]


def runs(minions, **changes):
    """Both ends know of one transfer that runs."""
    specs = {member.host: spec for member, spec in samples.specs().items()}
    for name, minion in minions.items():
        minion.specs[TRANSFER, ENDS[name]] = specs[name]
        minion.says["record"] = _record(specs[name], ENDS[name])
        minion.says["list"] = {"runs": [_run(name, **changes)], "more": 0}


def _record(spec, own):
    return lambda transfer, role, **_: samples.record(spec) if role == own else {"error": _unknown()}


def _unknown():
    return {"code": 102, "name": "unknown-transfer", "text": "never heard of it"}


def _run(name, **changes):
    peers = [{"host": peer, "role": role} for peer, role in ENDS.items() if peer != name]
    run = {"transfer": TRANSFER, "attempt": 1, "role": ENDS[name], "phase": "moving", "alive": True, "peers": peers}
    return {**run, "rests": False, "wall": "2026-01-01T00:00:00", **changes}


# --- list ------------------------------------------------------------------------------------------------------------


def test_list_tells_states_and_filters_by_them(run, minions):
    runs(minions)
    assert [each["state"] for each in run("list")["transfers"]] == ["running"]
    assert run("list", state="finished,resumable")["transfers"] == []


def test_a_state_that_is_none_is_refused(run, minions):
    assert names(run("list", state="asleep")) == ["bad-option"]
    assert minions["alpha"].calls == []


class Records:
    """A minion's list as its desk pages it: what is not over, then what is."""

    def __init__(self, name, unfinished=(), over=150, page=100):
        self._page = page
        done = [_run(name, transfer=f"{number:032x}", phase="published", alive=False) for number in range(over)]
        self.runs = [*unfinished, *done]

    def __call__(self, after=0, transfers=(), without=(), **_):
        wanted = [run for run in self.runs if not transfers or run["transfer"] in transfers]
        found = [run for run in wanted if f"{run['transfer']}-{run['role']}" not in without][after:]
        return {"runs": found[: self._page], "more": max(0, len(found) - self._page)}


def test_everything_that_is_not_over_is_listed_and_of_the_rest_the_newest(run, minions):
    rests = {"phase": "failed", "alive": False, "rests": True}
    resting = [_run("beta", transfer=f"e{number:031x}", **rests) for number in range(230)]
    minions["alpha"].says["list"] = Records("alpha")
    minions["beta"].says["list"] = Records("beta", [_run("beta"), *resting])
    told = run("list", state="running,resting")
    assert {each["state"]: each["transfer"] for each in told["transfers"]}["running"] == TRANSFER
    assert len(told["transfers"]) == 231 and told["more"] == 50 + (231 + 150 - 300)
    further = [(told["after"], len(told["without"])) for _, told in minions["beta"].calls[1:]]
    assert further == [(0, 100), (0, 200)]


def test_what_ends_between_two_pages_hides_nothing_that_has_not_been_told(run, minions):
    """As soon as it has ended it stands behind all that is not over, so that those move up."""
    records = Records("beta", [_run("beta", transfer=f"e{number:031x}") for number in range(250)])

    def list_and_end(**arguments):
        page = records(**arguments)
        for ended in page["runs"][:7]:
            records.runs.remove(ended)
            records.runs.insert(len(records.runs) - 150, {**ended, "alive": False, "phase": "published"})
        return page

    minions["alpha"].says["list"] = Records("alpha", over=0)
    minions["beta"].says["list"] = list_and_end
    told = {each["transfer"] for each in run("list", state="running")["transfers"]}
    assert told == {f"e{number:031x}" for number in range(250)}


def test_the_other_end_of_what_rests_is_found_behind_any_number_of_newer_records(run, minions):
    failed = {"phase": "failed", "alive": False}
    alpha = Records("alpha", over=250)
    alpha.runs.append(_run("alpha", **failed))
    minions["alpha"].says["list"] = alpha
    minions["beta"].says["list"] = Records("beta", [_run("beta", rests=True, **failed)], over=0)
    (found,) = run("list", state="resumable")["transfers"]
    assert {end["host"] for end in found["ends"]} == {"alpha", "beta"}
    assert minions["alpha"].calls == [("list", {}), ("list", {"transfers": [TRANSFER]})]


def test_older_ones_are_listed_when_they_are_asked_for(run, minions):
    minions["alpha"].says["list"] = Records("alpha", over=0)
    minions["beta"].says["list"] = Records("beta", over=250)
    assert (len(run("list")["transfers"]), run("list")["more"]) == (100, 150)
    told = run("list", older=True)
    assert (len(told["transfers"]), told["more"]) == (250, 0)


def test_a_minion_that_tells_the_same_page_again_and_again_is_asked_no_further(run, minions):
    minions["alpha"].says["list"] = {"runs": [_run("alpha")], "more": 7}
    minions["beta"].says["list"] = Records("beta", over=0)
    assert [each["state"] for each in run("list")["transfers"]] == ["running"]
    assert minions["alpha"].asked() == ["list", "list"]


def test_a_minion_that_falls_silent_between_two_pages_is_named(run, minions):
    whole = Records("beta", [_run("beta", transfer=f"{number:032x}") for number in range(150)])
    minions["beta"].says["list"] = lambda without=(), **_: FakeFleet.SILENT if without else whole()
    minions["alpha"].says["list"] = Records("alpha", over=0)
    told = run("list")
    assert (len(told["transfers"]), told["silent"]) == (100, ["beta"])


# --- watch -----------------------------------------------------------------------------------------------------------


def test_watch_follows_what_runs_to_its_end_and_touches_nothing(run, minions, fleet, capsys):
    runs(minions)
    answer = run("watch")
    assert (answer["result"], answer["retcode"]) == ("ok", 0)
    assert answer["transfers"][TRANSFER]["result"] == "ok"
    assert set(minions["beta"].asked()) == {"list", "record", "follow"} and fleet.told == []
    out, err = capsys.readouterr()
    assert out == "" and f"transfer {TRANSFER}" in err


def test_what_was_watched_may_fail_without_the_watching(run, minions):
    runs(minions)
    failed = samples.status(Member("beta", "destination"), verdict=samples.failure())
    minions["beta"].says["follow"] = failed
    answer = run("watch")
    assert (answer["retcode"], answer["transfers"][TRANSFER]["result"]) == (0, "failed")


NEWCOMER = "c" * 32


def begins_meanwhile(minions, who):
    """A second transfer is on the lists of these minions from their second look on."""
    for name in who:
        minion, first, looks = minions[name], minions[name].says["list"]["runs"], []
        second = {**first[0], "transfer": NEWCOMER}
        minion.specs[NEWCOMER, ENDS[name]] = {**minion.specs[TRANSFER, ENDS[name]], "transfer": NEWCOMER}
        minion.says["record"] = lambda transfer, role, minion=minion, **_: (
            samples.record(minion.specs[transfer, role]) if (transfer, role) in minion.specs else {"error": _unknown()}
        )

        def listed(first=first, second=second, looks=looks, **_):
            looks.append(1)
            return {"runs": first if len(looks) == 1 else [*first, second], "more": 0}

        minion.says["list"] = listed


def test_watch_picks_up_what_begins_meanwhile(run, minions, capsys):
    runs(minions)
    begins_meanwhile(minions, ["alpha", "beta"])
    answer = run("watch")
    assert {transfer: each["result"] for transfer, each in answer["transfers"].items()} == {
        TRANSFER: "ok",
        NEWCOMER: "ok",
    }
    assert minions["beta"].asked().count("list") == 3  # at first, with the newcomer, and when both were over


def in_pages_of_one(minions):
    """What these minions list from now on comes one run at a time."""
    for name, minion in minions.items():
        whole, records = minion.says["list"], Records(name, over=0, page=1)

        def listed(without=(), whole=whole, records=records, **more):
            if not without:
                records.runs = whole()["runs"]
            return records(without=without, **more)

        minion.says["list"] = listed


def test_watch_looks_through_all_pages_for_what_begins_meanwhile(run, minions):
    runs(minions)
    begins_meanwhile(minions, ["alpha", "beta"])
    in_pages_of_one(minions)
    assert set(run("watch")["transfers"]) == {TRANSFER, NEWCOMER}


def test_a_newcomer_with_one_end_only_is_asked_for_once_and_left(run, minions):
    runs(minions)
    begins_meanwhile(minions, ["beta"])
    assert set(run("watch")["transfers"]) == {TRANSFER}
    assert minions["beta"].asked().count("record") == 2 + 2


def test_with_nothing_to_watch_it_ends_at_once(run, minions):
    runs(minions, alive=False, phase="published")
    assert run("watch")["transfers"] == {}
    assert set(minions["beta"].asked()) == {"list"}


def test_who_watches_may_leave_at_any_time(run, minions):
    runs(minions)

    def strike(**_):
        os.kill(os.getpid(), signal.SIGINT)
        return samples.status(Member("beta", "destination"))

    minions["beta"].says["follow"] = strike
    answer = run("watch")
    assert (answer["retcode"], answer["transfers"][TRANSFER]["result"]) == (0, "unknown")
    assert "cancel" not in minions["beta"].asked()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_each_transfer_has_a_line_that_changes():
    stream = Terminal()
    screen = saltface.Screen(stream)
    screen.show("a 1 %", "b 1 %")
    screen.show("a 2 %", "b 1 %")
    screen.say(["a is done"])
    above = "\r\x1b[1A\x1b[J"
    wipe = "\r\x1b[K"
    assert stream.getvalue() == (
        f"{wipe}a 1 %\n{wipe}b 1 %{above}{wipe}a 2 %\n{wipe}b 1 %{above}{wipe}a is done\n")


def test_each_transfer_is_shown_below_the_id_by_which_others_know_it():
    stream = io.StringIO()
    watching.Board(saltface.Screen(stream)).line(TRANSFER).show("moving", "beta: moving")
    assert stream.getvalue() == f"{TRANSFER}\n  moving\n  beta: moving\n"


def test_lines_of_what_waits_give_way_to_those_that_stay():
    stream = Terminal()
    board = watching.Board(saltface.Screen(stream))
    board.wait({TRANSFER: "waits", NEWCOMER: "waits too"}, [])
    board.clear()
    assert stream.getvalue().endswith("\r\x1b[3A\x1b[J")


# --- doctor and sweep ------------------------------------------------------------------------------------------------


def healthy():
    return {"findings": [], "trouble": [], "version": VERSION, "clock": saltface.time.time(), "boot": "x"}


def test_doctor_gathers_what_every_host_tells(opts, run, minions, capsys):
    opts["fun"] = "transfer.doctor"
    dead = {"what": "dead worker", "transfer": TRANSFER, "path": "/srv/data", "age": 60, "advice": "sweep it"}
    minions["alpha"].says["doctor"] = healthy()
    minions["beta"].says["doctor"] = {**healthy(), "findings": [dead]}
    answer = run("doctor", places="/srv,/data")
    assert (answer["result"], answer["hosts"]) == ("ok", ["alpha", "beta"])
    assert answer["findings"] == [{"host": "beta", **dead}]
    assert minions["beta"].calls[0][1]["places"] == ["/srv", "/data"]
    assert "beta: dead worker" in capsys.readouterr().err


def test_doctor_names_who_is_silent(opts, run, minions, capsys):
    opts["fun"] = "transfer.doctor"
    minions["alpha"].says["doctor"] = lambda **_: FakeFleet.SILENT
    minions["beta"].says["doctor"] = healthy()
    answer = run("doctor")
    assert (answer["silent"], answer["hosts"]) == (["alpha"], ["beta"])
    assert "alpha did not answer" in capsys.readouterr().err


def test_a_doctor_who_could_look_nowhere_says_so_and_that_is_no_success(opts, run, minions, capsys):
    opts["fun"] = "transfer.doctor"
    for minion in minions.values():
        minion.says["doctor"] = lambda **_: FakeFleet.SILENT
    answer = run("doctor")
    assert (answer["result"], answer["retcode"], names(answer)) == ("unknown", 6, ["minion-silent"])
    said = capsys.readouterr().err
    assert "alpha and beta did not answer, so what is left over is not known" in said and "nothing is left" not in said


def test_a_doctor_who_was_sent_to_silent_ones_alone_has_failed(run, minions):
    minions["alpha"].says["doctor"] = lambda **_: FakeFleet.SILENT
    answer = run("doctor", minions="alpha")
    assert (answer["result"], answer["retcode"], names(answer)) == ("failed", 2, ["minion-silent"])


def test_a_doctor_with_nobody_to_look_at_says_so(run, tmp_path):
    for accepted in (tmp_path / "minions").iterdir():
        accepted.unlink()
    answer = run("doctor")
    assert (answer["retcode"], "no minion was asked" in answer["reasons"][0]["text"]) == (6, True)


def test_sweep_gives_up_partial_data_only_when_asked(run, minions):
    run("sweep", partial=True)
    assert minions["beta"].calls == [("sweep", {"test": False, "partial": True})]


def test_sweep_removes_unknown_staging_only_when_asked(run, minions):
    run("sweep", test=True, unknown=True, places="/srv,/data")
    asked = {"test": True, "partial": False, "unknown": True, "places": ["/srv", "/data"]}
    assert minions["beta"].calls == [("sweep", asked)]


# --- what has no words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, arguments, told",
    [
        ("audit", {}, {"lines": [1], "more": False}),
        ("audit", {}, {}),
        ("sweep", {}, {"found": [1], "removed": []}),
        ("log", {"transfer": TRANSFER}, {"lines": 3}),
        ("doctor", {}, {"findings": 1}),
    ],
)
def test_a_minion_that_tells_what_has_no_words_breaks_no_look(opts, run, minions, name, arguments, told):
    opts["fun"] = f"transfer.{name}"
    minions["beta"].says[name] = told
    answer = run(name, **arguments)
    assert answer["retcode"] in (0, 2)
