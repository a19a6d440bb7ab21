"""Replicas from the master, with real servers: cloned, proved, found to differ."""

import contextlib
import json
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab import LabError
from lab.database import REPLICATION_PASSWORD
from lab.salt import CONFIG_DIRECTORY

from tests.support.copying import restart_minions
from tests.support.doorkeeper import Doorkeeper
from tests.support.replicas import clone, written_to
from tests.support.secrecy import Ears
from tests.support.waiting import eventually

NAMES = ("db1", "db2", "db3")


@pytest.fixture(scope="module")
def fleet():
    """A primary that is written to all the while, and two empty servers."""
    with written_to(NAMES, {}) as lab:
        yield lab


@pytest.fixture
def replicated(fleet):
    """db2 follows db1, as it does once any test has cloned it."""
    if not fleet.machine("db2").run(["mariadb", "-e", "SHOW SLAVE STATUS"], check=False).stdout:
        done = clone(fleet)
        assert done.data["result"] == "ok", done.data


REPLICATED = pytest.mark.usefixtures("replicated")


@pytest.mark.slow
def test_every_reason_against_a_clone_is_told_and_nothing_changes(fleet):
    """It comes first: db2 holds nothing yet."""
    before = untouched(fleet, "db1")
    done = fleet.run_runner("replica.clone", "db2", "db1", confirm="x")
    assert (done.returncode, done.data["result"]) == (3, "refused")
    words = " ".join(done.data["reasons"])
    assert "confirm has to name" in words
    assert "db2 holds no schema" in words
    assert "db1 holds 1 schemas, follows nobody and is writable" in words
    assert untouched(fleet, "db1") == before


def untouched(fleet, name):
    """What a clone onto this host would change first: its unit with the process, who it follows, what lies about."""
    told = fleet.run_module(name, "replica.info").data[name]
    held = fleet.machine(name).run(["find", "/srv", "/etc/systemd/system", "-maxdepth", "1"]).stdout
    return [told[each] for each in ("unit", "datadir", "channels", "installation")], sorted(held.splitlines())


SPELLED = [REPLICATION_PASSWORD.rpartition('"')[2].replace("\\", n * "\\").encode() for n in (1, 2, 4)]
"""The end of the password as it is, and as statements and JSON have it."""
ENTITLED = re.compile(
    r"master: /srv/pillar/replica\.sls|master: /var/cache/salt/master/pillar/db\d\.p"  # Salt's own
    r"|db1: /var/log/mysql/mysql-bin\.\d+|db2: /srv/mysql/master\.info"  # what made the user, and MariaDB's own
)


def test_a_clone_under_load_ends_proved(fleet):
    """And shows nobody the password with which replicas log in."""
    with Ears(fleet) as ears:
        planned = clone(fleet, test=True)
        done = clone(fleet)
        heard = ears.heard(*SPELLED, told=planned.stdout + planned.stderr + done.stdout + done.stderr)
    assert [place for place in heard if not ENTITLED.fullmatch(place)] == []
    assert (planned.returncode, planned.data["replicas"]) == (0, ["db2:/srv/mysql.incoming"])
    assert (done.returncode, done.data["result"]) == (0, "ok"), done.data
    proof = done.data["replicas"]["db2"]["proof"]
    assert proof["proved"]
    assert {each["what"] for each in proof["checks"]} >= {"threads", "read_only", "arrival", "position", "content"}
    assert proof["compared"]["rows"] > 20000
    moved = [f"/var/log/mysql/{base}-bin.before-" for base in ("mysql", "relay")]
    assert [place.partition("before-")[0] + "before-" for place in done.data["replicas"]["db2"]["kept_logs"]] == moved
    assert fleet.machine("db1").output("ls", "/srv") == "mysql"


