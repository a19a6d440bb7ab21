"""The worker as a unit of a real systemd, started by a real minion: what happens around it does not reach it."""

import json
import re
import subprocess

import pytest

from tests.conftest import CHECKOUT
from tests.support.copying import restart_minions
from tests.support.waiting import eventually

SLOW = "4mbit"
SIZE = 64 * 1024 * 1024
LEASE = 20
GRACE = 50
"""Seconds beyond it for a busy machine."""
SWEEPING = "/etc/salt/minion.d/sweeping.conf"
RUNS = "/var/lib/salt-transfer/runs"


class Transfer:
    """A file from alpha to beta, copied by a salt-run that is not waited for."""

    def __init__(self, lab):
        self.lab = lab
        self.machines = {"source": lab.machine("alpha"), "destination": lab.machine("beta")}
        known = self._ids()
        argv = [
            "salt-run",
            "--config-dir=/etc/salt",
            "--out=json",
            "transfer.copy",
            "src=alpha:/srv/big",
            "dst=beta:/srv/copy",
            f"lease={LEASE}",
        ]
        self._copy = lab.master.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        (self.id,) = eventually(lambda: self._ids() - known)
        assert eventually(lambda: self.read("destination", "state").get("phase") == "moving")
        assert eventually(lambda: self.read("destination", "state")["progress"]["bytes_done"])

    def _ids(self):
        listed = self.machines["destination"].run(["ls", RUNS], check=False)  # nothing before the first transfer
        return {name[:32] for name in listed.stdout.split()}

    def read(self, role, name):
        """A document of the run directory; empty if there is none."""
        path = f"{RUNS}/{self.id}-{role}/{name}.json"
        return json.loads(self.machines[role].run(["cat", path], check=False).stdout or "{}")

    def call(self, role, function, *arguments, **options):
        """A function of the minion's module, asked by nobody but us."""
        name = self.machines[role].name
        return self.lab.run_module(name, f"transfer.{function}", *arguments, **options).data[name]

    def leftovers(self):
        """What a sweep of the destination would remove of this transfer."""
        found = self.call("destination", "sweep", test=True)["found"]
        return [each for each in found if each.get("transfer") == self.id]

    def result(self):
        """What the salt-run returned in the end."""
        return json.loads(self._copy.communicate(timeout=300)[0])

    def end(self):
        self._copy.terminate()
        self._copy.communicate(timeout=120)

    def process(self, role):
        """What tells one process from another that got its number, and where it is."""
        machine, pid = self.machines[role], self.read(role, "attempts/1/answer")["pid"]
        stat = machine.output("cat", f"/proc/{pid}/stat").rpartition(")")[2].split()
        return {"pid": pid, "start": stat[19], "cgroup": machine.output("cat", f"/proc/{pid}/cgroup")}


@pytest.fixture
def transfer(clean_lab):
    """A transfer that has begun, over a link so slow that it lasts until the link is healed."""
    source = clean_lab.machine("alpha")
    source.run(["sh", "-c", f"head -c {SIZE} /dev/urandom >/srv/big"])
    source.link().rate(SLOW)
    transfer = Transfer(clean_lab)
    yield transfer
    source.link().heal()
    transfer.end()


def minion_cgroup(machine):
    return machine.output("systemctl", "show", "salt-minion", "--property=ControlGroup", "--value")


@pytest.mark.slow
def test_restarts_kills_syncs_and_cleared_caches_of_the_minions_are_no_event(transfer, clean_lab):
    before = {role: transfer.process(role) for role in transfer.machines}
    assert clean_lab.run_module("*", "saltutil.clear_cache").returncode == 0
    restart_minions(clean_lab, transfer.machines.values())
    restart_minions(clean_lab, transfer.machines.values(), killed=True)
    assert clean_lab.run_module("*", "saltutil.sync_all").returncode == 0
    for role, machine in transfer.machines.items():
        assert transfer.process(role) == before[role]
        assert minion_cgroup(machine) not in before[role]["cgroup"]
        assert re.search(f"salt-transfer-{transfer.id}-1-{role}", before[role]["cgroup"])
    transfer.machines["source"].link().heal()
    result = transfer.result()
    assert (result["result"], result["retcode"], result["receipt"]["proved"]) == ("ok", 0, True)
    assert result["destinations"]["beta"]["cleanup"] == []


