"""A stream to several destinations in a chain: made once, taken by all, and by nobody if it does not end well."""

import os
import threading
import time

import pytest

from datamover.blocks import content_of
from datamover.digests import constructor
from datamover.engine import pace
from datamover.errors import Cancelled, ConsumerFailed, ProducerFailed
from datamover.flow import spool
from datamover.flow.places import FileSink
from tests.functional.datamover.chains import OverPassing, lie, lost, named_dead
from tests.functional.datamover.ends import Running
from tests.functional.datamover.streams import MIB, Flows, python
from tests.functional.datamover.test_stream import ECHO
from tests.functional.datamover.test_transfer_streams import cut_at
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("own_disk")

HOSTS = ("alpha", "beta", "gamma", "delta")


@pytest.fixture
def made(tmp_path):
    """A file whose bytes a producer tells."""
    file = tmp_path / "made"
    file.write_bytes(os.urandom(23 * MIB + 4711))
    return file


def check(flows, outcomes, made, lost=()):
    """All have what was made but those that are lost, which have published nothing."""
    for host, node in flows.nodes.items():
        if host in lost:
            assert node.published == []
            continue
        assert (host, outcomes[host].error) == (host, None)
        assert outcomes[host].root == outcomes["alpha"].root
        assert node.published == [True]
        assert node.data.read_bytes() == made.read_bytes()
        assert outcomes[host].report == {"said": "all told", "size": made.stat().st_size}
    left = [
        thread.name for thread in threading.enumerate() if thread.name.startswith(("source ", "destination ", "link"))
    ]
    assert left == []


def arrived(flows, made):
    """Run, demand that all went well everywhere, return the outcomes."""
    outcomes = flows.run()
    assert outcomes["alpha"].error is None
    check(flows, outcomes, made)
    return outcomes


@pytest.mark.parametrize(
    "settings",
    [{}, {"streams": 3}, {"encrypt": False}, {"compress": "zlib"}],
    ids=str,
)
def test_a_stream_is_made_once_and_arrives_everywhere(folder, made, settings):
    outcomes = arrived(Flows(folder, python(ECHO, made), **settings), made)
    source = outcomes["alpha"]
    assert source.reread_bytes == 0 and source.read_bytes == source.bytes
    assert [outcomes[host].chain.forwarded_bytes for host in HOSTS] == [*[source.moved_bytes] * 3, 0]


# Who dies, is slow, or fails


@pytest.fixture
def narrow(monkeypatch):
    """What is kept is far less than all."""
    monkeypatch.setattr(spool, "MEMORY", 6 * MIB)


@pytest.fixture
def alike(narrow, monkeypatch):
    """And nobody is taken for slow, however its host shares the processor."""
    monkeypatch.setattr(pace, "LOOKS", 10**6)


@pytest.fixture
def long(tmp_path):
    file = tmp_path / "made"
    file.write_bytes(os.urandom(40 * MIB + 4711))
    return file


def at_bytes(flows, host, count, action):
    """Do something, once, when so much has arrived at a destination of this process."""
    progress = flows.nodes[host].end.progress
    add, done = progress.add, []

    def added(**amounts):
        add(**amounts)
        if not done and progress.counters.bytes_done >= count:
            done.append(True)
            action()

    progress.add = added


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("dead", ["beta", "gamma", "delta"])
def test_when_one_dies_the_others_get_all_of_a_stream_that_is_made_once(folder, long, alike, dead, streams):
    flows = Flows(folder, python(ECHO, long), streams=streams)
    alive = next(host for host in flows.nodes if host != dead)
    with flows.apart(dead) as other:
        at_bytes(flows, alive, 15 * MIB, other.process.kill)
        outcomes = flows.run(but=[dead])
    check(flows, outcomes, long, lost=[dead])
    assert outcomes["alpha"].error is None and outcomes["alpha"].read_bytes == outcomes["alpha"].bytes
    assert lost(outcomes) == named_dead(dead)


def test_of_two_destinations_the_first_dies(folder, long, alike):
    flows = Flows(folder, python(ECHO, long), ["beta", "gamma"])
    with flows.apart("beta") as other:
        at_bytes(flows, "gamma", 15 * MIB, other.process.kill)
        outcomes = flows.run(but=["beta"])
    check(flows, outcomes, long, lost=["beta"])
    assert outcomes["gamma"].chain.predecessors == (("beta", 1), ("alpha", 65537))


def test_two_that_die_at_once_are_passed_over(folder, long, alike):
    flows = Flows(folder, python(ECHO, long), "bcdef")

    def kill():
        one.process.kill()
        other.process.kill()

    with flows.apart("c") as one, flows.apart("d") as other:
        at_bytes(flows, "e", 12 * MIB, kill)
        outcomes = flows.run(but="cd")
    check(flows, outcomes, long, lost="cd")
    assert outcomes["e"].chain.predecessors[-1][0] == "b"