@pytest.mark.slow
@REPLICATED
def test_a_clone_whose_log_is_purged_meanwhile_gives_back_the_old_data(fleet):
    """Its position is lost when it is to replicate; the old data was farther on and is not concerned."""
    primary = fleet.databases["db1"]
    with ThreadPoolExecutor(1) as pool, fleet.bus() as bus:
        cloned = pool.submit(clone, fleet)
        bus.await_event("salt/replica/install", 120)
        primary.sql("FLUSH BINARY LOGS")
        primary.sql(f"PURGE BINARY LOGS TO '{primary.sql('SHOW MASTER STATUS')[0][0]}'")
        done = cloned.result()
    assert (done.returncode, done.data["result"]) == (2, "failed"), done.data
    assert "1236" in done.data["reasons"][0]
    told = fleet.run_module("db2", "replica.info").data["db2"]
    assert (told["datadir"], told["installation"], told["unit"]["masked"]) == ("/srv/mysql", None, False)
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]
    for name in NAMES:
        beside = ["find", "/srv", "-mindepth", "1", "-maxdepth", "1", "!", "-name", "mysql.before-*"]
        assert fleet.machine(name).output(*beside) == "/srv/mysql"


@contextlib.contextmanager
def cloning(fleet):
    """`salt-run replica.clone db1 db2` under way; gives its process."""
    given = ["db1", "db2", "confirm=db2", "discard_own_writes=True", "lease=10"]
    argv = ["salt-run", f"--config-dir={CONFIG_DIRECTORY}", "--out=json", "replica.clone", *given]
    with fleet.master.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as runner:
        try:
            yield runner
        finally:
            if runner.poll() is None:
                runner.terminate()


@pytest.mark.slow
@REPLICATED
@pytest.mark.parametrize("step", ["replicate", "prove"])
def test_when_the_runner_is_killed_on_the_way_the_old_data_is_back_within_the_lease(fleet, step):
    with fleet.bus() as bus, cloning(fleet) as runner:
        bus.await_event(f"salt/replica/{step}", 120)
        fleet.master.signal(runner, signal.SIGKILL)

    def told():
        return fleet.run_module("db2", "replica.info").data["db2"]

    assert eventually(lambda: told()["installation"] is None and told()["running"], 60)
    assert (told()["datadir"], told()["unit"]["masked"]) == ("/srv/mysql", False)
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]
    assert fleet.run_module("db2", "replica.discard").data["db2"] == {"removed": True}


BEGINS = {
    "check": ("db1", "mariadb"),
    "backup": ("db1", "--stream=xbstream"),
    "stream": ("db2", "mbstream", "-x"),
    "prepare": ("db2", "mariadb-backup", "--prepare"),
    "install": ("db2", "systemctl", "mask"),
    "start": ("db2", "mariadbd", "--skip-slave-start"),
}
"""Where, and with what program, each step begins. From `install` on the old server is stopped."""


def runner(fleet, process, _where):
    fleet.master.signal(process, signal.SIGKILL)


def minion(fleet, _process, where):
    """With all that it has begun itself; it starts again."""
    machine = fleet.machine(where)
    (group,) = machine.cgroup.rglob("salt-minion.service")
    (group / "cgroup.kill").write_text("1")


def die(fleet, who, step):
    """Just as this step of a clone begins; what the runner printed, and ended with."""
    where, *words = BEGINS[step]
    machine = fleet.machine(where)
    with contextlib.ExitStack() as running:
        with Doorkeeper(machine) as door:
            process = running.enter_context(cloning(fleet))
            with door.held(*words, patience=300):
                who(fleet, process, where)
        if who is minion:
            restart_minions(fleet, [machine])
        out, _ = process.communicate(timeout=300)
    return process.returncode, out


def found(fleet):
    """What a clone could leave otherwise than it was, on the donor and the replica; None while a server is down."""
    try:
        return [(standing(fleet.databases[name]), left_on(fleet.machine(name))) for name in NAMES[:2]]
    except LabError:
        return None


def left_on(machine):
    """What lies beside its data, and programs that work at a backup."""
    return machine.run(["sh", "-c", "ls -A /srv; pgrep -l 'maria(db-)?backup|mbstream'"], check=False).stdout


def discarded(fleet):
    """Whether a backup that had arrived was removed; none is while it is still being prepared."""
    told = fleet.run_module("db2", "replica.discard").data["db2"]
    return isinstance(told, dict) and told["removed"]


