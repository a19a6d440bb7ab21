"""A chain as a master plans it, carried out by real workers: their specs and roster come from the plan itself."""

import contextlib
import os
import shutil
import signal
import tarfile
import time

import pytest

from datamover.disk.metadata import SUSPECT_AGE_NS
from datamover.disk.safepath import encode_path
from tests.functional.worker.minions import Minion, at_once
from tests.functional.worker.test_copy import equal
from tests.support.waiting import eventually
from tests.unit.transferplan import samples
from transferplan import course, plan, records, report, request
from transferplan.request import DESTINATION, SOURCE, Member
from transferplan.status import Status

NAMES = ("beta", "gamma", "delta")
ADDRESSES = {"alpha": "127.0.0.11", "beta": "127.0.0.12", "gamma": "127.0.0.13", "delta": "127.0.0.14"}
CLOSED = {"backend": "none", "drops": False}


class Crowd:
    """The runner's part for one attempt: plan, prepare, arm, go, follow."""

    def __init__(self, minions, wanted, facts):
        self.minions = minions
        self.transfer = wanted.transfer
        self.plan = plan.make(wanted, facts)
        self.answers = {}

    def begin(self):
        specs = self.plan.specs()
        prepared = at_once(lambda member: self.minions[member.host].prepare(specs[member]), list(specs))
        self.answers = dict(zip(specs, prepared, strict=True))
        roster = plan.roster(self.plan, self.answers)
        for member in self.answers:
            self.minions[member.host].ask("arm", self.transfer, roster, member.role)
        source = self.plan.source.member
        self.minions[source.host].ask("go", self.transfer, source.role)
        return self

    def verdicts(self):
        return {m.host: self.minions[m.host].follow_to_the_end(self.transfer, m.role) for m in self.answers}

    def kill(self, host):
        os.kill(self.answers[Member(host, DESTINATION)]["pid"], signal.SIGKILL)

    def arrived(self, host):
        """Bytes that have landed at a destination."""
        return self.minions[host].ask("status", self.transfer, DESTINATION)["progress"]["bytes_done"]

    def await_bytes(self, host):
        assert eventually(lambda: self.arrived(host))

    def records(self):
        """What each end recorded of this transfer, as the master reads it."""
        found = []
        for member in self.answers:
            told = self.minions[member.host].ask("record", self.transfer, member.role)
            found.append(records.Record.from_payload(told, member.host))
        return found

    def end(self):
        for member in self.answers:
            with contextlib.suppress(Exception):
                self.minions[member.host].ask("cancel", self.transfer, member.role)


@pytest.fixture
def minions(tmp_path, network):
    return {name: Minion(name, tmp_path, network, address) for name, address in ADDRESSES.items()}


def told(member, place):
    """The facts of one end, as the plan wants them."""
    found = samples.source(real=place) if member.role == SOURCE else samples.destination(real=place)
    addresses = [samples.interface(ADDRESSES[member.host], 8, "lo")]
    about = {"source": None, "destination": None, member.role: found}
    return samples.host(member.host, ADDRESSES[member.host], interfaces=addresses, firewall=CLOSED, **about)


def facts(wanted, standing=()):
    """What all tell, where something stands already at the hosts `standing`."""
    found = {member: told(member, encode_path(place.path)) for member, place in wanted.ends().items()}
    there = {"entries": 9, "bytes": 9, "disk_bytes": 9, "estimated": False}
    for member, answer in found.items():
        if member.host in standing and member.role == DESTINATION:
            answer["destination"] |= {"exists": True, "kind": "directory", "standing": there}
    return found


