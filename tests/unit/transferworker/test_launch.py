"""How a worker is started: what is left in the starter when that fails."""

import os

import pytest

from datamover.host.rundir import RunDirs
from tests.unit.transferworker.samples import spec
from transferworker import launch


def test_a_guardian_that_cannot_be_started_leaves_no_descriptor_open(tmp_path, monkeypatch):
    def scarce(*_arguments, **_options):
        raise OSError(11, "Resource temporarily unavailable")

    run = RunDirs(tmp_path).establish(spec())
    monkeypatch.setattr("transferworker.launch.systemd_runs", lambda: False)
    monkeypatch.setattr("subprocess.run", scarce)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="temporarily unavailable"):
        launch.start(run, spec())
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_the_worker_of_a_probe_may_write_into_its_own_records_alone(tmp_path):
    probe = spec(stream={"type": "probe", "seconds": 2, "bytes": 1})
    run = RunDirs(tmp_path).establish(probe)
    own = {os.fsencode(run.path), os.fsencode(tmp_path / "audit")}
    assert {*launch._writable(run, probe)} == own
    assert {*launch._writable(run, spec())} > own
