"""Surveys of captured rulesets. A new distribution is a new folder under surveys/: what its tools print, and what we
expect.

A tool without a file is not installed.
"""

import json
from pathlib import Path

import pytest

from hosttools import errors, firewall, firewalld
from hosttools.commands import MISSING, Result, drive
from hosttools.pinholes import Pinhole, tag

SURVEYS = sorted((Path(__file__).parent / "surveys").iterdir())
TAG = tag("a" * 32, 1)


def replay(folder):
    """An executor that answers every tool with what it once printed."""

    def run(command):
        name = command.argv[0] if command.argv[0] != "busctl" else f"busctl-{method(command)}"
        printed = folder / name
        return Result(0, printed.read_bytes()) if printed.exists() else Result(MISSING)

    return run


def method(command):
    """What is called on the bus."""
    return command.argv[len(firewalld.CALL) + 3]


@pytest.mark.parametrize("folder", SURVEYS, ids=lambda folder: folder.name)
def test_what_decides_is_found_in_what_the_tools_print(folder):
    expected = json.loads((folder / "expected.json").read_text())
    assert drive(firewall.survey(), replay(folder)) == expected


def answer(**by_tool):
    """An executor for a host on which each tool ends as said; all others are not installed."""
    return lambda command: by_tool.get(command.argv[0].replace("-", "_"), Result(MISSING))


def test_a_probe_that_failed_is_trouble_and_not_an_open_host():
    run = answer(nft=Result(1, stderr=b"Operation not permitted (you must be root)\n"))
    facts = drive(firewall.survey(), run)
    assert facts["trouble"] == ["nft cannot list the firewall of this host: Operation not permitted (you must be root)"]


def test_output_that_cannot_be_read_is_trouble_and_not_an_open_host():
    facts = drive(firewall.survey(), answer(nft=Result(0, b"table ip filter {")))
    assert "not its JSON" in facts["trouble"][0]


def test_one_probe_that_failed_does_not_hide_what_the_other_found():
    rules = b"*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
    run = answer(nft=Result(1, stderr=b"boom"), iptables_legacy_save=Result(0, rules))
    facts = drive(firewall.survey(), run)
    assert facts["drops"]
    assert len(facts["trouble"]) == 1


def test_warnings_on_stderr_mean_nothing_when_the_status_is_zero():
    warned = Result(0, b'{"nftables": []}', b"# Warning: iptables-legacy tables present\n")
    assert drive(firewall.survey(), answer(nft=warned))["trouble"] == []


def test_a_host_where_nothing_decides_gets_no_rules():
    hole = Pinhole(TAG, ("192.0.2.1",), "192.0.2.2", 4400)
    drive(firewall.open(hole, 30), answer())


def test_a_chain_of_an_unknown_backend_is_refused_by_name():
    hole = Pinhole(TAG, ("192.0.2.1",), "192.0.2.2", 4400)
    strange = [{"backend": "pf", "variant": "", "family": "ip", "table": "t", "chain": "c", "policy": "drop"}]
    with pytest.raises(errors.UnknownBackend, match="'pf'; it knows firewalld, iptables, nft"):
        drive(firewall.open(firewall.with_chains(hole, strange), 30), answer())


def test_chains_survive_their_way_through_json():
    chains = json.loads((SURVEYS[0] / "expected.json").read_text())["chains"]
    hole = firewall.with_chains(Pinhole(TAG, ("192.0.2.1",), "192.0.2.2", 4400), chains)
    assert [chain.as_dict() for chain in hole.chains] == chains


def test_trouble_with_one_backend_does_not_keep_another_from_closing():
    closed = []

    def run(command):
        closed.append(command.argv[0])
        return Result(4, stderr=b"busy") if command.argv[0] == "iptables-nft-save" else Result(MISSING)

    with pytest.raises(errors.FirewallUnreadable, match="iptables-nft-save cannot list"):
        drive(firewall.close(TAG), run)
    assert "nft" in closed


def test_a_firewall_that_cannot_be_read_any_more_is_not_opened_again():
    hole = Pinhole(TAG, ("192.0.2.1",), "192.0.2.2", 4400)
    with pytest.raises(errors.FirewallUnreadable, match="boom"):
        drive(firewall.reopen(hole, 30), answer(nft=Result(1, stderr=b"boom")))


def test_rules_of_a_firewalld_that_does_not_answer_are_trouble():
    folder = next(folder for folder in SURVEYS if folder.name == "firewalld")
    deaf = replay(folder)
    facts = drive(firewall.survey(), lambda command: Result(1) if command.argv[0] == "busctl" else deaf(command))
    assert facts["trouble"] == [
        "The rules of firewalld are on this host, but it does not answer on the system's bus: start it, or flush its "
        "rules, or open the port yourself and pass firewall=none."
    ]


def test_a_firewalld_that_writes_through_iptables_is_trouble():
    rules = b"*filter\n:INPUT ACCEPT [0:0]\n:INPUT_ZONES - [0:0]\n-A INPUT -j INPUT_ZONES\nCOMMIT\n"
    facts = drive(firewall.survey(), answer(nft=Result(0, b'{"nftables": []}'), iptables_nft_save=Result(0, rules)))
    assert "FirewallBackend=iptables" in facts["trouble"][0]


def test_firewalld_is_asked_where_nobody_can_list_its_rules():
    folder = next(folder for folder in SURVEYS if folder.name == "firewalld")
    answers = replay(folder)
    facts = drive(
        firewall.survey(), lambda command: answers(command) if command.argv[0] == "busctl" else Result(MISSING)
    )
    assert (facts["backend"], facts["trouble"]) == ("firewalld", [])
