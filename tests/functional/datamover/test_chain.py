"""One source and several destinations in a chain: each passes on what has landed, and proves it for itself."""

import functools
import os
import shutil
import signal
import threading
import time

import pytest

from datamover import wire
from datamover.blocks import content_of
from datamover.digests import constructor
from datamover.disk.staging import Staging
from datamover.disk.tree import SourceTree
from datamover.disk.update import UpdateStaging
from datamover.engine import pace
from datamover.engine.stop import Countdown
from datamover.errors import Cancelled, ConnectionLost, NoSpace, SourceChanged
from tests.functional.datamover.chains import (
    HOSTS,
    Chains,
    OverPassing,
    hang_until_delta_has_it,
    hurry,
    lie,
    lost,
    named_dead,
)
from tests.functional.datamover.ends import DATASET, Disturbed, OwnProcess, Running, Wrapped
from tests.functional.datamover.places import independent_differences, plant
from tests.functional.datamover.test_transfer import mixed_tree
from tests.functional.datamover.test_transfer_hostile import Liar
from tests.support.waiting import eventually
from transferplan import report
from transferplan.status import Verdict

pytestmark = pytest.mark.usefixtures("own_disk")

MIB = 1024 * 1024


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return mixed_tree(tmp_path / "source")


@pytest.fixture
def large(tmp_path):
    """Takes a while: many blocks, and small files before and after them."""
    (tmp_path / "large").mkdir()
    small = {str(number): os.urandom(number * 7) for number in range(300)}
    return plant(tmp_path / "large", {"a": dict(small), "large": os.urandom(48 * MIB), "z": dict(small)})


def check(chain, outcomes, lost=()):
    """All are equal but those that are lost, which have published nothing."""
    for host, node in chain.nodes.items():
        if host in lost:
            assert node.published == []
            continue
        assert (host, outcomes[host].error) == (host, None)
        assert outcomes[host].root == outcomes["alpha"].root
        assert node.published == [True]
        assert independent_differences(chain.root.decode(), node.data) == []
    left = [
        thread.name for thread in threading.enumerate() if thread.name.startswith(("source ", "destination ", "link"))
    ]
    assert left == []


def arrived(chain):
    """Run, demand that all went well everywhere, return the outcomes."""
    outcomes = chain.run()
    assert outcomes["alpha"].error is None
    check(chain, outcomes)
    return outcomes


class Counting(SourceTree):
    """Notes what is read, and takes nothing for young."""

    def __init__(self, *how):
        super().__init__(*how)
        self.read = []

    def suspects(self):
        return iter(())

    def open(self, entry):
        file = super().open(entry)
        return Counted(file, self.read)

    def read_small(self, entry, view):
        self.read.append((entry.number, 0, entry.size))
        return super().read_small(entry, view)


class Counted(Wrapped):
    def __init__(self, file, read):
        super().__init__(file)
        self._read = read

    def read_into(self, offset, view):
        self._read.append((self._file.entry.number, offset, len(view)))
        return self._file.read_into(offset, view)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"verify": "flight"},
        {"encrypt": False},
        {"streams": 3},
        {"compress": "zlib"},
        {"streams": 2, "verify": "flight"},
    ],
    ids=str,
)
def test_all_get_everything_and_the_source_reads_once(root, folder, settings):
    chain = Chains(root, folder, tree=Counting, **settings)
    outcomes = arrived(chain)
    assert len(chain.tree.read) == len(set(chain.tree.read))
    source = outcomes["alpha"]
    assert source.read_bytes == sum(length for _, _, length in chain.tree.read)
    assert source.reread_bytes == 0
    for host, predecessor in (("beta", "alpha"), ("gamma", "beta"), ("delta", "gamma")):
        assert outcomes[host].chain.predecessors == ((predecessor, 1),)
        assert outcomes[host].chain.lost == ()
    assert [outcomes[host].chain.forwarded_bytes for host in ("alpha", "beta", "gamma", "delta")] == [
        *[source.moved_bytes] * 3,
        0,
    ]


def test_a_chain_of_one_is_a_copy(root, folder):
    arrived(Chains(root, folder, ["beta"]))


