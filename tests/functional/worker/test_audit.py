"""The audit trails of both ends, as real workers write them."""

import pytest

from datamover.errors import PolicyRefused
from datamover.host.trail import Trail
from transferworker.policy import Policy

ASKED = {"user": "root", "via": "command line"}


def told(minion):
    return list(Trail(minion.state_dir).read())


def whats(minion):
    return [line["what"] for line in told(minion)]


def test_a_transfer_is_in_the_trails_of_both_ends_with_who_asked_and_what_was_proved(transfer, alpha, beta):
    pair = transfer(asked_by=ASKED).begin()
    verdicts = dict(zip((alpha, beta), pair.verdicts(), strict=True))
    for minion, peer in ((alpha, "beta"), (beta, "alpha")):
        begun, ended = told(minion)
        assert (begun["what"], ended["what"]) == ("begun", "ended")
        for line in (begun, ended):
            assert (line["transfer"], line["asked_by"], line["peers"][0]["host"]) == (pair.transfer, ASKED, peer)
        assert {name: ended[name] for name in ("result", "bytes", "root", "error")} == {
            name: verdicts[minion][name] for name in ("result", "bytes", "root", "error")
        }


def test_a_killed_worker_is_told_to_have_ended_once_by_who_undoes_after_it(transfer, beta):
    pair = transfer().prepare("destination")
    pair.kill("destination")
    assert pair.verdict("destination")["error"]["name"] == "worker-died"
    beta.ask("sweep")
    begun, ended = told(beta)
    assert (begun["what"], ended["what"], ended["error"]["name"]) == ("begun", "ended", "worker-died")


def test_what_the_policy_refuses_is_in_the_trail_with_every_reason(transfer, beta):
    beta.policy = Policy.read({"destinations": ["/elsewhere"], "peers": ["db*"]})
    with pytest.raises(PolicyRefused):
        transfer(asked_by=ASKED).prepare("destination")
    (line,) = told(beta)
    assert (line["what"], line["asked_by"], len(line["reasons"])) == ("refused", ASKED, 2)


def test_pages_are_read_one_after_the_other_and_for_one_transfer(transfer, beta):
    pairs = [transfer(), transfer()]
    for pair in pairs:
        pair.prepare("destination")
        beta.ask("cancel", pair.transfer)
    page = beta.ask("audit", 0, 3)
    assert [line["n"] for line in page["lines"]] == [1, 2, 3] and page["more"]
    assert [line["n"] for line in beta.ask("audit", 3)["lines"]] == [4]
    own = beta.ask("audit", 0, 10, pairs[1].transfer)
    assert [line["what"] for line in own["lines"]] == ["begun", "ended"] and not own["more"]


def test_a_trail_that_cannot_be_written_ends_nothing(transfer, alpha, beta):
    for minion in (alpha, beta):
        minion.state_dir.mkdir()
        (minion.state_dir / "audit").touch()
    pair = transfer().begin()
    assert [verdict["result"] for verdict in pair.verdicts()] == ["published", "published"]
    assert "could not be written into the audit trail" in pair.run("destination").log.read_text()
