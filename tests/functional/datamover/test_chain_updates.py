"""Updates along a chain: whoever dies on the way is passed over, and nobody is left half updated by that."""

import json
import os
import shutil

import pytest

from datamover.disk import settle
from datamover.disk.publish import Found
from datamover.disk.staging import Staging
from datamover.disk.update import UpdateStaging
from tests.functional.datamover.chains import HOSTS, halting, hang_until_delta_has_it, hurry, lost, named_dead
from tests.functional.datamover.ends import TRANSFER, Nth, kill_this_process
from tests.functional.datamover.places import independent_differences, plant
from tests.functional.datamover.test_chain import at_share, check, lay, updated

pytestmark = pytest.mark.usefixtures("own_disk")

MIB = 1024 * 1024
UNHURRIED = 120
"""A stall timeout of which nothing here waits to the end: who dies is missed at once."""


@pytest.fixture
def root(tmp_path):
    """Some of it in one piece, some in many, and small files before and after."""
    (tmp_path / "source").mkdir()
    small = {str(number): os.urandom(number * 7) for number in range(100)}
    middle = {str(number): os.urandom(3 * MIB) for number in range(10)}
    tree = {"a": dict(small), "large": os.urandom(12 * MIB), "middle": middle, "z": dict(small)}
    return plant(tmp_path / "source", tree)


@pytest.fixture
def older(root, folder):
    """Where copies are of what the destinations hold: an older state of everything, each file of which differs."""
    for host in HOSTS:
        lay(folder, root, host, make_older)
        shutil.copytree(folder / host / "final", folder / "older" / host, symlinks=True)
    return folder / "older"


def make_older(final):
    shutil.rmtree(final / "a")
    for path in (each for each in final.rglob("*") if each.is_file()):
        path.write_bytes(b"older" + path.read_bytes()[5:])
        os.utime(path, (10**9, 10**9))


def updates(root, folder, **more):
    return updated(root, folder, stall_timeout=UNHURRIED, **more)


def passed_over(outcomes, dead):
    """The dead one is named by all who tried to reach it, and nobody else is."""
    assert outcomes["alpha"].error is None
    assert lost(outcomes) == named_dead(dead)


@pytest.mark.parametrize("share", [0.3, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.0, 0.8))])
@pytest.mark.parametrize("dead", ["gamma", *(pytest.param(host, marks=pytest.mark.slow) for host in ("beta", "delta"))])
def test_one_that_dies_while_it_passes_on_keeps_what_it_held_and_the_others_are_updated(
    root, folder, older, dead, share
):
    chain = updates(root, folder)
    with chain.apart(dead) as other:
        at_share(chain, "delta" if dead != "delta" else "gamma", share, other.process.kill)
        outcomes = chain.run(but=[dead])
    check(chain, outcomes, lost=[dead])
    passed_over(outcomes, dead)
    assert independent_differences(older / dead, folder / dead / "final") == []
    if dead == "gamma":
        assert outcomes["delta"].chain.predecessors == (("gamma", 1), ("beta", 65537))


def test_one_that_died_is_updated_alone_by_a_further_attempt(root, folder, older):
    first = updates(root, folder)
    with first.apart("gamma") as other:
        at_share(first, "delta", 0.3, other.process.kill)
        first.run(but=["gamma"])
    again = updates(root, folder, hosts=["gamma"], attempt=2)
    outcomes = again.run()
    assert outcomes["alpha"].error is None
    check(again, outcomes)


@pytest.mark.parametrize("step", [1, 60, 200])
def test_one_that_dies_while_it_puts_files_in_place_has_each_whole_and_the_last_is_updated(root, folder, older, step):
    """It had not passed on everything yet."""
    chain = updates(root, folder)
    gamma = chain.nodes["gamma"]
    gamma.publish = lambda staging: publish_and_die(staging, gamma.folder / "intent", step)
    gamma.prepare = hurry
    with chain.apart("gamma") as other:
        lives = other.process.is_alive
        chain.nodes["delta"].staging_class = halting(UpdateStaging, 8 * MIB, lambda: not lives())
        outcomes = chain.run(but=["gamma"])
    check(chain, outcomes, lost=["gamma"])
    passed_over(outcomes, "gamma")
    assert outcomes["delta"].chain.predecessors == (("gamma", 1), ("beta", 65537))
    each_is_whole(root, older / "gamma", gamma.folder / "final")
    recover(gamma)
    assert independent_differences(root, gamma.folder / "final") == []


class HangsComparing(UpdateStaging):
    """On a disk that hangs when it is asked for what is held of a large file, until it is let go."""

    def held(self, entry, block_size):
        assert entry.size < MIB or self.gate.wait(60)
        return super().held(entry, block_size)


def test_one_whose_disk_hangs_while_it_compares_is_given_up_and_who_waits_for_it_is_not(root, folder, older):
    """Who serves it waits for what it holds, and does not take itself for what stands still."""
    chain = updated(root, folder, stall_timeout=18)
    hang_until_delta_has_it(chain, HangsComparing)
    outcomes = chain.run()
    check(chain, outcomes, lost=["gamma"])
    assert outcomes["beta"].chain.lost == ("gamma",)
    assert [host for host, _ in outcomes["delta"].chain.predecessors] == ["gamma", "beta"]


def publish_and_die(staging, noted, step):
    intent = settle.intend(staging, "names")
    noted.write_text(json.dumps(intent.as_dict()))
    settle.publish(staging, intent, Nth(step, kill_this_process))


def each_is_whole(root, older, final):
    """Every file is the old one or the new one, and what was not there is absent or the new one."""
    for path in (each for each in older.rglob("*") if each.is_file()):
        at = path.relative_to(older)
        assert (final / at).read_bytes() in (path.read_bytes(), (root / at).read_bytes())
    for path in (each for each in final.rglob("*") if each.is_file()):
        at = path.relative_to(final)
        assert path.read_bytes() == (root / at).read_bytes() or (older / at).exists()


def recover(node):
    """What whoever comes after the death does."""
    staging = Staging.reopen(node.final, TRANSFER)
    intent = settle.Intent.from_dict(json.loads((node.folder / "intent").read_text()))
    assert settle.recover(staging, intent) is Found.PUBLISHED
    settle.discard(staging, intent)
    staging.close()
