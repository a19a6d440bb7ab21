"""Plans that probe their way between real machines: what they tell, and that nothing of it is left anywhere."""

import pytest

from tests.support.copying import plant_random, slowed
from tests.support.runs import names, outcome, words

PORT = 4471
RUNS = "/var/lib/salt-transfer/runs"
RATE = 5_000_000
"""Bytes a second: 40mbit."""


@pytest.fixture
def big(alpha):
    plant_random(alpha, "/srv/big", 30_000_000)


def records(*machines):
    """The run directories of each machine."""
    return [sorted(path.name for path in machine.path(RUNS).glob("*")) for machine in machines]


def trail(run, minion):
    """The audit trail of a minion, the oldest line first."""
    return run("audit", minions=minion, limit=500).data["hosts"][minion]["lines"]


def news(run, minion, before):
    """What the trail of a minion has that it did not have before."""
    return [line for line in trail(run, minion) if line["n"] > max((each["n"] for each in before), default=0)]


def test_a_plan_that_probes_tells_the_rate_of_the_way_and_leaves_nothing(run, big, alpha, beta):
    known, before = records(alpha, beta), trail(run, "beta")
    with slowed(beta, "40mbit"):
        done = run("plan", src="alpha:/srv/big", dst="beta:/srv/", probe=True)
    assert outcome(done) == (0, "planned") and done.data["reasons"] == []
    (probe,) = done.data["plan"]["probes"]
    assert (probe["before"], probe["after"], probe["reason"]) == ("alpha", "beta", None)
    assert RATE / 3 < probe["rate"] < 2 * RATE  # many times that if nothing held it back
    forecast = done.data["plan"]["forecast"]
    # What was copied in this lab before may have been slower still; then that counts.
    if forecast["basis"] == "history":
        assert forecast["rate"] < probe["rate"]
    else:
        assert (forecast["basis"], forecast["rate"]) == ("probe", probe["rate"])
        assert "a probe of " in done.stderr
    assert forecast["seconds"] == pytest.approx(30_000_000 / forecast["rate"], rel=0.25)
    assert "for a round trip" in done.stderr
    assert list(beta.disk("/srv").iterdir()) == []
    assert records(alpha, beta) == known
    told = news(run, "beta", before)
    assert [line["what"] for line in told] == ["begun", "pinhole opened", "pinhole closed", "ended"]
    assert all(line["probe"] for line in told if line["what"] != "pinhole closed")


def test_a_plan_that_probes_a_closed_way_says_so_and_what_to_do(run, big, alpha, beta):
    known, link = records(alpha, beta), beta.link("front")
    link.drop(PORT)
    try:
        done = run("plan", src="alpha:/srv/big", dst="beta:/srv/", port=PORT, lease="15s", probe=True)
        copied = run(src="alpha:/srv/big", dst="beta:/srv/", port=PORT, lease="30s")
    finally:
        link.heal()
    assert outcome(done) == (0, "planned")
    # The destination may be heard first, which was never told to go.
    assert names(done) == names(copied) - {"no-go"} == {"peer-unreachable"}
    assert f"let TCP from {alpha.ip} to port {PORT} of {beta.ip} pass" in words(done)
    assert "the probe from alpha to beta failed: [" in done.stderr
    assert done.data["plan"]["forecast"]["seconds"] is None
    assert list(beta.disk("/srv").iterdir()) == []
    assert [len(each) - len(before) for each, before in zip(records(alpha, beta), known, strict=True)] == [1, 1]