def test_a_link_that_is_cut_is_made_again_and_no_byte_is_fed_twice(folder, long, alike):
    """The connections of a link, all at once: who serves comes again, and goes on in the middle of a segment."""
    flows = Flows(folder, python(ECHO, long), streams=2)
    between = flows.through_relay("gamma")
    at_bytes(flows, "delta", 15 * MIB, between.break_off)
    outcomes = arrived(flows, long)
    assert outcomes["gamma"].chain.predecessors == (("beta", 1), ("beta", 2))


def test_a_bulk_connection_that_breaks_is_made_again_from_what_is_kept(folder, long, alike):
    flows = Flows(folder, python(ECHO, long))
    flows.through_relay("gamma", cut_at({1: 5 * MIB}))
    arrived(flows, long)


@pytest.mark.slow
def test_both_sides_of_a_cut_go_on_as_far_as_they_can(folder, long, alike):
    flows = Flows(folder, python(ECHO, long), stall_timeout=12)
    at_bytes(flows, "delta", 12 * MIB, flows.through_relay("gamma").cut)
    outcomes = flows.run()
    check(flows, outcomes, long, lost=["gamma"])
    assert outcomes["gamma"].error.name == "predecessor-lost" and "nothing is kept" in outcomes["gamma"].error.text
    assert outcomes["delta"].chain.predecessors == (("gamma", 1), ("beta", 65537))


class Slow(FileSink):
    """Takes half a MiB a second."""

    def feed(self, view):
        time.sleep(2 * len(view) / MIB)
        super().feed(view)


def slowly():
    return Slow(lambda report, size: {**report, "size": size}, lambda _file, _view: None)


@pytest.mark.slow
def test_one_that_is_far_slower_is_left_behind(folder, tmp_path, narrow):
    long = tmp_path / "made"
    long.write_bytes(os.urandom(60 * MIB))
    flows = Flows(folder, python(ECHO, long), stall_timeout=8)
    flows.nodes["gamma"].consumer = slowly
    outcomes = flows.run()
    check(flows, outcomes, long, lost=["gamma"])
    assert outcomes["gamma"].error.evidence["name"] == "left-behind"
    assert "from beta so much slower than it came" in outcomes["gamma"].error.text
    assert flows.nodes["beta"].end.told("set-aside") == [{"host": "gamma"}]
    assert outcomes["delta"].chain.predecessors[-1] == ("beta", 65537)
    assert outcomes["beta"].chain.lost == ("gamma",)


class Sluggish(OverPassing):
    """What a relay keeps, which it gives half a MiB a second of."""

    def open(self, entry):
        file = self._passing.open(entry)
        read_into = file.read_into

        def slowly(offset, view):
            time.sleep(2 * len(view) / MIB)
            return read_into(offset, view)

        file.read_into = slowly
        return file


def sluggish(relay):
    relay._passing = Sluggish(relay._passing)


@pytest.mark.slow
def test_nobody_is_left_behind_for_being_served_slowly(folder, tmp_path, narrow):
    """Beta passes on half a MiB a second, and gamma would take more: alpha takes gamma over."""
    long = tmp_path / "made"
    long.write_bytes(os.urandom(60 * MIB))
    flows = Flows(folder, python(ECHO, long), stall_timeout=8)
    flows.nodes["beta"].prepare = sluggish
    outcomes = arrived(flows, long)
    assert outcomes["gamma"].chain.predecessors == (("beta", 1), ("alpha", 65537))
    assert outcomes["delta"].chain.predecessors == (("gamma", 1),)
    assert flows.nodes["beta"].end.told("handed-over") == [{"host": "gamma"}]


@pytest.mark.slow
def test_one_that_is_served_slowly_and_is_slow_itself_is_left_behind_by_who_takes_it_over(folder, tmp_path, narrow):
    long = tmp_path / "made"
    long.write_bytes(os.urandom(60 * MIB))
    flows = Flows(folder, python(ECHO, long), stall_timeout=8)
    flows.nodes["beta"].prepare = sluggish
    flows.nodes["gamma"].consumer = slowly
    outcomes = flows.run()
    check(flows, outcomes, long, lost=["gamma"])
    assert outcomes["gamma"].error.evidence["name"] == "left-behind"
    assert "gamma had the stream from alpha so much slower than it came" in outcomes["gamma"].error.text
    assert "resume gamma from any host that has finished" in outcomes["gamma"].error.text


