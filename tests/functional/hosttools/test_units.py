"""The worker's unit under a real systemd: it starts when ready, writes only where it may, is undone after any end."""

import json

import pytest
from lab import Lab

from hosttools import units

pytestmark = pytest.mark.root

NAME = units.unit_name("0123456789abcdef0123456789abcdef", 1, "destination")
STATE = "/srv/state $HOME 'q'"
DATA = "/srv/data %i"
WATCHDOG = 4

WORKER = """
import json, os, socket, subprocess, sys, time

def tell(word):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(word, os.environ["NOTIFY_SOCKET"])

def try_to_write(path):
    try:
        open(path, "w").close()
        return "written"
    except OSError as error:
        return error.strerror

def call(words, stdin=""):
    done = subprocess.run(words.split(), input=stdin, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    return done.stderr or done.returncode

def change_firewalls():
    recent = "-I INPUT 1 -p tcp -m recent --rcheck --seconds 9 --name a --rsource -j ACCEPT"
    yield call("iptables-legacy " + recent)
    yield call("tee /proc/net/xt_recent/a", "+192.0.2.1")
    yield call("iptables-legacy " + recent.replace("-I INPUT 1", "-D INPUT"))
    yield call("nft add table inet ours")
    yield call("nft delete table inet ours")

def report(name):
    found = {"argv": sys.argv[2:], "cgroup": open("/proc/self/cgroup").read()}
    found["firewalls"] = list(change_firewalls())
    for place in ("/srv/other/f", "/etc/f", "/at-the-top", sys.argv[2] + "/f", "/run/xtables.lock"):
        found[place] = try_to_write(place)
    with open(sys.argv[2] + "/" + name, "w") as file:
        json.dump(found, file)

verb = sys.argv[1]
report(verb)
if verb == "refuse":
    sys.exit("this cannot work")
if verb in ("run", "hang"):
    tell(b"READY=1")
    while True:
        time.sleep(0.1)
        if verb == "run":
            tell(b"WATCHDOG=1")
"""


@pytest.fixture(scope="module")
def machine():
    with Lab(minions=("alpha",), salt=None, firewall="none") as lab:
        machine = lab.machine("alpha")
        machine.run(["mkdir", "/srv/other"])
        machine.run(["tee", "/srv/worker.py"], input=WORKER)
        machine.run(["touch", "/run/xtables.lock"])
        yield machine


@pytest.fixture
def places(machine):
    """Fresh directories of the worker; whatever a test started is gone after it."""
    machine.run(["mkdir", STATE, DATA])
    yield
    machine.run(["systemctl", "stop", NAME], check=False)
    machine.run(["rm", "-r", STATE, DATA])


def start(machine, verb, also=()):
    """Start the worker; `undo` is the same program with another verb."""
    python = "/usr/bin/python3"
    unit = units.Unit(
        name=NAME,
        description="a test",
        argv=(python, "/srv/worker.py", verb, DATA, "$HOME", "%n"),
        undo=(python, "/srv/worker.py", "undo", DATA, "$HOME", '%n "q" \\'),
        writable=(STATE.encode(), DATA.encode(), *also),
        log="/srv/log",
        watchdog=WATCHDOG,
    )
    return machine.run(units.start(unit).argv, check=False)


def shown(machine, *names):
    found = machine.output("systemctl", "show", NAME, *(f"--property={name}" for name in names))
    return dict(line.split("=", 1) for line in found.splitlines())


def reported(machine, verb):
    return json.loads(machine.output("cat", f"{DATA}/{verb}"))


def end(machine, *how):
    """End the unit and return when its undoing is over too."""
    machine.run(["systemctl", *how, NAME])
    machine.run(["systemctl", "stop", NAME], check=False)


def test_it_has_started_when_it_is_ready(machine, places):
    assert start(machine, "run").returncode == 0
    found = shown(machine, "ActiveState", "KillMode", "Type", "NoNewPrivileges", "CPUWeight", "WatchdogUSec")
    assert found == {
        "ActiveState": "active",
        "KillMode": "control-group",
        "Type": "notify",
        "NoNewPrivileges": "yes",
        "CPUWeight": "100",
        "WatchdogUSec": "4s",
    }
    assert NAME in reported(machine, "run")["cgroup"]


def test_it_writes_only_where_it_was_declared(machine, places):
    start(machine, "run")
    found = reported(machine, "run")
    assert found[f"{DATA}/f"] == "written"
    assert found["/run/xtables.lock"] == "written"
    assert (found["/srv/other/f"], found["/etc/f"]) == ("Read-only file system", "Read-only file system")


def test_the_root_directory_is_written_when_it_is_declared(machine, places):
    assert start(machine, "run", also=[b"/"]).returncode == 0
    found = reported(machine, "run")
    assert (found["/at-the-top"], found["/etc/f"]) == ("written", "Read-only file system")


def test_it_can_change_every_firewall_while_it_runs_and_when_it_undoes(machine, places):
    start(machine, "run")
    end(machine, "kill", "--signal=KILL")
    assert reported(machine, "run")["firewalls"] == [0, 0, 0, 0, 0]
    assert reported(machine, "undo")["firewalls"] == [0, 0, 0, 0, 0]


def test_every_word_arrives_as_it_was_given(machine, places):
    start(machine, "run")
    end(machine, "stop")
    assert reported(machine, "run")["argv"] == [DATA, "$HOME", "%n"]
    assert reported(machine, "undo")["argv"] == [DATA, "$HOME", '%n "q" \\']


@pytest.mark.parametrize("how", [("stop",), ("kill", "--signal=KILL")], ids=lambda how: how[0])
def test_it_is_undone_after_any_end_within_its_bounds(machine, places, how):
    start(machine, "run")
    end(machine, *how)
    found = reported(machine, "undo")
    assert (found[f"{DATA}/f"], found["/srv/other/f"]) == ("written", "Read-only file system")


def test_it_is_undone_after_systemd_read_its_units_anew(machine, places):
    start(machine, "run")
    machine.run(["systemctl", "daemon-reload"])
    end(machine, "kill", "--signal=KILL")
    assert reported(machine, "undo")[f"{DATA}/f"] == "written"


def test_one_that_hangs_is_killed_and_undone(machine, places):
    start(machine, "hang")
    machine.run(["timeout", "60", "sh", "-c", f"until [ -s '{DATA}/undo' ]; do sleep 0.1; done"])
    assert reported(machine, "undo")


def test_one_that_never_gets_ready_is_told_undone_and_forgotten(machine, places):
    failed = start(machine, "refuse")
    assert failed.returncode != 0
    assert "failed" in failed.stderr
    assert reported(machine, "undo")
    assert "this cannot work" in machine.output("cat", "/srv/log")
    assert shown(machine, "LoadState") == {"LoadState": "not-found"}
