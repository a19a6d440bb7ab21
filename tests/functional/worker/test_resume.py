"""Further attempts by real workers: what arrived is kept, taken over, and nothing is ever mixed or half there."""

import os
import random
import shutil

import pytest

from datamover.errors import Busy, OutOfTurn, SpecMismatch
from datamover.host import flock
from tests.functional.datamover.places import plant
from tests.functional.worker.minions import Pair
from tests.functional.worker.test_copy import equal, is_free, nothing_but_partial_data, nothing_open
from tests.support.waiting import PATIENCE, eventually
from transferworker import facts

BLOCK = 64 * 1024
KEEP = {"settings__keep_partial": 3600, "settings__block_size": BLOCK}
MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.fixture
def tree(tmp_path):
    """A tree with something of everything, of 24 MiB that cannot be compressed."""
    root = tmp_path / "tree"
    root.mkdir()
    some = random.Random(1)
    plant(root, {"large": some.randbytes(16 * MIB + 5), "middle": some.randbytes(2 * MIB), "empty": b"", "void": {}})
    for number in range(200):
        plant(root, {f"d{number % 7}": {f"f{number}": some.randbytes(some.randrange(1, 60_000))}})
    with open(root / "sparse", "wb") as file:
        file.truncate(30 * MIB)
        file.seek(9 * MIB)
        file.write(some.randbytes(MIB))
    (root / "link").symlink_to("large")
    (root / "hard").hardlink_to(root / "large")
    return root


def rests(pair, srv, *beside):
    """What arrived is in staging, nothing is open, and the sweep lists it and leaves it."""
    assert sorted(os.listdir(srv)) == sorted([f".salt-transfer-{pair.transfer}", *beside])
    assert is_free(pair)
    for role in ("source", "destination"):
        assert eventually(lambda role=role: not pair.run(role).alive)
        assert not (pair.run(role).path / "control").exists()
    assert [change.what for change in pair.run("destination").undo.pending()] == ["staging"]
    nothing_but_partial_data(pair)
    assert pair.destination.ask("sweep")["removed"] == []


def bytes_done(pair):
    return pair.destination.ask("status", pair.transfer, "destination")["progress"]["bytes_done"]


def published(pair):
    source, destination = pair.verdicts()
    assert (source["result"], destination["result"]) == ("published", "published"), (source, destination)
    assert source["root"] == destination["root"]
    return source, destination


@pytest.mark.parametrize("role", ["source", "destination"])
def test_what_arrived_before_a_kill_minus_9_is_kept_and_gone_on_with(halted, network, big, srv, role):
    pair = halted(arrived=8 * MIB, **KEEP)
    arrived = bytes_done(pair)
    pair.kill(role)
    if role == "destination":
        assert pair.verdict(role)["error"]["name"] == "worker-died"
        pair.worker("source").resume()
    landed = pair.verdicts()[1]
    rests(pair, srv)
    network.unlimit()
    source, destination = published(pair.again())
    assert destination["held_bytes"] > arrived - BLOCK
    assert destination["held_bytes"] + destination["moved_bytes"] == big.stat().st_size
    assert source["held_bytes"] == destination["held_bytes"] and landed["held_bytes"] == 0
    assert (srv / "data").read_bytes() == big.read_bytes()
    nothing_open(pair, srv, ["data"])


def test_facts_tell_what_rests_at_a_place(halted, beta, srv):
    pair = halted(**KEEP)
    pair.kill("destination")
    pair.verdict("destination")
    runs = pair.destination.desk._runs
    (rest,) = facts.resumable(runs, os.fsencode(srv / "data"))
    assert {**rest, "bytes": 0} == {"transfer": pair.transfer, "role": "destination", "attempt": 1, "bytes": 0}
    assert rest["bytes"] > 0
    assert facts.resumable(runs, os.fsencode(srv / "other")) == []
    pair.destination.ask("cancel", pair.transfer)
    assert facts.resumable(runs, os.fsencode(srv / "data")) == [] and os.listdir(srv) == []


