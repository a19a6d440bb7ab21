"""What the desk does of its own: old records, and ends of which only little is there. No worker is started."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from datamover.engine.outcome import Outcome
from datamover.errors import Busy, OutOfTurn, Stalled
from datamover.host import flock
from tests.support.waiting import PATIENCE, eventually, is_waited_for
from tests.unit.transferworker.samples import TRANSFER, spec
from transferplan import statement
from transferworker import bounds, undoing, verdicts
from transferworker.control import Refusal
from transferworker.desk import Desk
from transferworker.limits import Limits
from transferworker.policy import Policy


@pytest.fixture
def started(monkeypatch):
    """The runs whose worker was to be started, and whose unit was to be stopped."""
    calls = []
    monkeypatch.setattr("transferworker.launch.start", lambda run, _spec: calls.append(("start", run.transfer)))
    monkeypatch.setattr("transferworker.launch.stop", lambda run: calls.append(("stop", run.transfer)))
    return calls


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr("transferworker.desk.END_PATIENCE", 0)
    return Desk(tmp_path, "alpha", Limits(keep_runs=-1))


def test_a_damaged_old_record_does_not_keep_a_new_transfer_from_being_prepared(desk, started):
    (desk._runs.establish(spec(transfer="f" * 32)).path / "verdict.json").write_text("{")
    assert not desk.prepare(spec(), Policy())["attached"]
    assert started == [("start", TRANSFER)]


def test_the_unit_of_one_that_lives_is_not_stopped(desk, started):
    with flock.hold(desk._runs.establish(spec()).lock):
        desk._settled(desk._runs.open(TRANSFER))
    assert started == []
    desk._settled(desk._runs.open(TRANSFER))
    assert started == [("stop", TRANSFER)]


def test_one_that_died_before_it_had_a_state_is_undone_and_not_started_again(desk, started):
    run = desk._runs.establish(spec())
    run.undo.register("place")
    with pytest.raises(Refusal, match="without a word"):
        desk.prepare(spec(), Policy())
    assert started == [] and run.undo.pending() == []


def failed(desk, **changes):
    run = desk._runs.establish(spec(**changes))
    run.write("verdict", verdicts.verdict(run.spec, Outcome(Stalled("nothing moved"))))
    return run


def test_when_one_ended_is_told_the_same_whenever_it_is_asked_for(desk, started):
    run = failed(desk)
    os.utime(run.path / "verdict.json", (1_000_000.4, 1_000_000.4))
    with flock.hold(desk._runs.establish(spec(transfer="f" * 32)).lock):
        told = {each["transfer"]: each["ended_at"] for each in desk.runs()["runs"]}
    assert told == {TRANSFER: 1_000_000, "f" * 32: None}


def test_what_rests_keeps_no_program(desk, started, monkeypatch):
    monkeypatch.setattr("transferworker.undoing._has_arrived", lambda _spec: True)
    run = failed(desk, settings__keep_partial=60)
    run.undo.register("staging")
    run.code.mkdir()
    desk.status(TRANSFER)
    assert not run.code.exists() and run.undo.pending() != []


def test_every_answer_about_a_chain_names_who_comes_before_and_after(desk, started):
    peers = [{"host": host, "role": role, "addresses": []} for host, role in (("a", "source"), ("b", "destination"))]
    after = [{"host": "d", "role": "destination", "addresses": []}]
    failed(desk, fanout="chain", leaf=1, peers=peers, successors=after)
    named = [("a", "source"), ("b", "destination"), ("d", "destination")]
    for told in (desk.runs()["runs"][0], desk.status(TRANSFER), desk.log(TRANSFER), desk.cancel(TRANSFER)):
        assert [(peer["host"], peer["role"]) for peer in told["peers"]] == named


def test_a_cancel_of_what_failed_is_final_and_can_be_repeated(desk, started):
    failed(desk)
    assert not desk.record(TRANSFER)["given_up"]
    for _ in range(2):
        assert desk.cancel(TRANSFER)["phase"] == "cancelled"
    record = desk.record(TRANSFER)
    assert record["given_up"] and record["status"]["verdict"]["result"] == "cancelled"
    assert record["status"]["verdict"]["error"]["text"].endswith("after it had failed: nothing moved")
    assert [line["what"] for line in desk.audit()["lines"]] == ["given up"]
    with pytest.raises(OutOfTurn, match="was cancelled and kept nothing"):
        desk.prepare(spec(attempt=2), Policy())


def published(desk, number):
    run = desk._runs.establish(spec(transfer=f"{number:032x}"))
    run.write("verdict", verdicts.verdict(run.spec, Outcome(root=b"\1" * 32)))
    return run


def begun_at(run, moment):
    os.utime(run.path / "spec.json", (moment, moment))
    return run.transfer


def test_what_lives_and_what_rests_is_listed_first_however_many_newer_records_there_are(desk, started, monkeypatch):
    monkeypatch.setattr("transferworker.undoing._has_arrived", lambda _run: True)
    rests, died, lives = (desk._runs.establish(spec(transfer=letter * 32)) for letter in "abc")
    rests.undo.register("staging")
    rests.write("verdict", verdicts.verdict(rests.spec, Outcome(Stalled("nothing moved"))))
    oldest = [begun_at(run, moment) for moment, run in enumerate((rests, died, lives), 1)]
    newer = [begun_at(published(desk, number), 10 + number) for number in range(101)]
    with flock.hold(lives.lock):
        first = desk.runs()
        second = desk.runs(after=len(first["runs"]))
    told = [run["transfer"] for page in (first, second) for run in page["runs"]]
    assert told == [*reversed(oldest), *reversed(newer)]
    assert [run["alive"] for run in first["runs"][:2]] == [True, False] and first["runs"][2]["rests"]
    assert (len(first["runs"]) + first["more"], second["more"]) == (104, 0)


def test_the_last_of_each_place_is_listed_before_older_ones(desk, started):
    def over(letter, place, error=None):
        run = desk._runs.establish(spec(transfer=letter * 32, path=place))
        run.write("verdict", verdicts.verdict(run.spec, Outcome(error)))
        begun_at(run, ord(letter))

    over("a", "/srv/weekly")
    over("b", "/srv/hourly", Stalled("nothing moved"))
    for letter in "cde":
        over(letter, "/srv/hourly")
    assert [(run["transfer"][0], run["last"]) for run in desk.runs()["runs"]] == [
        ("e", True),
        ("b", True),
        ("a", True),
        ("d", False),
        ("c", False),
    ]


def test_a_page_of_the_list_fits_into_one_answer_however_long_the_paths_are(desk, started):
    for number in range(20):
        run = published(desk, number)
        run.write("spec", {**run.spec, "path": "/" + "x" * 4000})
    page = desk.runs()
    assert 0 < len(page["runs"]) < 20 and len(page["runs"]) + page["more"] == 20
    assert bounds.size(page) < statement.LARGEST_PAYLOAD


def test_only_the_transfers_that_are_named_are_listed(desk, started):
    for number in range(3):
        published(desk, number)
    page = desk.runs(transfers=[f"{2:032x}", "f" * 32])
    assert ([run["transfer"] for run in page["runs"]], page["more"]) == ([f"{2:032x}"], 0)


def test_runs_that_are_named_are_left_out_and_do_not_count(desk, started):
    for number in range(4):
        begun_at(published(desk, number), number)
    (first, *_, last) = desk.runs()["runs"]
    page = desk.runs(after=1, without=[f"{each['transfer']}-{each['role']}" for each in (first, last)])
    assert ([run["transfer"] for run in page["runs"]], page["more"]) == ([f"{1:032x}"], 0)
    other_end = [f"{3:032x}-{'destination' if first['role'] == 'source' else 'source'}"]
    assert len(desk.runs(without=other_end)["runs"]) == 4


@pytest.fixture
def patient(desk, started, monkeypatch):
    """A desk that waits, and an aside in which it may."""
    monkeypatch.setattr("transferworker.desk.END_PATIENCE", PATIENCE)
    with ThreadPoolExecutor(1) as aside:
        yield desk, aside


def dead(desk, monkeypatch):
    """A run whose worker died with something in staging."""
    monkeypatch.setattr("transferworker.undoing._has_arrived", lambda _run: True)
    run = desk._runs.establish(spec(settings__keep_partial=60))
    run.undo.register("staging")
    return run


def test_a_cancel_is_final_though_the_stop_action_undoes_before_it(patient, monkeypatch):
    desk, aside = patient
    run = dead(desk, monkeypatch)
    with flock.hold(run.lock):
        cancelling = aside.submit(desk.cancel, TRANSFER)
        assert eventually(lambda: is_waited_for(run.lock))
        undoing.conclude(run, undoing._last_words(run))
        assert (run.verdict["result"], [each.what for each in run.undo.pending()]) == ("failed", ["staging"])
    assert cancelling.result(PATIENCE)["phase"] == "cancelled"
    assert desk.record(TRANSFER)["given_up"] and run.undo.pending() == []


def test_a_cancel_is_final_though_the_stop_action_undoes_after_it(desk, started, monkeypatch):
    run = dead(desk, monkeypatch)
    assert desk.cancel(TRANSFER)["phase"] == "cancelled"
    before = run.verdict
    assert undoing.undo_dead(run)
    assert run.verdict == before and run.undo.pending() == []


def test_a_cancel_of_a_worker_that_was_just_failing_is_final(patient, monkeypatch):
    desk, aside = patient
    run = dead(desk, monkeypatch)
    monkeypatch.setattr("transferworker.control.ask", lambda *_: {"phase": "moving"})
    with flock.hold(run.lock):
        cancelling = aside.submit(desk.cancel, TRANSFER)
        assert eventually(lambda: is_waited_for(run.lock))
        undoing.conclude(run, verdicts.verdict(run.spec, Outcome(Stalled("nothing moved"))))
    assert cancelling.result(PATIENCE)["phase"] == "cancelled"


def test_who_asks_while_a_cancel_undoes_is_told_when_that_is_done(patient):
    desk, aside = patient
    run = failed(desk)
    with flock.hold(run.preparing), flock.hold(run.lock):
        asking = aside.submit(desk.status, TRANSFER)
        assert eventually(lambda: is_waited_for(run.lock)) and not asking.done()
    assert asking.result(PATIENCE)["verdict"]


def test_withdrawing_what_failed_leaves_it_to_be_gone_on_with(desk, started):
    failed(desk)
    desk.cancel(TRANSFER, keep=True)
    assert not desk.record(TRANSFER)["given_up"]


def test_a_call_for_another_attempt_is_refused_with_the_present_one(desk, started):
    failed(desk)
    for call in (desk.follow, desk.cancel, desk.go):
        with pytest.raises(OutOfTurn, match="is at attempt 1 on this host, not 2"):
            call(TRANSFER, attempt=2)


def test_a_cancel_waits_for_a_worker_that_is_just_being_started(desk, monkeypatch):
    monkeypatch.setattr("transferworker.launch.PATIENCE", 0)
    run = failed(desk)
    with flock.hold(run.preparing), pytest.raises(Busy, match="has been starting or ending the worker"):
        desk.cancel(TRANSFER)
