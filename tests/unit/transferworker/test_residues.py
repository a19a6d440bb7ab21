"""What a sweep finds and removes, and what it leaves alone. The firewall is a list."""

from types import SimpleNamespace

import pytest

from datamover.host import flock
from datamover.host.register import Register
from datamover.host.rundir import RunDirs
from hosttools.errors import FirewallUnreadable
from tests.unit.transferworker.samples import TRANSFER, spec
from transferworker import residues
from transferworker.limits import Limits

DEAD, BY_HAND = f"salt-transfer:{TRANSFER}:1", "salt-transfer:by-hand:4400"
LONG = Limits(10**9)


@pytest.fixture
def runs(tmp_path):
    return RunDirs(tmp_path)


@pytest.fixture
def closed(monkeypatch):
    """The tags that were closed."""
    tags = []
    monkeypatch.setattr("transferworker.pinhole.close", tags.append)
    return tags


def backend(*tags, before=lambda: None):
    """A firewall with these pinholes; `before` is called when it is listed."""

    def openings():
        before()
        yield from ()
        return [SimpleNamespace(tag=tag) for tag in tags]

    return SimpleNamespace(openings=openings)


@pytest.fixture
def guarded(monkeypatch):
    return lambda **backends: monkeypatch.setattr(residues, "BACKENDS", backends)


def look(runs):
    return residues.find(runs, Register(runs.state_dir), LONG)


def tags(found):
    return [each.about["tag"] for each in found if each.about["what"] == "pinhole"]


def test_the_pinhole_of_a_dead_transfer_is_closed_and_one_that_a_person_opened_is_not(runs, guarded, closed):
    guarded(one=backend(BY_HAND, DEAD, DEAD))
    found, troubles = look(runs)
    assert tags(found) == [DEAD] and troubles == []
    assert residues.remove(found, troubles) == found and closed == [DEAD]


def test_a_worker_that_began_while_the_firewall_was_listed_keeps_its_pinhole(runs, guarded):
    held = []
    guarded(one=backend(DEAD, before=lambda: held.append(flock.hold(runs.establish(spec()).lock))))
    assert tags(look(runs)[0]) == []
    held[0].release()


def test_a_worker_that_began_before_the_pinhole_is_closed_keeps_it(runs, guarded, closed):
    guarded(one=backend(DEAD))
    found, troubles = look(runs)
    with flock.hold(runs.establish(spec()).lock):
        assert residues.remove(found, troubles) == []
    assert closed == [] and troubles == []


def test_what_cannot_be_listed_is_told_and_keeps_nobody_from_the_rest(runs, guarded, closed):
    def fail():
        raise FirewallUnreadable("nft says no")

    guarded(broken=backend(before=fail), works=backend(DEAD))
    found, (trouble,) = look(runs)
    assert tags(found) == [DEAD]
    assert "broken" in trouble and "nft says no" in trouble


def test_what_cannot_be_removed_is_told_and_keeps_nobody_from_the_rest(runs, guarded, monkeypatch):
    def fail(_tag):
        raise OSError(5, "Input/output error")

    other = runs.state_dir / "runs/.unborn"
    other.mkdir(parents=True)
    guarded(one=backend(DEAD))
    monkeypatch.setattr("transferworker.pinhole.close", fail)
    found, troubles = look(runs)
    assert [each.about["what"] for each in residues.remove(found, troubles)] == ["unfinished run directory"]
    assert not other.exists()
    assert TRANSFER in troubles[0] and "Input/output error" in troubles[0]


def test_a_damaged_record_is_told(runs, guarded):
    guarded()
    (runs.establish(spec()).path / "verdict.json").write_text("{")
    found, (trouble,) = look(runs)
    assert found == [] and TRANSFER in trouble


def test_after_a_dead_worker_its_program_goes_too(runs, guarded, tmp_path):
    guarded()
    run = runs.establish(spec(path=str(tmp_path / "data")))
    run.code.mkdir()
    found, troubles = look(runs)
    assert residues.remove(found, troubles) == found
    assert run.verdict["result"] == "failed" and not run.code.exists()
    assert look(runs) == ([], [])


def test_the_program_of_an_ended_run_goes_unless_another_attempt_is_just_being_started(runs, guarded):
    guarded()
    run = runs.establish(spec())
    run.write("verdict", {"result": "failed"})
    run.code.mkdir()
    found, troubles = look(runs)
    with flock.hold(run.preparing):
        assert residues.remove(found, troubles) == []
    assert residues.remove(found, troubles) == found and not run.code.exists()
