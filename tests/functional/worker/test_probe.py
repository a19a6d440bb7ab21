"""Probes by real workers: they touch no place, open what a transfer opens, and leave nothing, whatever dies."""

import contextlib
import os
import signal
import stat

import pytest

from datamover.errors import Busy, MoverError, PolicyRefused, UnknownTransfer
from datamover.host import process
from datamover.host.rundir import RunDirs
from datamover.host.trail import Trail
from hosttools import firewall
from hosttools.commands import drive
from tests.functional.hosttools.guards import GUARDS, snapshot
from tests.functional.hosttools.hosts import hosts
from tests.functional.worker.minions import Minion, Network
from tests.support.waiting import eventually
from transferworker import probes
from transferworker.desk import Desk
from transferworker.limits import Limits
from transferworker.policy import Places, Policy

MIB = 1024 * 1024
ENOUGH = 10**9
NFT = next(guard for guard in GUARDS if guard.name == "nft-inet")


@pytest.fixture
def probe(transfer):
    """probe(**changes) -> a Pair whose specs are those of a probe."""

    def make(seconds=1, most=1024 * MIB, **changes):
        stream = {"type": "probe", "seconds": seconds, "bytes": most}
        return transfer(stream=stream, settings__verify="flight", **{"settings__lease": 15, **changes})

    return make


@contextlib.contextmanager
def untouched(*places):
    """Nothing below these places has changed afterwards, and no file of them was read."""
    before = {place: seen(place) for place in places}
    yield
    assert {place: seen(place) for place in places} == before


def seen(place):
    found = {path: path.lstat() for path in place.rglob("*")}
    read = {path: each.st_atime_ns for path, each in found.items() if stat.S_ISREG(each.st_mode)}
    return {path: (each.st_ino, each.st_ctime_ns, read.get(path)) for path, each in found.items()}


def records(minion):
    return [run.path.name for run in RunDirs(minion.state_dir).all()]


def nothing_left(*minions):
    for minion in minions:
        assert records(minion) == []
        assert minion.ask("sweep", True) == {"found": [], "removed": [], "trouble": []}


def test_a_probe_tells_how_fast_the_way_is_and_touches_no_place(probe, alpha, beta, data, srv):
    pair = probe()
    with untouched(data, srv):
        source, destination = pair.begin().verdicts()
    assert (source["result"], destination["result"]) == ("published", "published")
    assert source["report"]["bytes"] == destination["report"]["bytes"] > 0
    assert destination["report"]["rate"] > 0 and source["report"]["round_trip"] > 0
    nothing_left(alpha, beta)


@pytest.mark.slow
def test_the_rate_is_that_of_a_way_that_is_shaped(probe, network):
    network.limit("80mbit")
    _, destination = probe(seconds=2, settings__streams=2).begin().verdicts()
    assert destination["report"]["rate"] == pytest.approx(10_000_000, rel=0.2)


def test_a_probe_is_in_no_list_while_it_lasts_and_has_no_place_in_the_register(probe, alpha, beta):
    pair = probe().prepare()
    assert alpha.ask("runs")["runs"] == beta.ask("runs")["runs"] == []
    assert {change.what for change in pair.run("destination").undo.pending()} == {"trail"}
    pair.arm().go().verdicts()


def test_it_takes_a_seat_while_it_lasts(probe, transfer, beta):
    beta.desk = Desk(beta.state_dir, "beta", Limits(ENOUGH, max_transfers=1))
    pair, later = probe().prepare(), transfer()
    with pytest.raises(Busy):
        later.prepare("destination")
    pair.arm().go().verdicts()
    later.minion("destination").ask("cancel", later.transfer, "destination")
    assert probe().begin().verdicts()[1]["result"] == "published"


@pytest.mark.slow
def test_its_end_is_told_once(probe, alpha):
    pair = probe().begin()
    pair.verdicts()
    with pytest.raises(UnknownTransfer):
        alpha.ask("status", pair.transfer, "source")


def test_the_trail_keeps_that_it_was_a_probe_and_who_asked(probe, beta):
    pair = probe().begin()
    pair.verdicts()
    lines = beta.ask("audit", 0, 100, pair.transfer)["lines"]
    assert [line["what"] for line in lines] == ["begun", "ended"]
    assert all(line["probe"] is True and line["asked_by"]["user"] == "root" for line in lines)


