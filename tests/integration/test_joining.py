"""Any process of the master can join a transfer: follow it, end it, go on with it, and what is told is the same."""

import os
import signal

import pytest

from tests.support.copying import digest, heal, jobs_on, started, worker
from tests.support.runs import names, outcome
from tests.support.versions import other_version
from tests.support.waiting import eventually
from transferplan.version import VERSION

BLOCK = 4 << 20
SOME_BLOCKS = 3 * BLOCK
"""So much has arrived that at least one block is whole, also over two streams."""
PLACES = {"src": "alpha:/srv/big", "dst": "beta:/srv/"}


def kill_runner(lab, copying):
    lab.master.signal(copying.process, signal.SIGKILL)
    copying.process.communicate()


def assert_same_file(lab):
    assert digest(lab.machine("alpha"), "/srv/big") == digest(lab.machine("beta"), "/srv/big")


def held(done):
    """What was there already and was not sent again."""
    return done.data["destinations"]["beta"]["held_bytes"]


def states(run, minions="alpha,beta"):
    return {each["transfer"]: each["state"] for each in run("list", minions=minions).data["transfers"]}


# --- what runs -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_attach_after_a_killed_runner_tells_what_the_copy_would_have_told(clean_lab, copying, run):
    kill_runner(clean_lab, copying)
    assert states(run)[copying.transfer] == "running"
    heal(clean_lab)
    attached = run("attach", transfer=copying.transfer)
    assert outcome(attached) == (0, "ok"), attached.stdout
    assert (attached.data["transfer"], attached.data["receipt"]["proved"]) == (copying.transfer, True)
    assert_same_file(clean_lab)
    assert states(run)[copying.transfer] == "finished"


@pytest.mark.slow
def test_attach_after_a_restarted_master_tells_the_true_result(clean_lab, copying, run):
    kill_runner(clean_lab, copying)
    clean_lab.master.run(["systemctl", "restart", "salt-master"])
    heal(clean_lab)

    def attached():
        """What is told as soon as the minions have found their master again."""
        told = run("attach", transfer=copying.transfer, minions="alpha,beta")
        return told if told.returncode == 0 else None

    assert eventually(attached).data["result"] == "ok"
    assert_same_file(clean_lab)
    assert eventually(lambda: not any(jobs_on(clean_lab.machine(name)) for name in ("alpha", "beta")), timeout=120)


def test_the_same_copy_again_attaches_and_watch_sees_one_transfer(clean_lab, copying):
    with started(clean_lab, "copy", **PLACES) as again, started(clean_lab, "watch") as watch:
        joined = next(data for tag, data in copying.bus.events(180) if tag.endswith("/joined"))
        assert (joined["other"], joined["how"]) == (copying.transfer, "attached")
        heal(clean_lab)
        first, second, watched = copying.finish(), again(), watch()
    assert [outcome(each) for each in (first, second)] == [(0, "ok"), (0, "ok")]
    assert second.data["transfer"] == copying.transfer and second.data["receipt"] == first.data["receipt"]
    assert set(watched.data["transfers"]) <= {copying.transfer} and watched.returncode == 0


@pytest.mark.slow
def test_watch_follows_several_at_once(clean_lab, copying):
    with started(clean_lab, "copy", src="alpha:/srv/big", dst="beta:/srv/second") as second:
        other = await_another(copying)
        with started(clean_lab, "watch") as watch:
            await_listed(copying.bus, {"alpha", "beta"})
            heal(clean_lab)
            watched = watch()
        assert [outcome(each) for each in (copying.finish(), second())] == [(0, "ok"), (0, "ok")]
    results = {transfer: each["result"] for transfer, each in watched.data["transfers"].items()}
    assert (watched.returncode, results) == (0, {copying.transfer: "ok", other: "ok"})


def await_another(copying):
    """The id of another transfer, as soon as its bytes move."""
    for tag, data in copying.bus.events(180):
        is_moving = tag.endswith("/phase") and (data["role"], data["phase"]) == ("source", "moving")
        if is_moving and data["transfer"] != copying.transfer:
            return data["transfer"]
    raise AssertionError("nothing else moves")


def await_listed(bus, hosts):
    """Return when each of these hosts has told what it knows of."""
    awaited = set(hosts)
    for tag, data in bus.events(180):
        if "/ret/" in tag and data["fun"] == "transfer.list":
            awaited.discard(data["id"])
        if not awaited:
            return
    raise AssertionError(f"{awaited} were not asked for their lists")


@pytest.mark.slow
def test_another_copy_to_the_same_place_is_refused_with_what_differs(copying, run):
    refused = run("copy", **PLACES, verify="flight")
    assert outcome(refused) == (3, "refused") and {"already-running", "place-locked"} <= names(refused)
    assert "its verify is readback" in refused.stdout