@pytest.fixture
def crowd(minions, tmp_path):
    """crowd(src, **options) -> a chain from alpha to all others, each of which has a directory of its own.

    At those that are `standing` the tree is in it already.
    """
    made = []

    def make(src, standing=(), **options):
        for name in NAMES:
            (tmp_path / name).mkdir()
        for name in standing:
            shutil.copytree(src, tmp_path / name / src.name, symlinks=True)
        dst = [f"{name}:{tmp_path / name}/" for name in NAMES]
        wanted = request.parse(f"alpha:{src}", dst, {"order": "given", "lease": "30s", **options}, [], "c" * 32)
        made.append(Crowd(minions, wanted, facts(wanted, standing)))
        return made[-1]

    yield make
    for each in made:
        each.end()


def state_of(crowd):
    """The course that has heard how all ended."""
    statuses = {}
    for member in crowd.answers:
        payload = crowd.minions[member.host].ask("status", crowd.transfer, member.role)
        statuses[member] = Status.from_payload(payload, member.host)
    return course.seen(crowd.plan.request, statuses)


def is_old(root):
    """Whether nothing there is so young that it is looked at again after it was read."""
    youngest = max(path.lstat().st_ctime_ns for path in (root, *root.rglob("*")))
    return time.time_ns() - youngest > SUSPECT_AGE_NS


def test_a_planned_chain_brings_the_tree_to_all_and_reads_the_source_once(crowd, data, tmp_path):
    assert eventually(lambda: is_old(data))
    chain = crowd(data).begin()
    verdicts = chain.verdicts()
    assert {each["result"] for each in verdicts.values()} == {"published"}, verdicts
    assert all(equal(data, tmp_path / name / "data") for name in NAMES)
    assert [verdicts[name]["chain"]["predecessors"][0]["host"] for name in NAMES] == ["alpha", "beta", "gamma"]
    result = report.result(state_of(chain))
    assert (result["result"], result["receipt"]["proved_on"]) == ("ok", list(NAMES))
    receipt = result["receipt"]
    assert receipt["read_bytes"] == receipt["bytes"] + receipt["reread_bytes"]
    # A busy machine may lose a connection, and what was on its way there is read again.
    assert receipt["reread_bytes"] == 0 or losses(chain), receipt


def test_every_host_of_a_chain_keeps_to_the_limit_and_hears_of_another(crowd, minions, big, tmp_path):
    """One after the other: as long as only those before it may send faster, who comes next gets little."""
    size = big.stat().st_size
    chain = crowd(big, limit="200KB/s", compress="none").begin()
    chain.await_bytes("delta")
    for host, following in (("alpha", "beta"), ("beta", "gamma"), ("gamma", "delta")):
        assert chain.arrived(following) < size
        told = minions[host].ask("limit", chain.transfer, 0, SOURCE if host == "alpha" else DESTINATION)
        assert (told["before"], told["limit"]) == (200_000, 0)
        assert {each["host"] for each in told["chain"]} == {"alpha", *NAMES} - {host}
        assert eventually(lambda host=following: chain.arrived(host) == size)
    assert {each["result"] for each in chain.verdicts().values()} == {"published"}
    assert chain.minions["beta"].ask("status", chain.transfer, DESTINATION)["limit"] == 0


def losses(chain):
    """What the source told of connections and links that it lost."""
    events = chain.minions["alpha"].ask("status", chain.transfer, "source")["events"]
    return [event for event in events if event["what"] in ("stream-lost", "link-lost")]


def test_an_update_brings_everything_to_who_has_nothing_yet(crowd, data, tmp_path):
    chain = crowd(data, standing=("beta", "delta"), update=True, stall_timeout="120s")
    (tmp_path / "delta" / "data" / "only-there").write_bytes(b"stays")
    (data / "later").write_bytes(b"later")
    verdicts = chain.begin().verdicts()
    assert {each["result"] for each in verdicts.values()} == {"published"}, verdicts
    assert all(equal(data, tmp_path / name / "data") for name in ("beta", "gamma"))
    assert [verdicts[name]["created"] for name in NAMES] == [1, 0, 1]
    assert (tmp_path / "delta" / "data" / "only-there").exists()
    assert report.result(state_of(chain))["result"] == "ok"