def test_the_last_one_begins_long_before_the_first_one_ends(large, folder):
    chain = Chains(large, folder, "bcd")
    began = []
    watched = chain.nodes["d"].end.progress
    chain.nodes["b"].end.at_phase("verifying", lambda: began.append(watched.counters.bytes_done))
    arrived(chain)
    assert began[0] > MIB


class Changing(SourceTree):
    """A source whose large file changes once while it is read."""

    done = False

    def open(self, entry):
        return Disturbed(super().open(entry), self)

    def disturb(self, path):
        if not self.done:
            Changing.done = True
            with open(path, "ab") as out:
                out.write(b"grown")


def test_what_begins_again_at_the_source_begins_again_everywhere(large, folder):
    Changing.done = False
    chain = Chains(large, folder, tree=Changing)
    outcomes = arrived(chain)
    assert [outcomes[host].retried_entries for host in ("alpha", "beta", "gamma", "delta")] == [1] * 4


# What is there already


def lay(folder, root, host, change):
    """A destination that has most of it already."""
    final = folder / host / "final"
    shutil.copytree(root, final, symlinks=True)
    change(final)


def updated(root, folder, new=None, **settings):
    """A chain that updates what stands at its destinations; at the `new` one nothing does."""
    chain = Chains(root, folder, update=True, in_place=True, compare="time", **settings)
    for host, node in chain.nodes.items():
        node.staging_class = Staging if host == new else UpdateStaging
        node.end.spec["settings"]["in_place"] = host != new
    return chain


def test_an_update_moves_along_the_chain_what_anybody_lacks(large, folder):
    def one_block_differs(final):
        with open(final / "large", "r+b") as out:
            out.seek(20 * MIB)
            out.write(b"another")

    lay(folder, large, "beta", lambda final: None)
    lay(folder, large, "gamma", one_block_differs)
    lay(folder, large, "delta", lambda final: shutil.rmtree(final / "a"))
    outcomes = arrived(updated(large, folder))
    small = sum(path.stat().st_size for path in (large / "a").iterdir())
    assert [outcomes[host].moved_bytes for host in ("beta", "gamma")] == [0, MIB]
    assert small <= outcomes["delta"].moved_bytes < 2 * small


@pytest.mark.parametrize("new", ["beta", "gamma", pytest.param("delta", marks=pytest.mark.slow)])
def test_an_update_brings_everything_to_who_has_nothing_yet(large, folder, new):
    others = [host for host in HOSTS if host != new]
    for host in others:
        lay(folder, large, host, lambda final: shutil.rmtree(final / "z"))
    outcomes = arrived(updated(large, folder, new, stall_timeout=12))
    assert outcomes[new].moved_bytes > 48 * MIB
    assert all(0 < outcomes[host].moved_bytes < MIB for host in others)


def test_a_host_that_holds_more_than_who_comes_next_sends_that_no_faster_than_the_limit(large, folder):
    lay(folder, large, "beta", lambda final: None)
    lay(folder, large, "gamma", lambda final: os.truncate(final / "large", 32 * MIB))
    outcomes = arrived(updated(large, folder, hosts=["beta", "gamma"], limit=8 * MIB))
    assert outcomes["beta"].moved_bytes == 0 and outcomes["gamma"].moved_bytes == 16 * MIB
    assert outcomes["gamma"].seconds["move"] >= 1.8


def test_another_attempt_goes_on_with_what_each_has(large, folder):
    first = Chains(large, folder)
    at_share(first, "delta", 0.5, lambda: first.source.stop.set(ConnectionLost("cut")))
    assert all(outcome.error for outcome in first.run().values())
    outcomes = arrived(Chains(large, folder, attempt=2))
    assert all(outcomes[host].held_bytes > 8 * MIB for host in ("beta", "gamma", "delta"))


# What dies


def at_share(chain, host, share, action):
    """Do something when so much of everything has landed at a destination of this process."""
    total = sum(path.stat().st_size for path in chain.source_path.rglob("*") if path.is_file())
    done = []

    def look(what, details):
        if not done and chain.nodes[host].end.progress.counters.bytes_done >= share * total:
            done.append(True)
            action()

    progress = chain.nodes[host].end.progress
    add = progress.add

    def added(**amounts):
        add(**amounts)
        look("", {})

    progress.add = added


