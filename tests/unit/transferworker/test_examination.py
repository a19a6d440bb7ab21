"""What a doctor finds beyond what a sweep removes. The firewall is empty."""

import os
import shutil
import time

import pytest

from datamover.host import flock
from datamover.host.register import Register
from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import TRANSFER, spec
from transferworker import residues
from transferworker.examination import examine
from transferworker.limits import Limits

OTHER = "e" * 32


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr(residues, "BACKENDS", {})
    return RunDirs(tmp_path / "state")


@pytest.fixture
def srv(tmp_path):
    (tmp_path / "srv").mkdir()
    return tmp_path / "srv"


def visit(runs, *places):
    return examine(runs, Register(runs.state_dir), Limits(10**9), "alpha", places)


def found(runs, *places):
    return [(each["what"], each.get("transfer")) for each in visit(runs, *places)["findings"]]


def test_a_host_without_anything_is_healthy(runs):
    told = visit(runs)
    assert (told["findings"], told["trouble"]) == ([], [])
    assert abs(told["clock"] - time.time()) < 60 and told["boot"]


def test_staging_that_no_record_knows_is_found_beside_known_destinations_and_where_asked(runs, srv, tmp_path):
    with flock.hold(runs.establish(spec(path=str(srv / "data"))).lock):
        (srv / f".salt-transfer-{OTHER}").mkdir()
        (srv / f".salt-transfer-{TRANSFER}").mkdir()
        elsewhere = tmp_path / "elsewhere"
        (elsewhere / f".salt-transfer-{OTHER}").mkdir(parents=True)
        assert found(runs) == [("staging without a record", OTHER)]
        assert len(found(runs, os.fsencode(elsewhere))) == 2
        told = visit(runs)["findings"][0]
    assert told["path"] == f"{srv}/.salt-transfer-{OTHER}" and told["age"] >= 0 and "advice" in told


def test_a_dead_worker_is_found_with_where_how_old_and_what_to_do(runs, srv):
    runs.establish(spec(path=str(srv / "data")))
    (told,) = visit(runs)["findings"]
    assert (told["what"], told["path"]) == ("dead worker", str(srv / "data"))
    assert told["age"] >= 0 and told["bytes"] > 0 and "transfer.sweep" in told["advice"]


def test_a_record_that_goes_while_one_looks_is_no_trouble(runs, monkeypatch):
    run = runs.establish(spec())
    run.write("verdict", {"result": "published"})
    listed = runs.all()
    monkeypatch.setattr(runs, "all", lambda: listed)
    shutil.rmtree(run.path)
    told = visit(runs)
    assert (told["findings"], told["trouble"]) == ([], [])


def test_a_living_worker_of_another_version_is_found(runs):
    run = runs.establish(spec(version="0.0.1"))
    with flock.hold(run.lock):
        assert found(runs) == [("worker of version 0.0.1, here is 0.1.0", TRANSFER)]


def test_a_record_from_the_future_is_found(runs):
    run = runs.establish(spec())
    later = time.time() + 86400
    os.utime(run.path / "spec.json", (later, later))
    with flock.hold(run.lock):
        assert found(runs) == [("record from the future", TRANSFER)]


def ended(runs, ago):
    """A run that ended so many seconds ago, and whose program is still there."""
    run = runs.establish(spec())
    run.write("verdict", {"result": "cancelled"})
    run.code.mkdir()
    then = time.time() - ago
    os.utime(run.path / "verdict.json", (then, then))


def test_the_program_of_an_ended_run_is_found_when_nobody_follows_that_any_more(runs):
    ended(runs, ago=residues.SOON + 1)
    assert found(runs) == [(residues.PROGRAM, TRANSFER)]


def test_what_goes_by_itself_in_a_moment_is_not_told(runs):
    ended(runs, ago=32)
    assert found(runs) == []


def test_what_cannot_be_read_is_told_and_hides_nothing(runs, srv):
    (runs.establish(spec(transfer=OTHER)).path / "verdict.json").write_text("{")
    runs.establish(spec(path=str(srv / "data")))
    told = visit(runs)
    assert [each["what"] for each in told["findings"]] == ["dead worker"]
    assert any(OTHER in sentence for sentence in told["trouble"])
