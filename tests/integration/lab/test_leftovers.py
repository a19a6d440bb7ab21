"""The check for leftovers must find each kind of leftover, and nothing on a machine that was only used."""
import re

import pytest
from lab import Lab
from lab.leftovers import Snapshot, what_rests
from lab.salt import CHECKOUT

# The socket in /tmp comes last: whoever sees it knows that the rest is there.
LISTEN = """\
import os, socket, subprocess, time
inet = socket.create_server(("0.0.0.0", 4472))
joined = socket.create_connection(("127.0.0.1", 4472))
zombie = subprocess.Popen(["true"])
os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
unix = socket.socket(socket.AF_UNIX)
unix.bind("/tmp/planted.socket")
unix.listen()
time.sleep(1004)
"""

STATE = "/var/lib/salt-transfer"
RUN = f"{STATE}/runs/{'5' * 32}-destination"
REGISTER = '{"entries": [{"transfer": "5", "place": {"path": "/srv/planted"}}]}'
TICKET = (
    'import json, time; print(json.dumps({"tickets": [{"transfer": "6", "until": time.clock_gettime(7) + 1000, '
    '"boot": open("/proc/sys/kernel/random/boot_id").read().strip()}]}))'
)
UNDO = """{"seq": 1, "what": "pinhole", "with": {}}
{"seq": 2, "what": "place", "with": {}}
{"seq": 2, "done": true}"""

PLACES = ("", "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock", "/root", "/home", "/etc", "/opt", "/var/lib")

# (what is planted, how it is planted, the sentence that must tell of it, how it is taken away)
PLANTS = [
    ("an accept rule", "nft add rule inet filter input tcp dport 4473 accept comment planted",
     r"a line of the nft ruleset .*: tcp dport 4473 accept comment", None),
    ("a lost rule",
     "nft delete rule inet filter input handle $(nft -a list chain inet filter input | sed -n 's/.*icmp.* handle //p')",
     r"one has lost a line of the nft ruleset: meta l4proto \{ icmp, ipv6-icmp \} accept", None),
    ("an empty nft table", "nft add table inet planted", r"nft ruleset .*: table inet planted", None),
    ("an element of an nft set",
     "nft add set inet filter who '{ type ipv4_addr; flags timeout; }';"
     "nft add element inet filter who '{ 10.1.2.3 timeout 1h }'",
     r"nft ruleset .*: elements = \{ 10.1.2.3 timeout 1h", None),
    ("an iptables rule", "iptables -A OUTPUT -p tcp --dport 4474 -j ACCEPT",
     r"a line of iptables-save .*: -A OUTPUT .*4474", "iptables -F"),
    ("an ip6tables rule", "ip6tables -A OUTPUT -p tcp --dport 4475 -j ACCEPT",
     r"a line of ip6tables-save .*: -A OUTPUT .*4475", "ip6tables -F"),
    ("a legacy rule with a recent list", "iptables-legacy -A OUTPUT -m recent --name planted --set",
     r"a line of iptables-legacy-save .*: -A OUTPUT .*planted", "iptables-legacy -F"),
    ("an address in an ipset", "ipset create planted hash:ip timeout 1000; ipset add planted 10.1.2.4",
     r"a line of ipset save .*: add planted 10.1.2.4", "ipset destroy planted"),
    ("a process", "setsid sleep 1005 >/dev/null 2>&1 & echo $! >/srv/pid", r"a process .*: sleep 1005",
     "kill $(cat /srv/pid)"),
    ("listener, connection, zombie", f"systemd-run --quiet --collect --unit=planted -p Type=exec python3 -c '{LISTEN}'",
     r"a listening socket .*: tcp LISTEN 0.0.0.0:4472", "systemctl stop planted; rm /tmp/planted.socket"),
    ("a connection", "", r"a connection .*: tcp ESTAB 127.0.0.1:\d+ 127.0.0.1:4472", None),
    ("a unix socket", "", r"a listening unix socket .*: /tmp/planted.socket", None),
    ("a zombie", "", r"a process .*: \[true\] <defunct>", None),
    ("a running unit", "", r"a systemd unit .*: planted.service", None),
    ("a failed unit", "systemd-run --quiet --wait --unit=salt-transfer-planted false || true",
     r"a systemd unit .*: salt-transfer-planted.service", "systemctl reset-failed salt-transfer-planted"),
    ("a timer", "systemd-run --quiet --on-active=1h --unit=salt-transfer-later true",
     r"a systemd unit .*: salt-transfer-later.timer", "systemctl stop salt-transfer-later.timer"),
    ("a unit file", "touch /etc/systemd/system/planted.service",
     r"a file .*: /etc/systemd/system/planted.service", "rm /etc/systemd/system/planted.service"),
    ("a transient unit file", "", r"a file .*: /run/systemd/transient/salt-transfer-later.timer", None),
    ("a mount", "mount -t tmpfs tmpfs /mnt", r"a mount .*: /mnt", "umount /mnt"),
    ("a bind mount", "mkdir /srv/bound; mount --bind /srv /srv/bound", r"a mount .*: /srv/bound",
     "umount /srv/bound; rmdir /srv/bound"),
    ("a lock", "systemd-run --quiet --collect --unit=planted-lock flock /srv/planted.lock sleep 1006",
     r"a lock .*: FLOCK WRITE on inode", "systemctl stop planted-lock; rm /srv/planted.lock"),
    ("a staging place", "mkdir -p /srv/deep/er/.salt-transfer-0123",
     r"a staging place .*: /srv/deep/er/.salt-transfer-0123", "rm -r /srv/deep"),
    ("an hidden staging place", "mkdir /root/.salt-transfer-4567", r"a staging place .*: /root/.salt-transfer-4567",
     "rmdir /root/.salt-transfer-4567"),
    ("a register entry", f"mkdir -p {STATE}/register {RUN}; echo '{REGISTER}' >{STATE}/register/register.json",
     r"in our state directory .*: the register says that 5 writes /srv/planted", f"rm {STATE}/register/register.json"),
    ("a ticket", f"python3 -c '{TICKET}' >{STATE}/register/seats.json",
     r"in our state directory .*: 6 waits for a seat", f"rm {STATE}/register/seats.json"),
    ("a change to undo", f"echo '{UNDO}' >{RUN}/undo.log",
     r"in our state directory .*: 5+-destination has not undone: pinhole", f"rm {RUN}/undo.log"),
    ("a login", f"touch {RUN}/login.cnf", r"in our state directory .*: there is .*/login.cnf", f"rm {RUN}/login.cnf"),
    ("a control socket", f"cd {RUN}; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"control\")'",
     r"in our state directory .*: there is a socket .*/control", f"rm {RUN}/control"),
    ("a half made run", f"mkdir {STATE}/runs/.unborn", r"in our state directory .*: there is .*/\.unborn",
     f"rmdir {STATE}/runs/.unborn"),
    ("a lock of a run", f"systemd-run --quiet --collect --unit=planted-run flock {RUN}/lock sleep 1007",
     r"in our state directory .*: somebody holds a lock on .*/lock", f"systemctl stop planted-run; rm -r {RUN}"),
    *((f"a file in {place}/", f"touch '{place}/left over'", f"a file .*: {place}/left over", f"rm '{place}/left over'")
      for place in PLACES),
]