def test_who_dies_is_passed_by_and_completed_from_a_finished_one(crowd, minions, network, big, tmp_path):
    network.limit("100mbit")
    chain = crowd(big).begin()
    chain.await_bytes("delta")
    chain.kill("gamma")
    network.unlimit()
    verdicts = chain.verdicts()
    assert [verdicts[name]["result"] for name in ("beta", "gamma", "delta")] == ["published", "failed", "published"]
    assert (tmp_path / "delta" / "big").read_bytes() == big.read_bytes()
    result = report.result(state_of(chain))
    assert (result["result"], result["destinations"]["gamma"]["outcome"]) == ("partial", "failed")

    found = records.with_source(chain.transfer, chain.records(), "delta")
    following = records.next_attempt(found, {}, [], {})
    assert [place.host for place in following.destinations] == ["gamma"]
    again = Crowd(minions, following, facts(following)).begin()
    assert {host: each["result"] for host, each in again.verdicts().items()} == dict.fromkeys(
        ("delta", "gamma"), "published"
    )
    assert (tmp_path / "gamma" / "big").read_bytes() == big.read_bytes()


# An archive, unpacked by all while it passes


@pytest.fixture
def archive(tmp_path):
    """24 MiB that nothing makes smaller, and a small file."""
    (tmp_path / "made" / "top").mkdir(parents=True)
    (tmp_path / "made" / "top" / "big").write_bytes(os.urandom(24 << 20))
    (tmp_path / "made" / "top" / "small").write_bytes(b"small")
    path = tmp_path / "whole.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=0) as made:
        made.add(tmp_path / "made" / "top", "top")
    return path


@pytest.fixture
def unpacked(crowd, archive, monkeypatch):
    """unpacked() -> a chain that unpacks the archive at every destination."""
    file = samples.source(real=str(archive), kind="file", files=1, directories=0, entries=1)
    monkeypatch.setattr(samples, "source", lambda **_: file)
    host = samples.host
    monkeypatch.setattr(samples, "host", lambda *how, **more: host(*how, unpacks=["gz"], **more))
    return lambda: crowd(archive, type="decompress")


def test_one_stream_is_unpacked_by_all_who_are_named(unpacked, tmp_path):
    chain = unpacked().begin()
    verdicts = chain.verdicts()
    assert {each["result"] for each in verdicts.values()} == {"published"}, verdicts
    assert all(equal(tmp_path / "made" / "top", tmp_path / name / "whole") for name in NAMES)
    assert [verdicts[name]["report"]["files"] for name in NAMES] == [2, 2, 2]
    result = report.result(state_of(chain))
    assert (result["result"], result["receipt"]["proved_on"]) == ("ok", list(NAMES))
    assert (result["receipt"]["level"], result["receipt"]["reread_bytes"]) == ("flight", 0)


@pytest.mark.slow
def test_who_dies_while_a_stream_passes_is_completed_from_the_tree_of_another(
    unpacked, minions, network, tmp_path, monkeypatch
):
    network.limit("40mbit")
    chain = unpacked().begin()
    chain.await_bytes("delta")
    chain.kill("gamma")
    network.unlimit()
    verdicts = chain.verdicts()
    assert [verdicts[name]["result"] for name in ("beta", "gamma", "delta")] == ["published", "failed", "published"]
    assert eventually(lambda: not os.listdir(tmp_path / "gamma"))

    monkeypatch.undo()
    found = records.with_source(chain.transfer, chain.records(), "delta")
    following = records.next_attempt(found, {}, [], {})
    assert (following.settings.type, following.reasons) == ("file", ())
    again = Crowd(minions, following, facts(following)).begin()
    assert {each["result"] for each in again.verdicts().values()} == {"published"}
    assert equal(tmp_path / "made" / "top", tmp_path / "gamma" / "whole")