def test_kill_minus_9_of_a_destination_is_undone_by_its_unit(transfer):
    beta, unit = transfer.machines["destination"], transfer.read("destination", "attempts/1/answer")["unit"]
    beta.run(["systemctl", "kill", "--signal=KILL", unit])
    beta.run(["systemctl", "stop", unit], check=False)
    # That systemd itself has it undone is seen before anybody is asked: the pinhole is gone, what had arrived is kept.
    assert beta.output("ls", "-A", "/srv").split() == [f".salt-transfer-{transfer.id}"]
    assert transfer.id not in beta.output("nft", "list", "ruleset")
    result = transfer.result()
    assert (result["result"], result["retcode"]) == ("failed", 2)
    assert result["destinations"]["beta"]["error"]["name"] == "worker-died"
    assert result["source"]["result"] == "failed"
    assert [each["what"] for each in transfer.leftovers()] == ["partial data"]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["source", "destination"])
def test_one_that_stands_still_is_killed_by_its_unit_after_its_lease_and_undone(transfer, role):
    machine, unit = transfer.machines[role], transfer.read(role, "attempts/1/answer")["unit"]
    assert machine.output("systemctl", "show", unit, "--property=WatchdogUSec", "--value") == f"{LEASE}s"
    machine.run(["systemctl", "kill", "--signal=STOP", unit])
    assert eventually(lambda: not is_loaded(machine, unit), LEASE + GRACE)
    assert transfer.id not in transfer.machines["destination"].output("nft", "list", "ruleset")
    result = transfer.result()
    assert result["result"] == "failed"
    ended = result["source"] if role == "source" else result["destinations"]["beta"]
    assert ended["error"]["name"] == "worker-died"


def is_loaded(machine, unit):
    return machine.output("systemctl", "show", unit, "--property=LoadState", "--value") == "loaded"


@pytest.mark.slow
def test_after_a_power_cut_who_asks_is_told_and_nothing_is_open(transfer, clean_lab):
    clean_lab.reboot("beta")
    beta = transfer.machines["destination"]
    assert transfer.id not in beta.output("nft", "list", "ruleset")
    assert transfer.call("destination", "status", transfer.id)["verdict"]["error"]["name"] == "worker-died"
    assert beta.output("ls", "-A", "/srv").split() == [f".salt-transfer-{transfer.id}"]
    assert transfer.call("source", "cancel", transfer.id)["phase"] == "cancelled"
    assert [each["what"] for each in transfer.leftovers()] == ["partial data"]
    assert transfer.call("destination", "cancel", transfer.id)["phase"] == "cancelled"
    assert transfer.leftovers() == [] and beta.output("ls", "-A", "/srv") == ""


@pytest.mark.slow
def test_after_a_power_cut_a_cancel_as_the_first_thing_is_final(transfer, clean_lab):
    clean_lab.reboot("beta")
    for role, machine in transfer.machines.items():
        assert transfer.call(role, "cancel", transfer.id)["phase"] == "cancelled"
        assert transfer.call(role, "record", transfer.id)["status"]["phase"] == "cancelled"
        assert transfer.id not in machine.output("nft", "list", "ruleset")
    assert transfer.leftovers() == [] and transfer.machines["destination"].output("ls", "-A", "/srv") == ""


@pytest.mark.slow
def test_after_a_power_cut_a_minion_that_sweeps_when_it_starts_undoes_without_being_asked(transfer, clean_lab):
    beta = transfer.machines["destination"]
    beta.run(["mkdir", "-p", "/etc/salt/minion.d"])
    beta.run(["tee", SWEEPING], input=documented_schedule())
    try:
        clean_lab.reboot("beta")
        assert eventually(lambda: transfer.read("destination", "verdict"))["error"]["name"] == "worker-died"
        register = transfer.call("destination", "doctor")["findings"]
        assert [each["what"] for each in register] == ["partial data"]
    finally:
        beta.run(["rm", SWEEPING])
        restart_minions(clean_lab, [beta])


def documented_schedule():
    """The part of a minion's configuration that docs/operations.md shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "docs/operations.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "run_on_start" in block)