@pytest.fixture(scope="module")
def machine():
    with Lab(minions=("one",), salt=None) as lab:
        yield lab.machine("one")


@pytest.fixture(scope="module")
def before(machine):
    return Snapshot.of(machine)


@pytest.fixture(scope="module")
def found(machine, before):
    """All that the check says when everything was planted; afterwards everything is taken away."""
    for _, plant, _, _ in PLANTS:
        machine.run(["bash", "-c", plant])
    there = "[ -S /tmp/planted.socket ] && [ $(grep -c FLOCK /proc/locks) -ge 2 ]"
    machine.run(["sh", "-c", f"until {there}; do sleep 0.1; done"])
    sentences = before.leftovers(machine, patience=0)
    for _, _, _, removal in PLANTS:
        machine.run(["bash", "-c", removal or "true"])
    machine.run(["nft", "-f", "/etc/nftables.conf"])
    return sentences


@pytest.mark.parametrize("sentence", [pytest.param(plant[2], id=plant[0]) for plant in PLANTS])
def test_each_kind_of_leftover_is_found(found, sentence):
    assert [line for line in found if re.search(sentence, line)]


def test_a_machine_without_leftovers_is_clean_again(machine, before, found):
    assert before.leftovers(machine) == []


@pytest.fixture
def resting(machine):
    """Data in staging that another attempt may go on with, as its run tells too."""
    plant = f"mkdir -p /srv/.salt-transfer-{'5' * 32} {RUN}; sed s/pinhole/staging/ >{RUN}/undo.log"
    machine.run(["sh", "-c", plant], input=UNDO)
    yield
    machine.run(["rm", "-r", f"/srv/.salt-transfer-{'5' * 32}", RUN])


def test_what_rests_is_told_unless_it_may_be_there(machine, before, found, resting):
    assert before.leftovers(machine, patience=0, besides=what_rests(machine)) == []
    assert [line.partition(": ")[2] for line in before.leftovers(machine, patience=0)] == [
        f"/srv/.salt-transfer-{'5' * 32}",
        f"{'5' * 32}-destination has not undone: staging",
    ]


def test_the_check_awaits_what_ends_by_itself_and_does_not_see_itself(machine, before, found):
    """While it waits it asks less than in the beginning."""
    with machine.popen(["sh", "-c", "echo runs; read -r end; exec sleep 2.5"], stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"runs\n"
        process.stdin.write(b"end\n")
        process.stdin.close()
        assert before.leftovers(machine) == []


@pytest.fixture
def cache():
    """What a test outside of the machine writes into the checkout meanwhile."""
    path = CHECKOUT / ".cache of a test"
    path.touch()
    yield path
    path.unlink()


def test_what_other_tests_write_into_the_checkout_is_no_leftover(machine, before, found, cache):
    assert machine.output("ls", str(cache))
    assert before.leftovers(machine) == []


def test_ordinary_use_leaves_nothing(clean_lab):
    assert clean_lab.run_module("*", "cmd.run", "ls /srv").data.keys() == {"alpha", "beta", "gamma"}
    assert clean_lab.call_local("alpha", "test.ping").data == {"local": True}
    assert clean_lab.run_runner("jobs.list_jobs").returncode == 0
    clean_lab.machine("beta").run(["sh", "-c", "echo result >/srv/result"])
    clean_lab.reboot("gamma")
