"""Transfers into a host whose firewall drops: two hosts and a third one on a bridge, real rules, real workers."""

import contextlib
import os

import pytest

from datamover.errors import MoverError
from datamover.host import flock, process
from datamover.host.trail import Trail
from hosttools import firewall, forbidden
from hosttools.commands import drive
from hosttools.errors import PinholeForbidden, PinholeGone
from tests.functional.hosttools.guards import GUARDS, snapshot
from tests.functional.hosttools.hosts import hosts
from tests.functional.worker.minions import PATIENCE, Minion, Network
from tests.functional.worker.test_copy import is_tidy
from tests.support.waiting import eventually
from transferworker.pinhole import Opening

pytestmark = pytest.mark.root

NFT = next(guard for guard in GUARDS if guard.name == "nft-inet")


@pytest.fixture
def net():
    with hosts() as found:
        yield found


@pytest.fixture
def guard(net):
    NFT.install(net["destination"])
    return NFT


@pytest.fixture
def ends(net, tmp_path):
    """The source's and the destination's minion, each on a host of its own."""
    with contextlib.ExitStack() as stack:
        made = []
        for name in ("source", "destination"):
            network = stack.enter_context(contextlib.closing(Network(net[name].path)))
            made.append(Minion(name, tmp_path, network, net[name].addresses["ip"]))
        yield made


@pytest.fixture
def guarded(transfer, ends):
    """guarded(**changes) -> a transfer between the two hosts, planned for the firewall that is there."""

    def make(**changes):
        source, destination = ends
        found = destination.network.do(drive, firewall.survey(), process.run)
        opened = {"backend": found["backend"], "chains": found["chains"]}
        return transfer(source=source, destination=destination, **{"firewall": opened, **changes})

    return make


def port_of(pair):
    return pair.answers["destination"]["port"]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_pinhole_is_there_for_the_source_alone_and_only_while_needed(guarded, net, guard, srv):
    guard.install(net["destination"])
    before = snapshot(net["destination"])
    pair = guarded().prepare()
    assert not net["source"].reaches(net["destination"], "ip", port_of(pair))
    pair.arm()
    assert net["source"].reaches(net["destination"], "ip", port_of(pair))
    assert not net["third"].reaches(net["destination"], "ip", port_of(pair))
    pair.go()
    source, destination = pair.verdicts()
    assert source["result"] == destination["result"] == "published" and is_tidy(destination)
    assert snapshot(net["destination"]) == before


def test_the_trail_tells_where_a_pinhole_was_opened_for_whom_and_who_closed_it(guarded, net, guard):
    pair = guarded().prepare().arm()
    pair.kill("destination")
    pair.verdict("destination")
    lines = [line for line in Trail(pair.destination.state_dir).read() if line["what"].startswith("pinhole")]
    assert [line["what"] for line in lines] == ["pinhole opened", "pinhole closed"]
    assert (lines[0]["port"], lines[0]["sources"]) == (port_of(pair), [net["source"].addresses["ip"]])
    assert lines[0]["chains"] == ["nft inet filter input"]
    assert lines[1]["by"] == "who undid after the worker"


def test_a_cancel_closes_the_pinhole(guarded, net, guard):
    before = snapshot(net["destination"])
    pair = guarded().prepare().arm()
    assert snapshot(net["destination"]) != before
    pair.destination.ask("cancel", pair.transfer)
    assert snapshot(net["destination"]) == before


def test_kill_minus_9_of_the_worker_closes_the_pinhole(guarded, net, guard):
    before = snapshot(net["destination"])
    pair = guarded().prepare().arm()
    pair.kill("destination")
    assert pair.verdict("destination")["error"]["name"] == "worker-died"
    assert snapshot(net["destination"]) == before


def test_when_the_guardian_dies_too_the_pinhole_ends_with_its_lease_and_sweep_takes_the_rest(guarded, net, guard, srv):
    before = snapshot(net["destination"])
    pair = guarded(settings__lease=10).prepare_alone("destination").arm("destination")
    worker = pair.worker("destination")
    worker.parent().kill()
    worker.kill()
    assert flock.wait_free(pair.run("destination").lock, PATIENCE)
    with net["destination"].listening(port_of(pair)):
        assert eventually(lambda: not net["source"].reaches(net["destination"], "ip", port_of(pair)))
    assert {each["what"] for each in pair.destination.ask("sweep", True)["found"]} == {
        "dead worker",
        "pinhole",
        "register entry",
    }
    pair.destination.ask("sweep")
    assert pair.destination.ask("sweep", True)["found"] == []
    assert snapshot(net["destination"]) == before
    assert os.listdir(srv) == []


def test_a_pinhole_outlives_its_lease_while_its_worker_lives(guarded, net, guard):
    pair = guarded(settings__lease=8, settings__compress="none").prepare()
    pair.arm("destination")
    first = pair.destination.network.do(drive, firewall.openings(), process.run)
    assert first and not any(opening.expired for opening in first)
    # The lease of the hello runs too, so the source comes; it is then held back by its link.
    pair.source.network.limit("2mbit", "eth0")
    pair.arm("source").go()
    pair.follow_until("destination", "moving")
    for _ in range(3):
        pair.destination.ask("follow", pair.transfer, 10**6, 3, "destination")
        openings = pair.destination.network.do(drive, firewall.openings(), process.run)
        assert openings and not any(opening.expired for opening in openings)