@pytest.mark.slow
@REPLICATED
@pytest.mark.parametrize("step", BEGINS)
def test_a_runner_that_is_killed_at_any_step_leaves_at_most_a_backup_to_be_removed(fleet, step):
    """Which goes on to arrive, or to be prepared, without it."""
    before = found(fleet)
    status, _ = die(fleet, runner, step)
    assert status < 0
    assert step == "check" or eventually(lambda: discarded(fleet))
    assert eventually(lambda: found(fleet) == before)
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]
    assert not discarded(fleet)


def slow(*values):
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


@REPLICATED
@pytest.mark.parametrize("step", [*slow("prepare"), "install", *slow("start")])
def test_when_the_minion_is_killed_at_a_step_all_is_as_it_was(fleet, step):
    """A minion that is back late has not even answered whether the job still runs."""
    before = found(fleet)
    status, told = die(fleet, minion, step)
    assert (status, json.loads(told)["error"]["name"]) == (2, "minion-silent"), told
    assert re.search(r"db2 (no longer runs|does not answer, not even whether it runs) replica\.", told), told
    assert eventually(lambda: found(fleet) == before)
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]
    assert not discarded(fleet)


@pytest.mark.slow
@REPLICATED
@pytest.mark.parametrize("step", ["backup", "stream"])
def test_while_the_backup_is_on_its_way_a_minion_that_is_killed_is_no_event(fleet, step):
    before = found(fleet)
    status, told = die(fleet, minion, step)
    assert (status, json.loads(told)["result"]) == (0, "ok")
    assert found(fleet)[0] == before[0]
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]


@pytest.mark.slow
@REPLICATED
def test_a_proof_that_takes_longer_than_the_lease_is_not_taken_back(fleet):
    """The primary cannot be counted while somebody has locked a table of it."""
    with ThreadPoolExecutor(1) as pool, fleet.bus() as bus:
        cloned = pool.submit(clone, fleet, lease=15)
        bus.await_event("salt/replica/prove", 120)
        fleet.databases["db1"].sql("LOCK TABLES item WRITE; DO SLEEP(45)", "shop")
        done = cloned.result()
    assert (done.returncode, done.data["result"]) == (0, "ok"), done.data
    assert done.data["seconds"]["prove"] > 45


@pytest.mark.slow
def test_who_loses_the_backup_on_its_way_has_it_from_the_other(fleet):
    """Before anything is prepared there, so both are made of the same."""
    lost = fleet.machine("db3")
    options = {"compress": "none", "order": "given", "limit": "1MB/s"}
    both = {"confirm": "db2,db3", "discard_own_writes": True, "options": options}
    with ThreadPoolExecutor(1) as pool:
        cloned = pool.submit(fleet.run_runner, "replica.clone", "db1", "db2,db3", **both)
        assert eventually(lambda: lost.output("find", "/srv", "-path", "*/.salt-transfer-*/ibdata1"), 120)
        lost.run(["systemctl", "kill", "--signal=KILL", "salt-transfer-*.service"])
        done = cloned.result()
    assert (done.returncode, done.data["result"]) == (0, "ok"), done.data
    assert done.data["copy"]["completed"]["source"] == "db2"
    assert all(each["proof"]["proved"] for each in done.data["replicas"].values())
    for name in ("db2", "db3"):
        assert fleet.run_runner("replica.prove", name, "db1").data["proved"]
    beside = ["find", "/srv", "-mindepth", "1", "-maxdepth", "1", "!", "-name", "mysql.before-*"]
    assert lost.output(*beside) == "/srv/mysql"


ARRIVED = "/srv/mysql.incoming"
SPOILS = f"until [ -e {ARRIVED}/xtrabackup_info ]; do sleep 0.02; done; truncate -s 4096 {ARRIVED}/ibdata1"