def test_a_cancel_can_be_repeated_while_it_runs_and_when_it_is_over(clean_lab, copying, run):
    cancel = ("cancel", copying.transfer)
    with started(clean_lab, *cancel) as first, started(clean_lab, *cancel) as second:
        ended = [first(), second()]
    ended.append(run("cancel", transfer=copying.transfer))
    for each in ended:
        assert each.returncode == 0 and {end["phase"] for end in each.data["ends"]} == {"cancelled"}, each.stdout
    assert copying.finish().data["result"] == "cancelled"
    assert names(run("resume", transfer=copying.transfer)) == {"not-resumable"}


# --- a minion that is upgraded in the middle -------------------------------------------------------------------------


@pytest.fixture
def upgraded(clean_lab, copying, run):
    """A copy whose destination runs on while its minion has been given another version; nobody follows it."""
    copying.await_arrived()
    kill_runner(clean_lab, copying)
    before = worker(clean_lab.machine("beta"), copying.transfer, "destination")
    with other_version(clean_lab, "beta") as other:
        assert worker(clean_lab.machine("beta"), copying.transfer, "destination") == before
        findings = run("doctor", minions="beta").data["findings"]
        assert f"worker of version {VERSION}, here is {other}" in {each["what"] for each in findings}
        yield copying.transfer


@pytest.mark.slow
def test_attach_across_versions_tells_the_true_result(clean_lab, upgraded, run):
    heal(clean_lab)
    done = run("attach", transfer=upgraded)
    assert (outcome(done), done.data["receipt"]["proved"]) == ((0, "ok"), True), done.stdout
    assert_same_file(clean_lab)


@pytest.mark.slow
def test_cancel_across_versions_undoes_both_ends(clean_lab, upgraded, run):
    done = run("cancel", transfer=upgraded)
    assert (done.returncode, {end["phase"] for end in done.data["ends"]}) == (0, {"cancelled"}), done.stdout
    assert os.listdir(clean_lab.machine("beta").disk("/srv")) == []
    assert outcome(run("attach", transfer=upgraded)) == (4, "cancelled")


# --- what rests ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_list_tells_by_what_it_sees_whether_one_is_orphaned_rests_or_can_go_on(clean_lab, copying, run):
    copying.await_arrived()
    kill_runner(clean_lab, copying)
    clean_lab.reboot("beta")
    assert states(run, "beta")[copying.transfer] == "orphaned"
    assert run("status", transfer=copying.transfer, minions="beta").data["ends"][0]["phase"] == "failed"
    assert states(run, "beta")[copying.transfer] == "resting"
    heal(clean_lab)
    assert eventually(lambda: states(run)[copying.transfer] == "resumable")


@pytest.fixture
def died(clean_lab, copying):
    """The id of a transfer whose destination was killed in the middle; the runner has told so."""
    copying.await_arrived(SOME_BLOCKS)
    pid, *_ = worker(clean_lab.machine("beta"), copying.transfer, "destination")
    clean_lab.machine("beta").run(["kill", "-9", pid])
    heal(clean_lab)
    assert copying.finish().data["result"] == "failed"
    return copying.transfer


@pytest.mark.slow
def test_after_a_killed_worker_resume_completes(clean_lab, died, run):
    assert states(run)[died] == "resumable"
    done = run("resume", transfer=died)
    assert outcome(done) == (0, "ok"), done.stdout
    assert (done.data["transfer"], done.data["attempt"]) == (died, 2)
    assert held(done) >= BLOCK
    assert_same_file(clean_lab)
    assert names(run("resume", transfer=died)) == {"not-resumable"}


@pytest.mark.slow
def test_after_a_killed_worker_the_same_copy_again_goes_on(clean_lab, died, run):
    done = run("copy", **PLACES)
    assert outcome(done) == (0, "ok"), done.stdout
    assert (done.data["transfer"], done.data["joined"]) == (died, "resumed")
    assert held(done) >= BLOCK
    assert_same_file(clean_lab)


@pytest.mark.slow
def test_what_rests_is_found_by_doctor_and_given_up_by_cancel(clean_lab, died, run):
    found = run("doctor", minions="alpha,beta").data["findings"]
    assert [(each["host"], each["what"]) for each in found] == [("beta", "partial data")]
    assert run("sweep", minions="beta").data["hosts"]["beta"]["removed"] == []
    ends = run("cancel", transfer=died).data["ends"]
    assert {end["role"]: end["phase"] for end in ends} == {"source": "cancelled", "destination": "cancelled"}
    assert os.listdir(clean_lab.machine("beta").disk("/srv")) == []
    assert run("doctor", minions="alpha,beta").data["findings"] == []
    assert names(run("resume", transfer=died)) == {"not-resumable"}


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["alpha", "beta"])
def test_after_a_reboot_resume_completes(clean_lab, copying, run, victim):
    copying.await_arrived(SOME_BLOCKS)
    clean_lab.reboot(victim)
    heal(clean_lab)
    assert copying.finish().returncode != 0
    done = run("resume", transfer=copying.transfer)
    assert outcome(done) == (0, "ok"), done.stdout
    assert held(done) >= BLOCK
    assert_same_file(clean_lab)