@pytest.mark.parametrize(
    "role, policy",
    [
        ("source", Policy(sources=Places((b"/elsewhere",)))),
        ("source", Policy(peers=("gamma",))),
        ("destination", Policy(destinations=Places((b"/elsewhere",)))),
        ("destination", Policy(peers=("gamma",))),
    ],
)
def test_what_the_policy_forbids_to_a_transfer_it_forbids_to_a_probe(probe, tmp_path, network, role, policy):
    strict = Minion("alpha" if role == "source" else "beta", tmp_path, network, policy=policy)
    pair = probe(**{role: strict})
    with pytest.raises(PolicyRefused):
        pair.prepare(role)
    assert records(strict) == []
    assert [line["what"] for line in Trail(strict.state_dir).read()] == ["refused"]


def test_one_that_is_never_told_to_go_ends_with_its_lease_and_its_record_with_the_next_sweep(probe, beta, monkeypatch):
    pair = probe(settings__lease=6).prepare_alone("destination").arm("destination")
    worker = pair.worker("destination")
    assert eventually(lambda: not worker.is_running())
    monkeypatch.setattr(probes, "UNASKED", 0.0)
    assert eventually(lambda: beta.ask("sweep") is not None and records(beta) == [])


@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_cancelled_probe_leaves_nothing(probe, alpha, beta, role):
    pair = probe(seconds=10).begin()
    pair.follow_until(role, "moving")
    for each in ("source", "destination"):
        pair.minion(each).ask("cancel", pair.transfer, each)
    nothing_left(alpha, beta)


@pytest.mark.parametrize("role", ["source", "destination"])
def test_kill_minus_9_of_either_worker_ends_the_other_and_leaves_nothing(probe, alpha, beta, role):
    pair = probe(seconds=10).begin()
    pair.follow_until(role, "moving")
    pair.kill(role)
    ended = dict(zip(("source", "destination"), pair.verdicts(), strict=True))
    assert ended[role]["error"]["name"] == "worker-died"
    other = next(each for each in ended if each != role)
    assert ended[other]["error"]["name"] == "connection-lost"
    nothing_left(alpha, beta)


def test_a_start_that_fails_leaves_nothing_once_it_is_withdrawn(probe, beta):
    pair = probe()
    spec = pair.spec("destination", listen={"addresses": ["192.0.2.1"], "port": 0, "ports": [4400, 4499]})
    with pytest.raises(MoverError, match="192.0.2.1"):
        beta.prepare(spec)
    beta.ask("cancel", pair.transfer, "destination")
    nothing_left(beta)


# Through a firewall that drops.


@pytest.fixture
def guarded(tmp_path):
    """(hosts, source's minion, destination's minion, the opening that a plan would ask for); the latter drops."""
    with hosts() as net, contextlib.ExitStack() as stack:
        NFT.install(net["destination"])
        made = []
        for name in ("source", "destination"):
            network = stack.enter_context(contextlib.closing(Network(net[name].path)))
            made.append(Minion(name, tmp_path, network, net[name].addresses["ip"]))
        yield net, *made


def opened(minion):
    found = minion.network.do(drive, firewall.survey(), process.run)
    return {"backend": found["backend"], "chains": found["chains"]}


@pytest.mark.root
def test_a_probe_goes_through_a_pinhole_of_its_own_which_is_closed_behind_it(probe, guarded):
    net, source, destination = guarded
    before = snapshot(net["destination"])
    pair = probe(source=source, destination=destination, firewall=opened(destination)).prepare().arm()
    port = pair.answers["destination"]["port"]
    assert net["source"].reaches(net["destination"], "ip", port)
    assert not net["third"].reaches(net["destination"], "ip", port)
    assert [each["error"] for each in pair.go().verdicts()] == [None, None]
    assert snapshot(net["destination"]) == before
    lines = [line for line in Trail(destination.state_dir).read() if line["what"].startswith("pinhole")]
    assert [line["what"] for line in lines] == ["pinhole opened", "pinhole closed"]
    assert lines[0]["probe"] is True


@pytest.mark.root
def test_kill_minus_9_in_the_middle_of_a_probe_closes_its_pinhole(probe, guarded):
    net, source, destination = guarded
    before = snapshot(net["destination"])
    pair = probe(seconds=10, source=source, destination=destination, firewall=opened(destination)).begin()
    pair.follow_until("destination", "moving")
    os.kill(pair.answers["destination"]["pid"], signal.SIGKILL)
    pair.verdicts()
    assert snapshot(net["destination"]) == before
    nothing_left(source, destination)


@pytest.mark.root
def test_a_way_that_is_closed_is_told_as_a_transfer_tells_it(probe, guarded):
    _, source, destination = guarded
    pair = probe(source=source, destination=destination, settings__lease=8).begin()
    ended = pair.verdicts()
    assert ended[0]["error"]["name"] == "peer-unreachable" and "firewall" in ended[0]["error"]["text"]
    nothing_left(source, destination)