@pytest.mark.slow
def test_who_cannot_prepare_its_backup_is_left_as_it_was_and_costs_the_other_nothing(fleet):
    spoilt = fleet.machine("db3")
    before = spoilt.output("systemctl", "show", "--property=MainPID", "mariadb")
    spoiler = spoilt.popen(["sh", "-c", SPOILS])
    both = {"confirm": "db2,db3", "discard_own_writes": True}
    done = fleet.run_runner("replica.clone", "db1", "db2,db3", **both)
    assert spoiler.wait() == 0
    assert (done.returncode, done.data["result"]) == (5, "partial"), done.data
    assert done.data["replicas"]["db2"]["proof"]["proved"]
    assert "could not be prepared" in done.data["left"]["db3"]
    assert "salt-run replica.clone db1 db3 confirm=db3" in done.data["reasons"][-1]
    assert spoilt.output("systemctl", "show", "--property=MainPID", "mariadb") == before
    assert spoilt.run(["ls", ARRIVED], check=False).returncode


def standing(database):
    """What a backup could leave otherwise than it was."""
    status = database.machine.run(["mariadb", "-e", "SHOW SLAVE STATUS\\G"]).stdout
    told = dict(re.findall(r"(\w+): *(.*)", status))
    names = [name for name in ("Master_Host", "Slave_IO_Running", "Slave_SQL_Running") if told]
    beside = database.machine.output("sh", "-c", "ls -di /srv/mysql*; systemctl is-active mariadb")
    return {name: told[name] for name in names}, database.value("SELECT @@read_only"), beside


@pytest.mark.slow
@REPLICATED
def test_a_replica_is_the_donor_of_another_and_is_found_as_it_was(fleet):
    """Its applying thread is held for the backup; the new one follows the primary, from where the donor was."""
    donor, other = fleet.databases["db2"], fleet.databases["db3"]
    before = standing(donor)
    options = {"confirm": "db3", "primary": "db1", "options": {"stop_replication": True}}
    done = fleet.run_runner("replica.clone", "db2", "db3", **options)
    assert (done.returncode, done.data["result"]) == (0, "ok"), done.data
    assert done.data["replicas"]["db3"]["proof"]["proved"]
    follows = {"Master_Host": fleet.machine("db1").ip, "Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes"}
    assert standing(other)[:2] == (follows, "1")
    assert standing(donor) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "back", "words"),
    [
        ("UPDATE item SET name='x' WHERE id=77", "UPDATE item SET name=MD5(77) WHERE id=77", "shop.item' differs"),
        ("DROP TRIGGER lower_case", None, "trigger shop.item.lower_case"),
    ],
)
@REPLICATED
def test_one_difference_is_no_proof_and_is_named(fleet, change, back, words):
    replica = fleet.databases["db2"]
    trigger = "CREATE TRIGGER lower_case BEFORE INSERT ON item FOR EACH ROW SET NEW.name = LOWER(NEW.name)"
    replica.sql(f"SET sql_log_bin=0; {change}", "shop")
    done = fleet.run_runner("replica.prove", "db2", "db1")
    replica.sql(f"SET sql_log_bin=0; {back or trigger}", "shop")
    assert (done.returncode, done.data["proved"]) == (2, False)
    assert any(words in reason for reason in done.data["reasons"])
    assert fleet.run_runner("replica.prove", "db2", "db1").data["proved"]


@pytest.mark.slow
@REPLICATED
def test_a_wrong_position_is_no_proof(fleet):
    """As if a clone had been told a GTID that is some transactions too far."""
    replica, primary = fleet.databases["db2"], fleet.databases["db1"]
    replica.sql("STOP SLAVE")
    before = replica.value("SELECT @@gtid_slave_pos")
    domain, server, number = before.split("-")
    assert eventually(lambda: int(primary.value("SELECT @@gtid_binlog_pos").split("-")[2]) > int(number) + 10)
    replica.sql(f"SET GLOBAL gtid_slave_pos='{domain}-{server}-{int(number) + 5}'; START SLAVE")
    done = fleet.run_runner("replica.prove", "db2", "db1")
    assert (done.returncode, done.data["proved"]) == (2, False)
    assert any("'table shop.item' has" in reason for reason in done.data["reasons"]), done.data["reasons"]
    assert clone(fleet).data["result"] == "ok"  # equal again, for whoever comes after
