"""A copy does not depend on what started it: master, runner and whole machines end in the middle of it."""

import json
import os
import re
import signal

import pytest
from lab.lab import Result

from tests.conftest import CHECKOUT
from tests.support.copying import SLOW_BYTES, Copying, digest, heal, jobs_on, plant_random, slowed
from tests.support.runs import assert_ok, differences
from tests.support.waiting import eventually

DISTURBED = ["env", f"PYTHONPATH={CHECKOUT}:{CHECKOUT / '_utils'}", "python", "-B"]
DISTURBED += [CHECKOUT / "tests/support/disturbed_runner.py", "alpha", "--config-dir=/etc/salt", "--out=json"]
ENDS = ("alpha", "beta")


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


def finished(lab, copying):
    """How the copy ends, now that the link may be fast."""
    heal(lab)
    return copying.finish()


def assert_arrived(lab, copying):
    done = finished(lab, copying)
    assert (done.returncode, done.data["result"]) == (0, "ok"), done.stderr
    assert digest(lab.machine("alpha"), "/srv/big") == digest(lab.machine("beta"), "/srv/big")


@pytest.mark.parametrize("how", ["restarted", slow("killed")])
def test_a_restarted_master_is_no_event(clean_lab, copying, how):
    if how == "killed":
        clean_lab.master.run(["systemctl", "kill", "--signal=KILL", "salt-master"])
    clean_lab.master.run(["systemctl", "restart", "salt-master"])
    assert_arrived(clean_lab, copying)
    # A job that wanted to return meanwhile keeps trying; that is Salt's process, not ours.
    assert eventually(lambda: not any(jobs_on(clean_lab.machine(name)) for name in ENDS), timeout=120)


@pytest.mark.slow
def test_one_of_several_connections_that_a_firewall_resets_is_made_again(clean_lab):
    alpha, beta = (clean_lab.machine(name) for name in ENDS)
    plant_random(alpha, "/srv/big", SLOW_BYTES)
    copying = Copying(clean_lab, "alpha:/srv/big", "beta:/srv/", streams=2)
    with slowed(beta), copying:
        copying.await_moving()
        port = eventually(lambda: busiest_port(alpha))
        alpha.run(["nft", "add table inet obstacle"])
        alpha.run(["nft", "add chain inet obstacle out { type filter hook output priority 0; }"])
        alpha.run(["nft", f"add rule inet obstacle out tcp sport {port} reject with tcp reset"])
        done = finished(clean_lab, copying)
    alpha.run(["nft", "delete table inet obstacle"])
    assert (done.returncode, digest(alpha, "/srv/big")) == (0, digest(beta, "/srv/big")), done.stderr
    streams = done.data["destinations"]["beta"]["streams"]
    assert sorted(stream["connections"] for stream in streams) == [1, 2]
    assert sum(stream["bytes"] for stream in streams) == SLOW_BYTES


def busiest_port(machine):
    """The source port of the connection on which most was sent, once that is a good part."""
    sent = {}
    for line in machine.output("ss", "-tniOH", "dport", ">=", ":4400", "and", "dport", "<=", ":4499").splitlines():
        if found := re.search(r"bytes_sent:(\d+)", line):
            sent[line.split()[3].rpartition(":")[2]] = int(found[1])
    port = max(sent, key=sent.get, default=None)
    return port if port and sent[port] > 1_000_000 else None


@pytest.mark.slow
def test_a_bus_that_loses_doubles_and_delays_answers_and_events_ends_in_the_same_verdict(clean_lab, data, alpha, beta):
    """Alpha's first answer to each question is lost, beta's comes when nobody waits for it any more."""
    copy = ["transfer.copy", "src=alpha:/srv/data", "dst=beta:/srv/", "lease=2m"]
    told = clean_lab.master.run([*DISTURBED, *copy], check=False, timeout=500)
    done = Result(told.returncode, told.stdout, told.stderr)
    assert_ok(done)
    assert differences(alpha, beta) == []
    (met,) = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"')]
    assert met["lost"] >= 3 and met["late"] >= 3 and met["doubled"] >= 3, done.stderr


def test_a_killed_runner_leaves_a_copy_that_ends_by_itself(clean_lab, copying):
    clean_lab.master.signal(copying.process, signal.SIGKILL)
    copying.process.communicate()
    heal(clean_lab)
    ended = eventually(lambda: published(clean_lab, copying.transfer))
    assert ended == {"alpha": "published", "beta": "published"}
    assert digest(clean_lab.machine("alpha"), "/srv/big") == digest(clean_lab.machine("beta"), "/srv/big")


def published(lab, transfer):
    """The phases of the ends by host, once both have a verdict."""
    ends = lab.run_runner("transfer.status", transfer=transfer, minions="alpha,beta").data["ends"]
    return {end["host"]: end["phase"] for end in ends} if len(ends) == 2 and all(end["verdict"] for end in ends) else {}


@pytest.mark.parametrize("number", [signal.SIGINT, slow(signal.SIGTERM)])
def test_a_runner_that_is_told_to_end_says_how_to_go_on(clean_lab, copying, number):
    clean_lab.master.signal(copying.process, number)
    done = copying.finish()
    assert (done.returncode, done.data["result"]) == (6, "unknown")
    assert f"transfer.cancel {copying.transfer}" in str(done.data["reasons"])
    cancelled = clean_lab.run_runner("transfer.cancel", transfer=copying.transfer)
    assert {end["phase"] for end in cancelled.data["ends"]} == {"cancelled"}


@pytest.mark.parametrize("event", [slow("asked"), slow("planned"), slow("prepared"), "armed"])
def test_a_runner_that_is_told_to_end_early_undoes_everything(clean_lab, event):
    plant_random(clean_lab.machine("alpha"), "/srv/file", 1000)
    with Copying(clean_lab, "alpha:/srv/file", "beta:/srv/") as copying:
        copying.await_event(event)
        clean_lab.master.signal(copying.process, signal.SIGTERM)
        done = copying.finish()
    # Between the event and the signal it may have gone on, even to its end.
    assert done.data["result"] in {"cancelled", "unknown", "ok"}, done.stdout
    assert (os.listdir(clean_lab.machine("beta").disk("/srv")) == []) == (done.data["result"] == "cancelled")


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["alpha", "beta"])
def test_after_a_reboot_of_one_end_nothing_is_open(clean_lab, copying, victim):
    (other,) = set(ENDS) - {victim}
    clean_lab.reboot(victim)
    done = finished(clean_lab, copying)
    assert done.returncode != 0
    assert victim in str(done.data["reasons"])
    ends = {end["host"]: end for end in (done.data["source"], *done.data["destinations"].values())}
    assert ends[other]["phase"] == "failed"
    assert not any(name == "big" for name in os.listdir(clean_lab.machine("beta").disk("/srv")))