@pytest.mark.slow
def test_each_attempt_leaves_its_documents(halted, network, srv):
    pair = halted(**KEEP)
    pair.kill("source")
    verdicts = pair.verdicts()
    network.unlimit()
    published(pair.again())
    for role, verdict in zip(("source", "destination"), verdicts, strict=True):
        run = pair.run(role)
        assert run.spec["attempt"] == 2
        assert run.read("attempts/1/verdict") == verdict and run.read("attempts/1/spec")["attempt"] == 1
        first, second = (set(os.listdir(run.path / "attempts" / number)) for number in "12")
        assert first > second == {"answer.json", "roster.json"}
        assert pair.minion(role).ask("status", pair.transfer, role)["events"][0]["seq"] == 1


@pytest.mark.parametrize("prepared", [("source",), ("destination",), ("destination", "source")])
def test_what_was_prepared_and_never_begun_is_taken_back_and_begun_by_another_attempt(transfer, data, srv, prepared):
    """Also where one end has never heard of the first one; so it is when a runner dies while its hosts prepare."""
    pair = transfer(settings__keep_partial=0).prepare(*prepared)
    for role in prepared:
        assert pair.minion(role).ask("cancel", pair.transfer, role, True)["phase"] == "failed"
        assert "moving" not in pair.minion(role).ask("status", pair.transfer, role)["phases"]
    published(pair.again())
    assert equal(data, srv / "data")
    nothing_open(pair, srv, ["data"])


@pytest.mark.slow
def test_preparing_a_further_attempt_twice_attaches(halted, srv):
    pair = halted(**KEEP)
    pair.kill("source")
    pair.verdicts()
    pair.attempt = 2
    assert not pair.destination.prepare(pair.spec("destination"))["attached"]
    assert pair.destination.prepare(pair.spec("destination"))["attached"]


@pytest.mark.slow
def test_a_further_attempt_is_refused_while_the_last_one_runs(halted):
    pair = halted(**KEEP)
    pair.attempt = 2
    with pytest.raises(Busy, match="attempt 1 of transfer .* still runs"):
        pair.destination.prepare(pair.spec("destination"))


def test_a_further_attempt_is_refused_where_nothing_is_left_to_do(transfer):
    pair = transfer().begin()
    published(pair)
    pair.attempt = 2
    with pytest.raises(OutOfTurn, match="was published on this host"):
        pair.destination.prepare(pair.spec("destination"))


@pytest.mark.slow
def test_a_further_attempt_is_refused_after_a_cancel_which_keeps_nothing(halted, srv):
    pair = halted(**KEEP)
    pair.destination.ask("cancel", pair.transfer)
    assert os.listdir(srv) == []
    pair.attempt = 2
    with pytest.raises(OutOfTurn, match="was cancelled and kept nothing"):
        pair.destination.prepare(pair.spec("destination"))


def kill_guardian_too(pair, role):
    """As after a power cut: nobody is left who would undo."""
    guardian = pair.worker(role).parent()
    guardian.kill()
    pair.kill(role)
    assert flock.wait_free(pair.run(role).lock, PATIENCE)


@pytest.mark.parametrize("kill", [Pair.kill, kill_guardian_too])
@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_cancel_is_final_when_it_is_the_first_thing_after_a_death(halted, srv, kill, role):
    pair = halted(**KEEP)
    kill(pair, role)
    minion = pair.minion(role)
    for _ in range(2):
        assert minion.ask("cancel", pair.transfer, role)["phase"] == "cancelled"
    record = minion.ask("record", pair.transfer, role)
    assert record["given_up"] and record["status"]["verdict"]["error"]["evidence"]["failed"] == "worker-died"
    assert pair.run(role).undo.pending() == [] and minion.ask("sweep", True)["found"] == []
    assert role == "source" or os.listdir(srv) == []
    pair.attempt = 2
    with pytest.raises(OutOfTurn, match="was cancelled and kept nothing"):
        minion.prepare(pair.spec(role))


def test_withdrawing_as_the_first_thing_after_a_death_keeps_what_has_arrived(halted, srv):
    pair = halted(**KEEP)
    kill_guardian_too(pair, "destination")
    assert pair.destination.ask("cancel", pair.transfer, "destination", True)["phase"] == "failed"
    assert os.listdir(srv) == [f".salt-transfer-{pair.transfer}"]
    assert not pair.destination.ask("record", pair.transfer)["given_up"]


