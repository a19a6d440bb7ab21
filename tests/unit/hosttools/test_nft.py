"""What cannot be shown on a real firewall at will: races, refusals, and the exact orders."""

import json

import pytest

from hosttools import errors, nft
from hosttools.commands import MISSING, Result, drive
from hosttools.pinholes import Chain, Pinhole, tag

TAG = tag("a" * 32, 1)
CHAIN = Chain("nft", "", "inet", "filter", "input", "drop")
HOLE = Pinhole(TAG, ("192.0.2.1",), "192.0.2.9", 4400, chains=(CHAIN,))
RULE = {"family": "inet", "table": "filter", "chain": "input", "handle": 9, "comment": TAG, "expr": []}


def listing(*items):
    return Result(0, json.dumps({"nftables": list(items)}).encode())


class Scripted:
    """An executor that gives prepared answers in turn and keeps what it was told."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.orders = []

    def __call__(self, command):
        if command.stdin:
            self.orders.append(json.loads(command.stdin)["nftables"])
        return self.answers.pop(0)


def test_a_rule_that_somebody_deletes_meanwhile_is_closed_all_the_same():
    lost = Result(1, stderr=b"Error: Could not process rule: No such file or directory")
    run = Scripted(listing({"rule": RULE}), lost, listing())
    drive(nft.close(TAG), run)
    assert run.orders == [[{"delete": {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 9}}}]]


def test_a_rule_that_does_not_go_is_told_with_the_words_of_nft():
    busy = Result(1, stderr=b"Device or resource busy")
    run = Scripted(*[listing({"rule": RULE}), busy] * nft.ROUNDS)
    with pytest.raises(errors.PinholeNotClosed, match=f"{TAG}: Device or resource busy"):
        drive(nft.close(TAG), run)


def test_a_set_that_lost_its_rule_is_removed():
    left = {"set": {"family": "ip", "table": "t", "name": TAG.replace(":", "/") + "/ip6"}}
    run = Scripted(listing(left), Result(), listing())
    drive(nft.close(TAG), run)
    assert run.orders == [[{"delete": left}]]


def test_closing_where_nft_is_not_installed_is_done():
    drive(nft.close(TAG), Scripted(Result(MISSING)))


def test_an_order_that_was_taken_and_not_carried_out_is_noticed():
    run = Scripted(listing(), Result(), listing(), listing({"set": {"name": "x"}}))
    with pytest.raises(
        errors.PinholeNotOpen, match="no rule in the chain nft inet filter input.*192.0.2.1 is not admitted"
    ):
        drive(nft.open(HOLE, 30), run)


def test_opening_again_removes_the_old_rule_in_the_same_transaction():
    run = Scripted(listing({"rule": RULE}), Result(), listing(), Result(1))
    with pytest.raises(errors.PinholeNotOpen):
        drive(nft.open(HOLE, 30), run)
    (orders,) = run.orders
    assert [next(iter(order)) for order in orders] == ["delete", "add", "flush", "add", "insert"]


def test_names_of_chains_are_never_words_of_the_language():
    odd = Pinhole(TAG, ("192.0.2.1",), "192.0.2.9", 4400, chains=(Chain("nft", "", "ip", "x y", 'in"; flush ruleset'),))
    run = Scripted(Result(1), Result(), Result(1), Result(1))
    with pytest.raises(errors.PinholeNotOpen):
        drive(nft.open(odd, 30), run)
    assert run.orders[0][-1]["insert"]["rule"]["chain"] == 'in"; flush ruleset'


def test_chains_that_jump_in_a_circle_end_the_search():
    chain = {"family": "ip", "table": "t", "name": "a", "type": "filter", "hook": "input", "policy": "accept"}
    rules = [
        {"family": "ip", "table": "t", "chain": start, "expr": [{"jump": {"target": end}}]}
        for start, end in (("a", "b"), ("b", "a"))
    ]
    assert nft.deciding(nft.Ruleset((chain,), tuple(rules))) == []


@pytest.mark.parametrize("extension", [None, {"type": "target", "name": "REJECT"}])
def test_an_extension_that_may_refuse_counts_as_a_refusal(extension):
    chain = {"family": "ip", "table": "t", "name": "a", "type": "filter", "hook": "input", "policy": "accept"}
    rule = {"family": "ip", "table": "t", "chain": "a", "expr": [{"xt": extension}]}
    assert len(nft.deciding(nft.Ruleset((chain,), (rule,)))) == 1


def test_an_extension_that_only_matches_is_no_refusal():
    chain = {"family": "ip", "table": "t", "name": "a", "type": "filter", "hook": "input", "policy": "accept"}
    rule = {"family": "ip", "table": "t", "chain": "a", "expr": [{"xt": {"type": "match", "name": "recent"}}]}
    assert nft.deciding(nft.Ruleset((chain,), (rule,))) == []
