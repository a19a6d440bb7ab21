"""A real worker as a unit of a real systemd, on a machine without Salt: what it may write, and what ends it."""

import json
import sys
from pathlib import Path

import pytest
from lab import Lab

from tests.conftest import CHECKOUT
from tests.support.waiting import eventually
from tests.unit.transferworker.samples import TRANSFER, spec

pytestmark = pytest.mark.root

STATE = "/var/lib/salt-transfer"
RUN = f"{STATE}/runs/{TRANSFER}-destination"
UNIT = f"salt-transfer-{TRANSFER}-1-destination.service"
LEASE = 15
GRACE = 40
"""Seconds beyond it for a busy machine."""
PATTERN = Path("/proc/sys/kernel/core_pattern").read_text()
"""Where a kernel keeps pictures of memory: the host's, so that machines cannot change it."""
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
    return spec(**{"path": "/srv/data/copy", "settings__lease": LEASE, **changes})


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
    assert eventually(lambda: not is_loaded(machine), LEASE + GRACE)
    assert read(machine, "verdict")["error"]["name"] == "worker-died"
    assert machine.output("ls", "-A", "/srv/data") == ""


@pytest.fixture
def pictures(machine):
    """What crashes on this host leaves a picture of its memory in its directory: pictures() -> those in /."""
    if PATTERN.startswith(("/", "|")):
        pytest.skip(f"the kernel of this host keeps pictures of memory elsewhere: {PATTERN}")
    config = "/etc/systemd/system.conf.d/pictures.conf"
    machine.run(["sh", "-c", "mkdir ${0%/*} && printf '[Manager]\\nDefaultLimitCORE=infinity\\n' >$0", config])
    machine.run(["systemctl", "daemon-reexec"])
    yield lambda: machine.output("find", "/", "-maxdepth", "1", "-name", "core*")
    machine.run(["find", "/", "-maxdepth", "1", "-name", "core*", "-delete"])
    machine.run(["rm", "-r", config.rpartition("/")[0]])
    machine.run(["systemctl", "daemon-reexec"])


def test_one_that_crashes_leaves_no_picture_of_its_memory(machine, start, pictures):
    assert start(wanted(path="/copy")).returncode == 0  # so it may write into /, its directory
    machine.run(["systemctl", "kill", "--signal=ABRT", UNIT])
    assert eventually(lambda: not is_loaded(machine))
    assert read(machine, "verdict")["error"]["name"] == "worker-died"
    assert pictures() == ""


def test_another_one_that_crashes_here_does_leave_one(machine, pictures):
    machine.run(["systemd-run", "--wait", "--quiet", "sh", "-c", "kill -ABRT $$$$"], check=False)
    assert pictures() != ""


def is_loaded(machine):
    return machine.output("systemctl", "show", UNIT, "--property=LoadState", "--value") == "loaded"