@pytest.mark.parametrize("share", [0.3, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.0, 0.9))])
@pytest.mark.parametrize("dead", ["beta", "gamma", "delta"])
def test_when_one_dies_the_others_end_equal(large, folder, dead, share):
    chain = Chains(large, folder)
    alive = next(host for host in chain.nodes if host != dead)
    with chain.apart(dead) as other:
        at_share(chain, alive, share, other.process.kill)
        outcomes = chain.run(but=[dead])
    check(chain, outcomes, lost=[dead])
    assert outcomes["alpha"].error is None
    assert lost(outcomes) == named_dead(dead) or share == 0.9


def test_two_that_die_one_after_the_other_are_passed_over(large, folder):
    chain = Chains(large, folder, "bcdef")
    with chain.apart("c") as one, chain.apart("d") as other:
        at_share(chain, "b", 0.2, one.process.kill)
        at_share(chain, "e", 0.5, other.process.kill)
        outcomes = chain.run(but="cd")
    check(chain, outcomes, lost="cd")
    assert outcomes["b"].chain.lost == ("c", "d")
    assert [host for host, _ in outcomes["e"].chain.predecessors][-1] == "b"


@pytest.mark.parametrize(
    "still", [pytest.param("beta", marks=pytest.mark.slow), "gamma", pytest.param("delta", marks=pytest.mark.slow)]
)
def test_one_that_stands_still_is_passed_by(large, folder, still):
    """It says nothing any more, and its kernel goes on taking what comes."""
    chain = Chains(large, folder, stall_timeout=18)
    alive = next(host for host in chain.nodes if host != still)
    with chain.apart(still) as other:
        at_share(chain, alive, 0.3, lambda: os.kill(other.process.pid, signal.SIGSTOP))
        outcomes = chain.run(but=[still])
    check(chain, outcomes, lost=[still])
    assert outcomes["alpha"].error is None
    before = {"beta": "alpha", "gamma": "beta", "delta": "gamma"}[still]
    assert lost(outcomes) == {before: (still,)}


@pytest.mark.slow
def test_two_that_stand_still_one_behind_the_other_are_passed_by(large, folder):
    """The second says not even the first word to who comes anew."""
    chain = Chains(large, folder, "bcde", stall_timeout=18)
    with chain.apart("c") as one, chain.apart("d") as other:

        def halt():
            for each in (one, other):
                os.kill(each.process.pid, signal.SIGSTOP)

        at_share(chain, "e", 0.3, halt)
        outcomes = chain.run(but="cd")
    check(chain, outcomes, lost="cd")
    assert lost(outcomes) == {"b": ("c", "d")}


class Hanging(Staging):
    """A disk that hangs after a while, until it is let go."""

    room = 8 * MIB

    def write(self, number, try_, offset, view):
        self.room -= len(view)
        if self.room < 0:
            assert self.gate.wait(60)
        return super().write(number, try_, offset, view)


def test_one_whose_disk_hangs_is_passed_by_long_before_all_would_be_given_up(large, folder):
    """Its heartbeats go on."""
    chain = Chains(large, folder, stall_timeout=18)
    hang_until_delta_has_it(chain, Hanging)
    outcomes = chain.run()
    check(chain, outcomes, lost=["gamma"])
    assert outcomes["gamma"].error is not None
    assert outcomes["beta"].chain.lost == ("gamma",)
    assert [host for host, _ in outcomes["delta"].chain.predecessors] == ["gamma", "beta"]


def when_published(relay, host, action):
    """Do something when this relay hears that a host has published."""
    heard_of = relay.heard_of

    def heard(who, result, text):
        heard_of(who, result, text)
        if (who, result) == (host, "published"):
            action()

    relay.heard_of = heard


class HangsHalfway(OverPassing):
    """What has arrived at a relay, on a disk that hangs once it has given 24 MiB of it, until `gate` is open."""

    def __init__(self, passing, gate):
        super().__init__(passing)
        self._gate = gate
        self._left = 24 * MIB

    def open(self, entry):
        file = self._passing.open(entry)
        read_into = file.read_into

        def hanging(offset, view):
            self._left -= len(view)
            assert self._left >= 0 or self._gate.wait(60)
            return read_into(offset, view)

        file.read_into = hanging
        return file