def test_a_further_attempt_cannot_change_what_the_data_was_made_with(halted, srv):
    pair = halted(**KEEP)
    pair.kill("source")
    pair.verdicts()
    pair.attempt = 2
    with pytest.raises(SpecMismatch, match="cannot have another block_size, overwrite than attempt 1 had"):
        pair.destination.prepare(pair.spec("destination", settings__overwrite=True, settings__block_size=1 << 20))
    assert pair.run("destination").spec["attempt"] == 1
    rests(pair, srv)


def test_a_failure_before_anything_arrived_leaves_nothing(transfer, srv):
    pair = transfer(**KEEP).prepare()
    pair.kill("destination")
    assert pair.verdict("destination")["error"]["name"] == "worker-died"
    assert os.listdir(srv) == []


def test_what_is_left_of_a_span_of_0_is_nothing(halted, srv):
    pair = halted(settings__keep_partial=0)
    pair.kill("source")
    pair.verdicts()
    nothing_open(pair, srv)


def test_a_flipped_byte_and_a_changed_source_are_found_by_a_further_attempt(halted, network, big, srv):
    pair = halted(**KEEP)
    pair.kill("source")
    pair.verdicts()
    staged = srv / f".salt-transfer-{pair.transfer}" / "data"
    for path, offset in ((staged, 5), (big, 33 * MIB)):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1]))
    network.unlimit()
    _, destination = published(pair.again())
    assert destination["resent_bytes"] >= 64 * 1024
    assert (srv / "data").read_bytes() == big.read_bytes()


def cut_down(transfer, network, tree, srv, role, portions):
    """Kill one end's worker when such portions of the tree have arrived, one after another; then let it complete."""
    pair = transfer(src=tree, **KEEP)
    total = 24 * MIB
    network.limit("40mbit")
    for number, portion in enumerate(portions):
        pair.again() if number else pair.begin()
        kill_at(pair, role, portion * total)
    network.unlimit()
    _, destination = published(pair.again())
    assert equal(tree, srv / "data")
    nothing_open(pair, srv, ["data"])
    shutil.rmtree(srv / "data")
    return destination


def kill_at(pair, role, count):
    """Kill one end's worker when so much has arrived; how much that was."""
    def far_enough():
        status = pair.destination.ask("status", pair.transfer, "destination")
        return status["verdict"] or status["progress"]["bytes_done"] >= count

    assert eventually(far_enough)
    arrived = bytes_done(pair)
    pair.kill(role)
    assert all(verdict["result"] == "failed" for verdict in pair.verdicts())
    return arrived


@pytest.fixture
def gibibyte(tmp_path):
    path = tmp_path / "gibibyte"
    with open(path, "wb") as file:
        for _ in range(64):
            file.write(os.urandom(16 * MIB))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("role", "streams"), [("destination", 1), ("destination", 4), ("source", 4)])
def test_of_a_gibibyte_that_was_cut_at_nine_tenths_only_the_rest_is_sent(
    transfer, network, gibibyte, srv, role, streams
):
    block = 4 * MIB
    sizes = {"settings__block_size": block, "settings__streams": streams}
    pair = transfer(src=gibibyte, settings__keep_partial=3600, **sizes)
    network.limit("800mbit")
    pair.begin()
    arrived = kill_at(pair, role, 0.9 * GIB)
    network.unlimit()
    source, destination = published(pair.again())
    assert destination["held_bytes"] > arrived - streams * block
    assert destination["held_bytes"] + destination["moved_bytes"] == GIB
    assert source["resent_bytes"] == destination["resent_bytes"] <= 2 * streams * block
    assert (srv / "data").stat().st_size == GIB


MOMENTS = [sorted(dice.uniform(0, 0.9) for _ in range(2)) for dice in map(random.Random, range(10))]


@pytest.mark.slow
@pytest.mark.parametrize(("role", "portions"), [("source", MOMENTS[0]), ("destination", MOMENTS[1])])
def test_killed_twice_a_mixed_tree_ends_equal(transfer, network, tree, srv, role, portions):
    cut_down(transfer, network, tree, srv, role, portions)


@pytest.mark.slow
@pytest.mark.parametrize("portions", MOMENTS, ids=str)
@pytest.mark.parametrize("role", ["source", "destination"])
def test_killed_at_many_moments_a_mixed_tree_ends_equal(transfer, network, tree, srv, role, portions):
    cut_down(transfer, network, tree, srv, role, portions)
