"""Two masters of the same minions: what may not happen twice is decided by the minions."""

import contextlib
import json
import subprocess

import pytest
import yaml
from lab import Lab
from lab import salt as lab_salt

from tests.support.copying import digest
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

PKI = "/etc/salt/pki/master"
OPEN = ["nft", "add", "rule", "inet", "filter", "input", "tcp", "dport", "{ 4505, 4506 }", "accept"]
TIMES = 3


@pytest.fixture(scope="module")
def lab():
    """gamma is a minion, and beside it the second master."""
    with Lab(minion_config={"master": ["master", "gamma"]}) as lab:
        become_master(lab.machine("gamma"), like=lab.master)
        yield lab


def become_master(machine, like):
    machine.run(["mkdir", "-p", PKI])
    for key in ("master.pem", "master.pub"):
        machine.path(f"{PKI}/{key}").write_bytes(like.path(f"{PKI}/{key}").read_bytes())
    config = lab_salt.master_config("checkout", {})
    machine.path(lab_salt.config_file(lab_salt.MASTER)).write_text(yaml.safe_dump(config))
    unit = lab_salt.unit(lab_salt.MASTER, lab_salt.salt_directory(lab_salt.NEWEST))
    machine.path(f"/etc/systemd/system/{lab_salt.MASTER}.service").write_text(unit)
    machine.run(OPEN)
    machine.run(["systemctl", "daemon-reload"])
    machine.run(["systemctl", "start", lab_salt.MASTER])
    assert eventually(lambda: answering(machine) >= {"alpha", "beta"}, timeout=120)


def answering(master):
    told = master.run(["salt", "--static", "--out=json", "--timeout=5", "*", "test.ping"], check=False).stdout
    with contextlib.suppress(ValueError):
        return {name for name, answer in json.loads(told).items() if answer is True}
    return set()


def asked_at_once(*asked):
    """What `salt-run transfer.copy` returned that was asked of several masters at the same moment."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as left:
        running = []
        for master, src, dst in asked:
            argv = ["salt-run", "--out=json", "transfer.copy", f"src={src}", f"dst={dst}"]
            running.append(left.enter_context(master.popen(argv, **pipes)))
        return [json.loads(each.communicate(timeout=300)[0]) for each in running]


def assert_in_the_way(told):
    """Why it was not done: another one was at it, or had done it already."""
    assert {reason["name"] for reason in told["reasons"]} <= {"busy", "destination-exists"} and told["reasons"], told


def test_of_two_copies_to_one_place_that_two_masters_ask_for_one_arrives(lab):
    alpha, beta, masters = lab.machine("alpha"), lab.machine("beta"), (lab.master, lab.machine("gamma"))
    for name in ("one", "two"):
        alpha.run(["sh", "-c", f"head -c 20000000 /dev/urandom >/srv/{name}"])
    for number in range(TIMES):
        place = f"beta:/srv/copy{number}"
        told = asked_at_once((masters[0], "alpha:/srv/one", place), (masters[1], "alpha:/srv/two", place))
        (winner,) = [each for each in told if each["result"] == "ok"]
        (loser,) = [each for each in told if each["result"] != "ok"]
        assert_in_the_way(loser)
        assert digest(beta, f"/srv/copy{number}") == digest(alpha, winner["source"]["path"])


def test_the_same_copy_asked_of_two_masters_is_one_transfer(lab):
    alpha, beta = lab.machine("alpha"), lab.machine("beta")
    alpha.run(["sh", "-c", "head -c 20000000 /dev/urandom >/srv/same"])
    for number in range(TIMES):
        place = f"beta:/srv/same{number}"
        told = asked_at_once((lab.master, "alpha:/srv/same", place), (lab.machine("gamma"), "alpha:/srv/same", place))
        assert len({each["transfer"] for each in told if each["result"] == "ok"}) == 1, told
        for each in told:
            if each["result"] != "ok":
                assert_in_the_way(each)
        assert digest(beta, f"/srv/same{number}") == digest(alpha, "/srv/same")