def test_what_is_kept_for_others_is_bounded(folder, long, alike):
    flows = Flows(folder, python(ECHO, long))
    most = {host: [] for host in flows.nodes}

    def watch(host, node):
        relays = []
        node.prepare = relays.append
        add = node.end.progress.add

        def added(**amounts):
            add(**amounts)
            most[host].append(len(relays[0]._staging.kept.window._held))

        node.end.progress.add = added

    for host, node in flows.nodes.items():
        watch(host, node)
    arrived(flows, long)
    assert all(0 < max(counts) <= 6 for counts in most.values()), most


def test_a_cancel_at_the_source_cancels_all(folder, long):
    flows = Flows(folder, python(ECHO, long))
    at_bytes(flows, "delta", 5 * MIB, lambda: flows.source.stop.set(Cancelled("enough")))
    outcomes = flows.run()
    assert [outcome.result for outcome in outcomes.values()] == ["cancelled"] * 4
    check(flows, outcomes, long, lost=list(flows.nodes))


FAILS_LATE = ECHO + "sys.stdout.close(); print('the disk is gone', file=sys.stderr); sys.exit(1)"


def test_when_the_producer_fails_at_its_end_nobody_publishes(folder, made):
    flows = Flows(folder, python(FAILS_LATE, made))
    outcomes = flows.run()
    assert isinstance(outcomes["alpha"].error, ProducerFailed)
    assert "the disk is gone" in outcomes["alpha"].error.text
    for host in flows.nodes:
        assert outcomes[host].error.evidence["name"] == "producer-failed", outcomes[host].error
    check(flows, outcomes, made, lost=list(flows.nodes))


class Failing(FileSink):
    """Finds at its end that what it made is nothing."""

    def finish(self, report):
        raise ConsumerFailed("mbstream ended with status 1")


def test_one_whose_consumer_fails_at_its_end_fails_alone_and_before_anybody_publishes(folder, made):
    flows = Flows(folder, python(ECHO, made))
    flows.nodes["gamma"].consumer = lambda: Failing(None, lambda _file, _view: None)
    ended = []
    for host, node in flows.nodes.items():
        node.end.at_phase("publishing", lambda host=host: ended.append(host))
    outcomes = flows.run()
    check(flows, outcomes, made, lost=["gamma"])
    assert isinstance(outcomes["gamma"].error, ConsumerFailed)
    assert sorted(ended) == ["beta", "delta"]


class Waiting(FileSink):
    """Ends only when it is told."""

    def __init__(self, gate, seen):
        super().__init__(lambda report, size: {**report, "size": size}, lambda _file, _view: None)
        self._gate, self._seen = gate, seen

    def finish(self, report):
        self._seen.set()
        assert self._gate.wait(60)
        return super().finish(report)


def test_nobody_has_the_seal_before_what_all_made_is_whole(folder, made):
    flows = Flows(folder, python(ECHO, made))
    gate, seen = threading.Event(), threading.Event()
    flows.nodes["delta"].consumer = lambda: Waiting(gate, seen)
    relays = {}
    for host, node in flows.nodes.items():
        node.prepare = lambda relay, host=host: relays.setdefault(host, relay)
    running = Running(flows.run)
    assert seen.wait(60)
    assert eventually(lambda: relays["gamma"]._staging.held == relays["delta"]._staging.held + 1)
    assert [relay.seal for relay in relays.values()] == [None] * 3
    assert {node.end.progress.phase for node in flows.nodes.values()} == {"moving"}
    gate.set()
    check(flows, running.result(), made)


# Who lies


def is_fifth(entry):
    return entry.number == 5


class Altering(OverPassing):
    """What a relay keeps, with one bit changed."""

    def __init__(self, passing):
        super().__init__(passing)
        self.altered = {}

    def open(self, entry):
        file = self._passing.open(entry)
        if is_fifth(entry):
            read_into = file.read_into

            def altering(offset, view):
                count = read_into(offset, view)
                view[0] ^= 1
                self.altered[offset] = bytes(view)
                return count

            file.read_into = altering
        return file


def fitting(relay, _entry):
    told = b"".join(data for _, data in sorted(relay._passing.altered.items()))
    return content_of(memoryview(bytearray(told)), constructor("sha256"), MIB)


@pytest.mark.parametrize(("with_digests", "found"), [(False, "digest-mismatch"), (True, "seal-invalid")])
def test_a_relay_that_alters_what_it_passes_on_is_found(folder, made, with_digests, found):
    flows = Flows(folder, python(ECHO, made))
    flows.nodes["beta"].prepare = lambda relay: lie(relay, Altering, is_fifth, with_digests and fitting)
    outcomes = flows.run()
    check(flows, outcomes, made, lost=["gamma", "delta"])
    assert {outcomes[host].error.name for host in ("gamma", "delta")} == {found}