def test_rules_that_somebody_flushes_are_opened_again_at_most_three_times(guarded, net, guard, tmp_path, monkeypatch):
    from tests.unit.transferworker.samples import spec
    pair = guarded().prepare("destination")
    told = []
    opening = Opening(
        pair.run("destination"),
        spec(firewall=pair.spec("destination")["firewall"], listen=pair.spec("destination")["listen"]),
        lambda what, **details: told.append((what, details["change"])),
        net["destination"].run,
    )
    opening.open([net["source"].addresses["ip"]], port_of(pair))
    for _ in range(3):
        NFT.install(net["destination"])
        opening.renew()
        assert net["source"].reaches(net["destination"], "ip", port_of(pair))
    NFT.install(net["destination"])
    with pytest.raises(PinholeGone):
        opening.renew()
    assert told == [("pinhole", "opened"), *[("pinhole", "reopened")] * 3]


def test_a_firewall_that_cannot_be_asked_is_asked_again_until_the_lease_is_over(guarded, net, guard):
    pair = guarded(settings__lease=20).prepare("destination")
    silent, told = [], []

    def execute(command):
        return process.Result(1, stderr=b"busy") if silent else net["destination"].run(command)

    opening = Opening(
        pair.run("destination"), pair.spec("destination"), lambda what, **details: told.append(details), execute
    )
    opening.open([net["source"].addresses["ip"]], port_of(pair))
    silent.append(True)
    opening.renew()
    assert told[-1]["change"] == "not renewed" and "busy" in told[-1]["why"]
    silent.clear()
    opening.renew()
    assert net["source"].reaches(net["destination"], "ip", port_of(pair))


@pytest.fixture
def opened(guarded, net, guard):
    """opened(execute, told) -> an opening that nobody may come through yet but another host."""

    def opened(execute, told):
        pair = guarded().prepare("destination")
        opening = Opening(
            pair.run("destination"), pair.spec("destination"), lambda what, **details: told.append(details), execute
        )
        opening.open([net["third"].addresses["ip"]], port_of(pair))
        return opening

    return opened


def test_who_is_let_in_while_the_firewall_cannot_be_asked_is_let_in_at_the_next_renewal(opened, net):
    silent, told = [], []

    def execute(command):
        return process.Result(1, stderr=b"busy") if silent else net["destination"].run(command)

    opening = opened(execute, told)
    silent.append(True)
    opening.widen([net["source"].addresses["ip"]], "lost")
    assert told[-1]["change"] == "not renewed" and "busy" in told[-1]["why"]
    assert not net["source"].reaches(net["destination"], "ip", opening.port)
    silent.clear()
    opening.renew()
    assert net["source"].reaches(net["destination"], "ip", opening.port)
    assert told[-1]["change"] == "reopened"


def forbid(ends, net, name):
    """An administrator of the destination forbids what comes from there."""
    forbidden.add(ends[1].state_dir, forbidden.Entry(net[name].addresses["ip"], reason="no guests"))


def test_who_is_forbidden_is_not_let_in_in_anothers_place(opened, net, ends):
    told = []
    opening = opened(net["destination"].run, told)
    before = snapshot(net["destination"])
    forbid(ends, net, "source")
    with pytest.raises(PinholeForbidden, match="no guests"):
        opening.widen([net["source"].addresses["ip"]], "lost")
    opening.renew()
    assert snapshot(net["destination"]) == before
    assert [each["change"] for each in told] == ["opened"]


def test_who_is_forbidden_before_the_firewall_can_be_asked_again_is_not_let_in_at_the_renewal(opened, net, ends):
    silent, told = [], []

    def execute(command):
        return process.Result(1, stderr=b"busy") if silent else net["destination"].run(command)

    opening = opened(execute, told)
    before = snapshot(net["destination"])
    silent.append(True)
    opening.widen([net["source"].addresses["ip"]], "lost")
    silent.clear()
    forbid(ends, net, "source")
    with pytest.raises(PinholeForbidden, match="no guests"):
        opening.renew()
    assert snapshot(net["destination"]) == before
    assert [each["change"] for each in told] == ["opened", "not renewed"]


def test_once_it_is_to_be_closed_nobody_else_is_let_in(opened, net):
    opening = opened(net["destination"].run, [])
    opening.shut()
    before = snapshot(net["destination"])
    opening.widen([net["source"].addresses["ip"]], "lost")
    assert snapshot(net["destination"]) == before


def test_what_an_administrator_forbids_is_not_opened(guarded, net, guard, srv):
    before = snapshot(net["destination"])
    pair = guarded().prepare()
    forbidden.add(pair.destination.state_dir, forbidden.Entry(net["source"].addresses["ip"], reason="no guests"))
    with pytest.raises(MoverError, match="no guests") as refusal:
        pair.arm("destination")
    assert refusal.value.as_dict()["name"] == "pinhole-forbidden"
    assert pair.verdict("destination")["error"]["name"] == "pinhole-forbidden"
    assert snapshot(net["destination"]) == before
    assert os.listdir(srv) == []


def test_what_an_administrator_forbids_later_is_not_opened_again(guarded, net, guard):
    before = snapshot(net["destination"])
    pair = guarded(settings__lease=15).prepare_alone("destination").arm("destination")
    forbidden.add(pair.destination.state_dir, forbidden.Entry())
    pair.destination.network.do(drive, firewall.close(f"salt-transfer:{pair.transfer}:1"), process.run)
    verdict = pair.verdict("destination")
    assert verdict["error"]["name"] == "lease-expired" and "administrator forbade" in verdict["error"]["text"]
    assert snapshot(net["destination"]) == before


@pytest.mark.slow
def test_without_an_opening_a_dropping_host_fails_in_words(guarded, net, guard, srv):
    pair = guarded(firewall={"backend": "none", "chains": []}, settings__lease=8).begin()
    source, destination = pair.verdicts()
    assert source["error"]["name"] == "peer-unreachable" and "firewall" in source["error"]["text"]
    assert destination["error"]["name"] == "no-go"
    assert os.listdir(srv) == []