def publish_with_half_passed_on(gate):
    """How a relay is prepared that publishes while who comes behind it lacks half, whatever buffers lie between."""

    def prepare(relay):
        hurry(relay)
        relay._passing = HangsHalfway(relay._passing, gate)

    return prepare


@pytest.mark.slow
def test_one_that_stands_still_once_it_has_published_is_passed_by(large, folder):
    """Who comes behind it lacks half, and everybody has heard that it is well."""
    chain = Chains(large, folder, stall_timeout=18)
    chain.nodes["gamma"].prepare = publish_with_half_passed_on(threading.Event())
    with chain.apart("gamma") as other:

        def halt():
            os.kill(other.process.pid, signal.SIGSTOP)

        chain.nodes["beta"].prepare = lambda relay: when_published(relay, "gamma", halt)
        outcomes = chain.run(but=["gamma"])
    check(chain, outcomes, lost=["gamma"])
    assert outcomes["alpha"].error is None
    assert outcomes["delta"].chain.predecessors == (("gamma", 1), ("beta", 65537))
    assert independent_differences(chain.root.decode(), chain.nodes["gamma"].data) == []


def test_one_whose_disk_hangs_and_that_has_published_is_passed_by(large, folder):
    """Its heartbeats go on, it owes nobody anything, and who comes behind it lacks half."""
    chain = Chains(large, folder, stall_timeout=24)
    gate = threading.Event()
    chain.nodes["gamma"].prepare = publish_with_half_passed_on(gate)
    chain.nodes["delta"].end.at_phase("published", gate.set)
    outcomes = chain.run()
    check(chain, outcomes)
    assert outcomes["delta"].chain.predecessors == (("gamma", 1), ("beta", 65537))
    assert outcomes["beta"].chain.lost == ()


class Full(Staging):
    """A disk that is full after a while."""

    room = 8 * MIB

    def write(self, number, try_, offset, view):
        self.room -= len(view)
        if self.room < 0:
            raise NoSpace("there is no room")
        return super().write(number, try_, offset, view)


def test_one_whose_disk_is_full_fails_for_itself(large, folder):
    chain = Chains(large, folder)
    chain.nodes["gamma"].staging_class = Full
    outcomes = chain.run()
    check(chain, outcomes, lost=["gamma"])
    assert isinstance(outcomes["gamma"].error, NoSpace)
    assert outcomes["beta"].chain.lost == ("gamma",)


class Slow(Staging):
    def write(self, number, try_, offset, view):
        time.sleep(len(view) / (4 * MIB))
        return super().write(number, try_, offset, view)


@pytest.mark.slow
def test_one_that_is_far_slower_does_not_hold_up_the_others(large, folder, monkeypatch):
    monkeypatch.setattr(pace, "LEAST_LAG", 4 * MIB)
    monkeypatch.setattr(pace, "LEAST_SECONDS", 0.5)
    chain = Chains(large, folder, stall_timeout=8)
    chain.nodes["gamma"].staging_class = Slow
    order = []
    for host, node in chain.nodes.items():
        node.end.at_phase("published", lambda host=host: order.append(host))
    outcomes = chain.run()
    check(chain, outcomes)
    assert order[-1] == "gamma"
    assert outcomes["delta"].chain.predecessors[-1] == ("beta", 65537)
    assert chain.nodes["beta"].end.told("set-aside") == [{"host": "gamma"}]


@pytest.mark.slow
def test_both_sides_of_a_cut_go_on_as_far_as_they_can(large, folder):
    """Nobody reaches gamma any more, but gamma and delta live."""
    chain = Chains(large, folder, stall_timeout=12)
    at_share(chain, "delta", 0.3, chain.through_relay("gamma").cut)
    outcomes = chain.run()
    check(chain, outcomes, lost=["gamma"])
    assert outcomes["gamma"].error.name == "predecessor-lost"
    assert outcomes["delta"].chain.predecessors == (("gamma", 1), ("beta", 65537))
    assert {member.host for member in chain.nodes["delta"].adrift} == {"alpha", "beta", "gamma"}


# Who lies


class Altering(OverPassing):
    """What has arrived at a relay, with one bit of the large file changed."""

    def open(self, entry):
        file = self._passing.open(entry)
        if is_large(entry):
            read_into = file.read_into
            file.read_into = lambda offset, view: altered(read_into(offset, view), offset, view)
        return file


