"""A proof from the master, by hand: of a replica at any time, and of an installation that waits for it."""

import pytest

from replicamaster import proving
from replicamaster.asking import HostSaid
from tests.unit.replicaplan.facts import channel, replica

from .fakes import COUNT, Hosts

UNDER_WAY = {"id": "20260101-120000-a1b2", "step": "replicating", "lease": 900}


def installed(**answers):
    """Hosts of which db2 has an installation under way."""
    return Hosts("db2", infos={"db2": replica(2, installation=UNDER_WAY)}, **answers)


def test_an_installation_that_is_proved_by_hand_can_be_settled_then():
    hosts = installed()
    assert proving.prove_installed(hosts, "db1", "db2")["proved"]
    assert hosts.steps("db2") == ["pause", "advance", "go_on", "proved"]


def test_a_proof_is_noted_at_the_installation_that_it_began_with():
    hosts = installed()
    noted = []

    def count(_host):
        hosts.infos["db2"] = replica(2, installation={**UNDER_WAY, "id": "of another"})
        return COUNT

    hosts.answers["count"] = count
    hear = hosts.answer
    hosts.answer = lambda host, function, **given: (noted.append((function, given)), hear(host, function, **given))[1]
    proving.prove_installed(hosts, "db1", "db2")
    assert [given["installation"] for function, given in noted if function == "proved"] == [UNDER_WAY["id"]]


def test_an_installation_that_differs_is_not_noted_as_proved():
    counts = {"db1": COUNT, "db2": {**COUNT, "root": "bb"}}
    hosts = installed(count=counts.__getitem__)
    assert not proving.prove_installed(hosts, "db1", "db2")["proved"]
    assert "proved" not in hosts.steps("db2")


def test_a_replica_without_an_installation_is_only_compared():
    hosts = Hosts("db2")
    assert proving.prove_installed(hosts, "db1", "db2")["proved"]
    assert hosts.steps("db2") == ["pause", "advance", "go_on"]


class Counting(Hosts):
    """Remembers how each host was asked to count."""

    def __init__(self, *replicas, **answers):
        super().__init__(*replicas, **answers)
        self.counts = {}

    def answer(self, host, function, **arguments):
        if function == "count":
            self.counts[host] = arguments
        return super().answer(host, function, **arguments)


@pytest.mark.parametrize("others", [True, False])
def test_both_count_by_one_rule_however_much_is_told_of_what_it_leaves_out(others):
    tables = [["shop", f"t{number}", "Aria"] for number in range(150)]
    hosts = Counting("db2", count={**COUNT, "unproved": tables, "unproved_in_all": 200})
    told = proving.prove(hosts, "db1", "db2", lock_others=others)
    assert {host: asked["lock_others"] for host, asked in hosts.counts.items()} == {"db1": others, "db2": others}
    assert {name for asked in hosts.counts.values() for name in asked} == {"name", "stands", "lock_others"}
    kept = proving.short(told)
    assert (len(kept["unproved"]), kept["unproved_in_all"]) == (proving.TOLD, 200)


@pytest.mark.parametrize(("changes", "proved"), [(2, True), (3, False)])
def test_a_primary_whose_definitions_change_meanwhile_is_counted_three_times_at_most(changes, proved):
    left = iter(range(changes))

    def count(host):
        if host == "db1" and next(left, None) is not None:
            raise HostSaid(host, {"text": "Definitions changed", "evidence": {"again": True}})
        return COUNT

    told = proving.prove(Hosts("db2", count=count), "db1", "db2")
    assert told["proved"] is proved
    assert proved or "Definitions changed" in told["reasons"][0]


def test_a_primary_that_logged_nothing_yet_is_not_waited_for():
    hosts = Hosts("db2", sample={"gtid": "", "state": "", "server_id": 1})
    (reason,) = proving.prove(hosts, "db1", "db2")["reasons"]
    assert reason == "arrival: the primary has logged nothing yet, so nothing could arrive: write there first"
    assert ("db2", "wait") not in hosts.asked


def test_a_replica_of_another_server_with_the_same_data_is_not_proved():
    told = proving.prove(Hosts("db2", infos={"db2": replica(2, channels=[channel(primary_id=9)])}), "db1", "db2")
    assert told["reasons"] == ["source: it follows server 9, and db1 is server 1"]
