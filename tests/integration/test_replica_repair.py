"""Replicas that broke, with real servers: repaired while nobody does anything, and only then."""

import contextlib
import re
import subprocess

import pytest
from lab.database import DATADIR, INSTALL

from tests.support.replicas import (
    REACTOR,
    attempts,
    clone,
    lose_the_log,
    stop_by_an_error,
    until_repaired,
    written_to,
)
from tests.support.waiting import eventually

NAMES = ("db1", "db2")
DAILY = 5
MASTER = {
    "reactor": REACTOR,
    "replica_repair": {"clusters": {"shop": {"primary": "db1", "replicas": ["db2"]}}, "daily": DAILY, "cooldown": 0},
}
ALERTS = "for i in 1 2 3 4 5; do salt-call --config-dir=/etc/salt event.send salt/beacon/db2/service/mariadb; done"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fleet():
    """A primary that is written to all the while, and its replica."""
    with written_to(NAMES, MASTER) as lab:
        done = clone(lab)
        assert done.data["result"] == "ok", done.data
        yield lab


def alert(fleet, host):
    """What any minion can say."""
    fleet.call_local("db2", "event.send", f"salt/beacon/{host}/service/mariadb", mariadb={"running": False})


def is_answer_of_the_reactor(tag, data):
    return re.fullmatch("salt/run/[0-9]+/ret", tag) and data["fun"] == "runner.replica.recover"


def test_a_forged_alert_for_a_healthy_server_or_the_primary_changes_nothing(fleet):
    """Whoever is asked then tells how it is."""
    before = attempts(fleet)
    for host, found in (("db1", "healthy"), ("db2", "healthy"), ("nobody", "forbidden")):
        assert fleet.run_runner("replica.recover", host).data["result"] == found
    for host in ("db1", "db2", "nobody"):
        with fleet.bus() as bus:
            alert(fleet, host)
            assert any(is_answer_of_the_reactor(tag, data) for tag, data in bus.events(timeout=120))
    assert attempts(fleet) == before


def destroy(fleet):
    """The server of db2 is killed and its data is gone."""
    fleet.machine("db2").run(["sh", "-c", "pkill -9 -x mariadbd; rm -rf /srv/mysql"])


def test_a_replica_that_is_killed_and_loses_its_data_comes_back_proved_while_nobody_does_anything(fleet):
    before = attempts(fleet)
    with fleet.bus() as bus:
        destroy(fleet)
        more = fleet.machine("db2").popen(["sh", "-c", ALERTS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        told = list(until_repaired(bus))
        assert more.wait() == 0
    assert told[-1][0] == "salt/replica/repaired", told
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]
    assert attempts(fleet) == [*before, "repaired"]


@contextlib.contextmanager
def unit_of(server, lines):
    """The unit of its database has these settings too."""
    place = "/etc/systemd/system/mariadb.service.d/test.conf"
    server.run(["install", "-D", "/dev/stdin", place], input=lines)
    server.run(["systemctl", "daemon-reload"])
    try:
        yield
    finally:
        server.run(["rm", place])
        server.run(["systemctl", "daemon-reload"])


@contextlib.contextmanager
def crashed(fleet):
    """Killed as often as systemd starts it again, until that gives up. Its data is all there."""
    server = fleet.machine("db2")

    def given_up():
        server.run(["pkill", "-9", "-x", "mariadbd"], check=False)
        return server.run(["systemctl", "is-failed", "--quiet", "mariadb"], check=False).returncode == 0

    with unit_of(server, "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=2\n"):
        assert eventually(given_up)
        assert server.path(f"{DATADIR}/ibdata1").exists()
        yield


@contextlib.contextmanager
def emptied(fleet):
    """Its data is lost, and its unit makes a new, empty data directory: the server runs, and shows no error."""
    server = fleet.machine("db2")
    makes_one = f"[Service]\nExecStartPre=!/bin/sh -c 'test -d {DATADIR} || {' '.join(INSTALL)}'\n"
    with unit_of(server, makes_one):
        server.run(["mv", DATADIR, "/srv/lost"])
        server.run(["systemctl", "kill", "--signal=KILL", "mariadb"])
        assert eventually(lambda: server.run(["mariadb", "-e", "DO 1"], check=False).returncode == 0)
        server.run(["rm", "-rf", "/srv/lost"])
        alert(fleet, "db2")
        yield


@contextlib.contextmanager
def stopped_by_an_error(fleet):
    stop_by_an_error(fleet)
    yield


@contextlib.contextmanager
def without_its_log(fleet):
    lose_the_log(fleet)
    yield


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (crashed, "mariadb.service of db2 has failed"),
        (emptied, "db2 runs on empty data and follows nobody"),
        (stopped_by_an_error, "error 1032"),
        (without_its_log, "error 1236"),
    ],
    ids=["crashed", "emptied", "1032", "1236"],
)
def test_a_broken_replica_comes_back_proved_while_nobody_does_anything(fleet, broken, words):
    before = attempts(fleet)
    with fleet.bus() as bus, broken(fleet):
        told = list(until_repaired(bus))
    assert told[-1][0] == "salt/replica/repaired", told
    assert any(words in reason for _, data in told for reason in data.get("reasons", ())), told
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]
    assert attempts(fleet) == [*before, "repaired"]


def test_beyond_the_daily_number_a_person_is_needed(fleet):
    while len(attempts(fleet)) < DAILY:
        with fleet.bus() as bus:
            destroy(fleet)
            assert list(until_repaired(bus))[-1][0] == "salt/replica/repaired"
    destroy(fleet)
    words = f"shop had {DAILY} automatic repairs within a day"

    def held_back():
        """Once systemd has given up to start it again."""
        told = fleet.run_runner("replica.patrol").data["hosts"]["db2"]
        return told["result"] == "forbidden" and words in told["reasons"][-1]

    assert eventually(held_back)
    assert attempts(fleet) == DAILY * ["repaired"]