def altered(count, offset, view):
    if offset <= 20 * MIB < offset + count:
        view[20 * MIB - offset] ^= 1
    return count


def is_large(entry):
    return entry.name == b"large"


def content_of_lie(relay, entry):
    view = memoryview(bytearray(entry.size))
    with relay._passing.open(entry) as file:
        file.read_into(0, view)
    return content_of(view, constructor("sha256"), MIB)


@pytest.mark.parametrize(("with_digests", "found"), [(False, "digest-mismatch"), (True, "seal-invalid")])
def test_a_relay_that_alters_what_it_passes_on_is_found(large, folder, with_digests, found):
    chain = Chains(large, folder)
    chain.nodes["beta"].prepare = lambda relay: lie(relay, Altering, is_large, with_digests and content_of_lie)
    outcomes = chain.run()
    check(chain, outcomes, lost=["gamma", "delta"])
    assert {outcomes[host].error.name for host in ("gamma", "delta")} == {found}


# Who gives up


class Gone(SourceTree):
    """A source whose large file never stays the same."""

    def open(self, entry):
        return Disturbed(super().open(entry), self)

    def disturb(self, path):
        with open(path, "ab") as out:
            out.write(b"grown")


def test_when_the_source_gives_up_all_hear_why(large, folder):
    chain = Chains(large, folder, tree=Gone)
    outcomes = chain.run()
    assert isinstance(outcomes["alpha"].error, SourceChanged)
    for host in chain.nodes:
        assert outcomes[host].error.evidence["name"] == "source-changed", outcomes[host].error
    check(chain, outcomes, lost=list(chain.nodes))


def test_a_cancel_at_the_source_cancels_all(large, folder):
    chain = Chains(large, folder)
    at_share(chain, "delta", 0.1, lambda: chain.source.stop.set(Cancelled("enough")))
    outcomes = chain.run()
    assert [outcome.result for outcome in outcomes.values()] == ["cancelled"] * 4
    check(chain, outcomes, lost=list(chain.nodes))


def test_who_has_published_when_the_source_is_cancelled_is_proved_by_what_that_had_sealed(root, folder):
    chain = Chains(root, folder)
    given_up = threading.Event()
    published = []

    def publish_no_more(_staging):
        assert given_up.wait(60)
        raise Cancelled("enough")

    def note(host):
        published.append(host)
        if len(published) == 2:
            chain.source.stop.set(Cancelled("enough"))
            given_up.set()

    chain.nodes["delta"].publish = publish_no_more
    for host in ("beta", "gamma"):
        chain.nodes[host].end.at_phase("published", functools.partial(note, host))
    verdicts = {host: verdict_of(outcome) for host, outcome in chain.run().items()}
    assert verdicts["alpha"].result == "cancelled"
    doubts = [report.unproved(verdicts["alpha"], verdicts[host], "readback") for host in HOSTS]
    assert doubts == ["", "", "the destination does not report success"]


def verdict_of(outcome):
    """As the master reads it."""
    counts = {name: getattr(outcome, name) for name in ("entries", "bytes", "trusted")}
    root = outcome.root and outcome.root.hex()
    return Verdict(outcome.result, level="readback", algorithm="sha256", root=root, **counts)


def outlived_the_source(chain, share):
    """What becomes of the destinations when the source is killed where this share of everything is at the last one."""
    running = {host: Running(node.relay().run) for host, node in chain.nodes.items()}
    with chain.source_apart() as source:
        at_share(chain, "delta", share, source.process.kill)
        return {host: each.result() for host, each in running.items()}


def test_a_source_that_dies_is_missed_by_all(large, folder):
    chain = Chains(large, folder, stall_timeout=12)
    outcomes = outlived_the_source(chain, 0.2)
    assert {outcome.error.name for outcome in outcomes.values()} == {"predecessor-lost"}
    check(chain, outcomes, lost=list(chain.nodes))


@pytest.mark.slow
def test_who_comes_behind_one_that_waits_for_another_is_not_standing_still(large, folder):
    """Not even who goes on to get for a while what had landed farther up."""
    chain = Chains(large, folder, stall_timeout=6, limit=16 * MIB)
    chain.nodes["beta"].prepare = waits_long_and_serves_slowly
    outcomes = outlived_the_source(chain, 0.06)
    assert {host: outcome.error.name for host, outcome in outcomes.items()} == dict.fromkeys(HOSTS, "predecessor-lost")


