"""Copies that wait for a busy host, through Salt: they are served in order, and outlive the runner that waits."""

import contextlib
import json
import signal

import pytest
from lab import Lab

from tests.support.copying import Copying, digest, plant_random
from tests.support.runs import assert_ok
from tests.support.waiting import eventually

ONE_AT_A_TIME = {"transfer": {"max_transfers": 1}}
TENDING = {"function": "transfer.tend", "seconds": 5, "maxrunning": 1, "return_job": False}
TENDED = {"schedule": {"transfers that wait": TENDING}}
NAMES = ("first", "second", "third")
SIZE, LIMIT = 30_000_000, "20KB/s"
"""What lasts longer than any test, unless its limit is lifted."""


@pytest.fixture(scope="module")
def lab():
    """In place of the lab that the whole session shares."""
    with Lab(minions=("alpha", "beta"), master_config=TENDED, minion_config=ONE_AT_A_TIME) as lab:
        yield lab


@pytest.fixture
def first(clean_lab, alpha):
    """A copy that runs until it is let go."""
    plant_random(alpha, "/srv/first", SIZE)
    for name in NAMES[1:]:
        plant_random(alpha, f"/srv/{name}", 100_000)
    with Copying(clean_lab, *places("first"), limit=LIMIT) as copying:
        copying.await_moving()
        yield copying


def let_go(run, copying):
    assert run("limit", transfer=copying.transfer, rate="none").returncode == 0
    assert_ok(copying.finish())


def places(name):
    return f"alpha:/srv/{name}", f"beta:/srv/{name}"


@contextlib.contextmanager
def waiting_copy(lab, name):
    """A copy that has its place by now."""
    src, dst = places(name)
    with Copying(lab, src, dst, wait="1h") as copying:
        copying.transfer = eventually(lambda: waiting(lab).get(src))
        assert copying.transfer
        yield copying


def waiting(lab):
    """The copies that wait, and are followed, by their sources: their ids."""
    listed = lab.run_runner("transfer.list").data["waiting"]
    return {each["src"]: each["transfer"] for each in listed if each["followed"]}


def ticket(lab, transfer):
    """Until when beta keeps the place of a transfer, by its own clock."""
    tickets = json.loads(lab.machine("beta").disk("/var/lib/salt-transfer/register/seats.json").read_text())["tickets"]
    return next((each["until"] for each in tickets if each["transfer"] == transfer), 0.0)


def await_another_runner(lab, src, transfer):
    """Return when somebody else asks for the place of this transfer."""
    assert eventually(lambda: waiting(lab).get(src)) == transfer
    before = ticket(lab, transfer)
    assert eventually(lambda: ticket(lab, transfer) > before)


def begun(run):
    """The transfers in the order in which beta began them."""
    lines = run("audit", minions="beta").data["hosts"]["beta"]["lines"]
    return [line["transfer"] for line in lines if line["what"] == "begun"]


def ended(run):
    """(transfer, result) in the order in which they ended at beta."""
    lines = run("audit", minions="beta").data["hosts"]["beta"]["lines"]
    return [(line["transfer"], line["result"]) for line in lines if line["what"] == "ended"]


def assert_arrived(alpha, beta, *names):
    for name in names:
        assert digest(alpha, f"/srv/{name}") == digest(beta, f"/srv/{name}")


def assert_place(run, transfer, before):
    """Its place is told to whoever asks how it stands, and is on the page of all transfers."""

    def told():
        waits = run("status", transfer=transfer).data["waiting"]
        return waits["followed"] and {each["host"]: each["waiting"] for each in waits["queues"]} == before

    assert eventually(told)
    shown = {each["transfer"]: each for each in run("overview").data["transfers"]}[transfer]
    assert (shown["state"], shown["waits"]["followed"]) == ("waiting", True)


@pytest.mark.slow
def test_a_copy_whose_runner_is_killed_while_it_waits_comes_to_its_turn(clean_lab, run, first, alpha, beta):
    lab = clean_lab
    with waiting_copy(lab, "second") as second, waiting_copy(lab, "third") as third:
        assert_place(run, third.transfer, {"alpha": 1, "beta": 1})
        lab.master.signal(second.process, signal.SIGKILL)
        second.process.communicate()
        await_another_runner(lab, "alpha:/srv/second", second.transfer)
        let_go(run, first)
        assert_ok(third.finish())
    done = run("attach", transfer=second.transfer)
    assert_ok(done)
    assert (done.data["attempt"], done.data["receipt"]["proved_on"]) == (1, ["beta"])
    in_order = [first.transfer, second.transfer, third.transfer]
    assert ended(run)[-3:] == [(each, "published") for each in in_order]
    assert begun(run)[-3:] == in_order
    assert_arrived(alpha, beta, *NAMES)


@pytest.mark.slow
def test_a_copy_whose_runner_is_killed_while_its_hosts_prepare_arrives_all_the_same(clean_lab, run, first, alpha, beta):
    with waiting_copy(clean_lab, "second") as second:
        prepared = alpha.disk(f"/var/lib/salt-transfer/runs/{second.transfer}-source")
        assert run("limit", transfer=first.transfer, rate="none").returncode == 0
        assert eventually(prepared.exists)
        clean_lab.master.signal(second.process, signal.SIGKILL)
        second.process.communicate()
    assert_ok(first.finish())
    assert_ok(run("attach", transfer=second.transfer))
    assert run("list").data["waiting"] == []
    assert_arrived(alpha, beta, *NAMES[:2])


@pytest.mark.slow
def test_a_copy_that_waits_in_the_background_outlives_the_master(clean_lab, run, first, alpha, beta):
    src, dst = places("second")
    key = run("start", src=src, dst=dst, wait="1h").data["transfer"]
    assert eventually(lambda: waiting(clean_lab)) == {src: key}
    clean_lab.master.run(["systemctl", "restart", "salt-master"])
    await_another_runner(clean_lab, src, key)
    let_go(run, first)
    assert_ok(run("attach", transfer=key))
    assert ended(run)[-2:] == [(first.transfer, "published"), (key, "published")]
    assert_arrived(alpha, beta, *NAMES[:2])


@pytest.mark.slow
def test_a_copy_that_waits_in_the_background_can_be_cancelled(clean_lab, run, first, beta):
    src, dst = places("second")
    key = run("start", src=src, dst=dst, wait="1h").data["transfer"]
    assert eventually(lambda: waiting(clean_lab)) == {src: key}
    assert run("cancel", transfer=key).returncode == 0
    assert run("list").data["waiting"] == []
    assert run("start", src=src, dst=dst, wait="1h", key=key).data["result"] == "cancelled"
    assert ticket(clean_lab, key) == 0.0
    let_go(run, first)
    assert not beta.disk("/srv/second").exists()
