"""One source and many destinations, through Salt: a chain, one that breaks, one after the other, by expression."""

import pytest

from tests.support.copying import Copying, plant_random, slowed
from tests.support.runs import assert_ok, differences, outcome, words

SIZE = 40_000_000
TOO_MUCH = 1.5
"""Of its size, where each its own would be 2: on a busy machine a piece may go twice."""


@pytest.fixture
def gamma(clean_lab):
    return clean_lab.machine("gamma")


def sent(machine):
    """Bytes that its links have sent, by the kernel's own count."""
    counted = machine.output("sh", "-c", "cat /sys/class/net/e*/statistics/tx_bytes").split()
    return sum(map(int, counted))


def outcomes(done):
    return {host: end["outcome"] for host, end in done.data["destinations"].items()}


def assert_on_both(alpha, beta, gamma, **places):
    for machine in (beta, gamma):
        assert differences(alpha, machine, **places) == []


def test_a_tree_comes_to_two_and_leaves_the_source_once(run, alpha, beta, gamma, data):
    plant_random(alpha, "/srv/data/random", SIZE)
    before = sent(alpha)
    done = run(src="alpha:/srv/data", dst="beta:/srv/,gamma:/srv/", order="given")
    assert_ok(done)
    assert sent(alpha) - before < TOO_MUCH * SIZE
    assert outcomes(done) == {"beta": "ok", "gamma": "ok"}
    assert done.data["receipt"]["proved_on"] == ["beta", "gamma"]
    assert done.data["destinations"]["gamma"]["chain"]["predecessors"][0]["host"] == "beta"
    assert_on_both(alpha, beta, gamma)
    shown = {end["host"]: end["phase"] for end in run("status", transfer=done.data["transfer"]).data["ends"]}
    assert shown == dict.fromkeys(("alpha", "beta", "gamma"), "published")
    assert run("verify", transfer=done.data["transfer"]).data["result"] == "ok"


@pytest.mark.slow
def test_one_that_dies_in_the_middle_is_passed_by_and_is_completed_from_the_other(clean_lab, run, alpha, beta, gamma):
    plant_random(alpha, "/srv/big/file", SIZE)
    copying = Copying(clean_lab, "alpha:/srv/big", "beta:/srv/,gamma:/srv/", order="given")
    with slowed(gamma, "40mbit"), copying:
        copying.await_event("phase", host="gamma", phase="moving")
        beta.run(["systemctl", "kill", "--signal=KILL", f"salt-transfer-{copying.transfer}*"])
        done = copying.finish()
    assert outcome(done) == (5, "partial"), words(done)
    assert outcomes(done) == {"beta": "failed", "gamma": "ok"}
    assert differences(alpha, gamma, "/srv/big", "/srv/big") == []
    assert [each["state"] for each in run("list", state="resumable").data["transfers"]] == ["resumable"]
    resumed = run("resume", transfer=copying.transfer, source="gamma")
    assert_ok(resumed)
    assert outcomes(resumed) == {"beta": "ok"}
    assert differences(alpha, beta, "/srv/big", "/srv/big") == []


def test_one_refused_destination_keeps_the_others_as_they_were(run, alpha, beta, gamma, data):
    gamma.run(["mkdir", "-p", "/srv/data/old"])
    done = run(src="alpha:/srv/data", dst="beta:/srv/,gamma:/srv/")
    assert outcome(done) == (3, "refused")
    assert "gamma:/srv/data is a directory that is not empty" in words(done)
    assert beta.run(["ls", "/srv"]).stdout == ""


@pytest.mark.slow
def test_one_after_the_other_to_whoever_an_expression_means(run, alpha, beta, gamma, data):
    done = run(src="alpha:/srv/data", dst="/srv/", targets="not alpha", target_type="compound", fanout="serial")
    assert_ok(done)
    assert outcomes(done) == {"beta": "ok", "gamma": "ok"}
    assert_on_both(alpha, beta, gamma)