@pytest.mark.slow
def test_who_is_served_from_now_on_by_one_that_waits_itself_is_told_so(large, folder):
    """It was not there to hear it when that one lost the source."""
    chain = Chains(large, folder, stall_timeout=6, limit=16 * MIB)
    chain.nodes["beta"].prepare = waits_long
    running = {host: Running(node.relay().run) for host, node in chain.nodes.items()}
    with chain.source_apart() as source:
        at_share(chain, "delta", 0.2, source.process.kill)
        assert eventually(lambda: chain.nodes["beta"].end.told("adrift"))
        chain.nodes["gamma"].end.stop.set(Cancelled("enough"))
        outcomes = {host: each.result() for host, each in running.items()}
    names = {host: outcome.error.name for host, outcome in outcomes.items()}
    assert names == {"beta": "predecessor-lost", "gamma": "cancelled", "delta": "predecessor-lost"}


def waits_long(relay):
    relay._bound = lambda: Countdown(14)


def waits_long_and_serves_slowly(relay):
    waits_long(relay)
    new_hop = relay._new_hop

    def new_slow_hop(host, epoch):
        hop = new_hop(host, epoch)
        hop._throttle.change(3 * MIB)
        return hop

    relay._onward._make_hop = new_slow_hop


ROOT = bytes(32)
EDITION = {"dataset": DATASET, "generation": 1, "leaf": 0}
OUT_OF_TURN = {
    "published": wire.Published(root=ROOT, **EDITION),
    "standing again": wire.Standing(more=False, announced=0, **EDITION),
    "taken too much": wire.Taken(stream=1, pieces=9999, bytes=9999),
    "a word of a source": wire.Adrift(),
}


def say_out_of_turn(relay, word):
    """Have it said upwards as soon as anything has landed, whatever the rules say."""
    begin = relay.begin

    def begin_and_say():
        begin()
        upstream = relay._upstream
        upstream._session.control._conversation.sent = lambda _message: None
        upstream._session.crew.start("lying", upstream.say, word)

    relay.begin = begin_and_say


@pytest.mark.parametrize(
    "word", ["published", *(pytest.param(word, marks=pytest.mark.slow) for word in OUT_OF_TURN if word != "published")]
)
def test_a_destination_that_speaks_out_of_turn_is_given_up_alone(root, folder, word):
    chain = Chains(root, folder, ["beta", "gamma"], stall_timeout=8)
    chain.nodes["beta"].prepare = lambda relay: say_out_of_turn(relay, OUT_OF_TURN[word])
    outcomes = chain.run()
    check(chain, outcomes, lost=["beta"])
    assert outcomes["alpha"].chain.lost == ("beta",)
    assert outcomes["gamma"].chain.predecessors[-1][0] == "alpha"


@pytest.mark.parametrize("host", ["gamma", "nobody"])
def test_what_a_destination_says_of_others_makes_no_verdict(root, folder, host):
    """That gamma has failed, which has not: it is believed by nobody but who asks whether it may go."""
    chain = Chains(root, folder)
    word = wire.Behind(host=host, result="failed", text="so they say")
    chain.nodes["beta"].prepare = lambda relay: say_out_of_turn(relay, word)
    arrived(chain)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 40))])
def test_a_liar_in_the_middle_gives_nobody_anything_that_is_wrong(root, folder, seed):
    """What beta says, upwards and downwards, is changed before it is encrypted."""
    chain = Chains(root, folder, ["beta", "gamma"], stall_timeout=4, streams=1 + seed % 2)
    beta, liar = chain.nodes["beta"], Liar(seed)
    relay = beta.relay()
    with OwnProcess(lambda: liar.run(relay.run)):
        beta.listener.close()
        outcomes = chain.run(but=["beta"])
    gamma = chain.nodes["gamma"]
    assert bool(gamma.published) == (outcomes["gamma"].error is None)
    if gamma.published:
        assert outcomes["gamma"].root == outcomes["alpha"].root
        assert independent_differences(chain.root.decode(), gamma.data) == []
