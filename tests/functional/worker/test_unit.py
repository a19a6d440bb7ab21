"""A real worker as a unit of a real systemd, on a machine without Salt: what it may write, and what ends it."""

import json
import sys

import pytest
from lab import Lab

from tests.conftest import CHECKOUT
from tests.support.waiting import eventually
from tests.unit.transferworker.samples import TRANSFER, spec

pytestmark = pytest.mark.root

STATE = "/var/lib/salt-transfer"
RUN = f"{STATE}/runs/{TRANSFER}-destination"
UNIT = f"salt-transfer-{TRANSFER}-1-destination.service"
LEASE = 4
GRACE = 40
"""Seconds beyond it for a busy machine."""
START = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from datamover.host.rundir import RunDirs
from transferworker import launch

given, found = json.load(sys.stdin)
run = RunDirs(sys.argv[3]).establish(given)
run.write("spec", found)
try:
    launch.start(run, given)
except Exception as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def machine():
    with Lab(minions=("alpha",), salt=None, firewall="none") as lab:
        yield lab.machine("alpha")


@pytest.fixture
def start(machine):
    """start(given, found) -> how starting a worker with a spec went that reads `found` by the time it runs."""

    def start(given, found=None):
        program = [sys.executable, "-B", "-c", START, str(CHECKOUT / "_utils"), str(CHECKOUT), STATE]
        return machine.run(program, input=json.dumps([given, found or given]), check=False)

    machine.run(["mkdir", "/srv/data", "/srv/elsewhere"])
    yield start
    machine.run(["systemctl", "stop", UNIT], check=False)
    machine.run(["rm", "-r", "/srv/data", "/srv/elsewhere"])
    machine.run(["find", STATE, "-mindepth", "1", "-delete"])


def wanted(**changes):
    return spec(path="/srv/data/copy", settings__lease=LEASE, **changes)


def read(machine, name):
    return json.loads(machine.output("cat", f"{RUN}/{name}.json"))


def test_a_spec_that_was_tampered_with_after_it_was_accepted_opens_no_other_place(machine, start):
    done = start(wanted(), wanted() | {"path": "/srv/elsewhere/copy"})
    assert done.returncode == 1 and "Read-only file system" in done.stderr
    assert machine.output("ls", "-A", "/srv/elsewhere") == machine.output("ls", "-A", "/srv/data") == ""


def test_its_log_says_that_systemd_confines_it(machine, start):
    assert start(wanted()).returncode == 0
    assert "confined by systemd" in machine.output("cat", f"{RUN}/log")


def test_its_watchdog_is_its_lease_and_one_that_stands_still_is_killed_and_undone(machine, start):
    assert start(wanted()).returncode == 0
    assert machine.output("systemctl", "show", UNIT, "--property=WatchdogUSec", "--value") == f"{LEASE}s"
    assert machine.output("ls", "-A", "/srv/data") == f".salt-transfer-{TRANSFER}"
    machine.run(["systemctl", "kill", "--signal=STOP", UNIT])
    loaded = ["systemctl", "show", UNIT, "--property=LoadState", "--value"]
    assert eventually(lambda: machine.output(*loaded) == "not-found", LEASE + GRACE)
    assert read(machine, "verdict")["error"]["name"] == "worker-died"
    assert machine.output("ls", "-A", "/srv/data") == ""
