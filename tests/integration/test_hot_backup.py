"""Hot backups of a real MariaDB, streamed from machine to machine by one command on the master.

Beta has a server of its own, from which alpha replicates; alpha is the donor. Gamma only takes backups.
"""

import hashlib
import json
from dataclasses import dataclass, field

import pytest
from lab import Lab
from lab.database import SOCKET, Database

from hosttools import sql
from tests.support.copying import Copying, heal, restart_minions, slowed, worker
from tests.support.runs import assert_ok, names, outcome, words
from tests.support.secrecy import Ears
from tests.support.waiting import eventually

ROWS = 60_000
FILL = f"""
CREATE DATABASE shop; USE shop;
CREATE TABLE orders (number INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(400)) ENGINE=InnoDB;
INSERT INTO orders (what) SELECT CONCAT(seq, REPEAT(MD5(seq), 10)) FROM seq_1_to_{ROWS};
CREATE TABLE empty (number INT) ENGINE=Aria;
CREATE TABLE `odd name; '$(x)'` (number INT) ENGINE=InnoDB;
"""
MORE_THAN_MEMORY = """
SET sql_log_bin=0; CREATE TABLE shop.filler (what VARCHAR(8000)) ENGINE=InnoDB;
INSERT INTO shop.filler SELECT REPEAT(MD5(seq), 240) FROM shop.seq_1_to_20000;
"""
"""About 160 MiB: a source keeps 64 MiB of a stream in memory, and a backup that fits into that has ended at once."""
WORD = "s3cretWordOfTheBackups"
PASSWORD = f"{WORD} 'of \"backups\\"
"""With signs that everybody writes in another way, and a word that everybody writes alike."""
NEEDED = "RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, SLAVE MONITOR, REPLICATION SLAVE ADMIN"
SOURCE = f"alpha:{SOCKET}"
LEASE = 10


@pytest.fixture(scope="module")
def lab():
    hosts, all_is_logged = ("alpha", "beta", "gamma"), {"log_level_logfile": "debug"}
    with Lab(minions=hosts, databases=hosts, master_config=all_is_logged, minion_config=all_is_logged) as lab:
        yield lab


def hashed(password):
    """A password as a server keeps it, so that it is in no statement and in no log of one."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


@dataclass(frozen=True)
class Login:
    """How alpha's minion comes to know with what it logs in; `known_at` are the places that hold it."""

    known_at: tuple
    pillar: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)


ACCOUNT = {"user": "backup", "password": PASSWORD}
CONFIG, FILE, PILLAR = "/etc/salt/minion.d/login.conf", "/root/backup.cnf", "/srv/pillar/login.sls"
CACHED = "/var/cache/salt/master/pillar/"
"""Where a master keeps the pillars that it made."""
BY_PILLAR = Login((f"master: {PILLAR}", f"master: {CACHED}"), pillar=ACCOUNT)
BY_CONFIG = Login((f"alpha: {CONFIG}",), config=ACCOUNT)
BY_FILE = Login((f"alpha: {FILE}",), pillar={"defaults_file": FILE})


def log_in_by(lab, login):
    """Return when alpha's minion knows it in this way and in no other."""
    alpha, pillar = lab.machine("alpha"), lab.master.disk(PILLAR)
    pillar.parent.mkdir(exist_ok=True)
    pillar.with_name("top.sls").write_text('{"base": {"alpha": ["login"]}}')
    pillar.write_text("#!json\n" + json.dumps({"replica": login.pillar}))
    known = {CONFIG: json.dumps({"replica": login.config}), FILE: sql.defaults(ACCOUNT) if login == BY_FILE else ""}
    for path, text in known.items():
        alpha.run(["sh", "-c", "umask 077; cat >$0", path], input=text)
    restart_minions(lab, [alpha])


@pytest.fixture(scope="module")
def donor(lab):
    """Alpha's server, with data that came from beta's."""
    primary, donor = (Database(lab.machine(name)) for name in ("beta", "alpha"))
    for each in (primary, donor):
        each.create()
    primary.allow_replication()
    donor.follow(primary)
    primary.sql(FILL)
    primary.sql(f"CREATE USER backup@localhost IDENTIFIED BY PASSWORD '{hashed(PASSWORD)}'")
    primary.sql(f"GRANT {NEEDED} ON *.* TO backup@localhost")
    log_in_by(lab, BY_PILLAR)
    assert eventually(lambda: counted(donor) == ROWS)
    return donor


@pytest.fixture
def beta(lab):
    machine = lab.machine("beta")
    yield machine
    machine.run(["rm", "-rf", "/srv/sqldata", "/srv/kept"])


@pytest.fixture
def gamma(lab):
    machine = lab.machine("gamma")
    yield machine
    machine.run(["rm", "-rf", "/srv/sqldata"])


@pytest.fixture
def large(donor):
    """The donor's backup does not fit into memory."""
    donor.sql(MORE_THAN_MEMORY)
    yield
    donor.sql("SET sql_log_bin=0; DROP TABLE shop.filler")


@pytest.fixture
def unending(large, beta):
    """The donor's backup cannot end for minutes: it does not fit into memory, and the way to beta is slow."""
    with slowed(beta, "4mbit"):
        yield


def counted(server):
    found = server.sql("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'orders'")
    return int(server.value("SELECT COUNT(*) FROM shop.orders")) if found == [["1"]] else 0


def copied(lab, dst="beta:/srv/sqldata", **options):
    return lab.run_runner("transfer.copy", type="xtrabackup", src=SOURCE, dst=dst, **options)


def applies(server):
    """Whether the donor's SQL thread runs."""
    return "Slave_SQL_Running: Yes" in server.machine.run(["mariadb", "-e", "SHOW SLAVE STATUS\\G"]).stdout


def backup_runs(machine):
    return machine.run(["pgrep", "-f", "--", "--stream=xbstream"], check=False).stdout.split()


def test_a_backup_arrives_whole_and_can_be_prepared(lab, donor, beta):
    done = copied(lab)
    assert_ok(done)
    told = done.data["destinations"]["beta"]["report"]
    assert (done.data["receipt"]["level"], told["prepared"], told["kept_as"]) == ("flight", False, "directory")
    assert told["files"] > 100
    place = told["coordinates"]
    assert (place["file"], place["gtid"]) == (
        donor.sql("SHOW MASTER STATUS")[0][0],
        donor.value("SELECT @@gtid_binlog_pos"),
    )
    assert told["upstream"]["gtid"] == donor.value("SELECT @@gtid_slave_pos")
    assert "full-backuped" in beta.output("cat", "/srv/sqldata/xtrabackup_checkpoints")
    assert "completed OK!" in beta.run(["mariabackup", "--prepare", "--target-dir=/srv/sqldata"]).stderr
    assert applies(donor)
    left = donor.machine.run(["find", "/var/lib/salt-transfer", "-name", "login.cnf"]).stdout
    assert left == "" and PASSWORD not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_stream_can_be_kept_and_unpacked_by_hand(lab, donor, beta):
    done = copied(lab, dst="beta:/srv/kept", keep_stream=True, parallel=2)
    assert_ok(done)
    told = done.data["destinations"]["beta"]["report"]
    assert told["bytes"] == int(beta.output("stat", "--format=%s", "/srv/kept"))
    beta.run(["sh", "-c", "mkdir /srv/sqldata && cd /srv/sqldata && mbstream -x </srv/kept"])
    assert len(beta.output("find", "/srv/sqldata", "-type", "f").splitlines()) == told["files"]


def test_everything_that_speaks_against_it_is_told_at_once(lab, donor, beta):
    beta.run(["sh", "-c", "mkdir /srv/sqldata && touch /srv/sqldata/there"])
    donor.sql("REVOKE RELOAD, SLAVE MONITOR ON *.* FROM backup@localhost")
    try:
        done = copied(lab, test=True)
        assert outcome(done) == (3, "refused")
        assert names(done) == {"destination-exists", "source-unreadable"}
        assert "lacks RELOAD, SLAVE MONITOR" in words(done) and "needs an empty or absent directory" in words(done)
    finally:
        donor.sql("GRANT RELOAD, SLAVE MONITOR ON *.* TO backup@localhost")
    nowhere = lab.run_runner("transfer.copy", type="xtrabackup", src="alpha:/run/none.sock", dst="beta:/srv/none")
    assert names(nowhere) == {"source-missing"} and "no database server" in words(nowhere)


@pytest.mark.slow
def test_a_killed_worker_ends_the_backup_and_replication_goes_on(lab, donor, beta, unending):
    options = {"type": "xtrabackup", "stop_replication": True, "lease": f"{LEASE}s", "compress": "none"}
    with Copying(lab, SOURCE, "beta:/srv/sqldata", **options) as copying:
        copying.await_arrived()
        assert (applies(donor), bool(backup_runs(donor.machine))) == (False, True)
        pid, *_ = worker(donor.machine, copying.transfer, "source")
        donor.machine.run(["kill", "-KILL", pid])
        assert eventually(lambda: applies(donor), LEASE + 50)
        assert not backup_runs(donor.machine)
        assert outcome(copying.finish()) == (2, "failed")
    assert beta.run(["ls", "/srv/sqldata"], check=False).returncode
    assert donor.machine.run(["find", "/var/lib/salt-transfer", "-name", "login.cnf"]).stdout == ""


@pytest.mark.slow
def test_a_cancel_ends_the_backup_and_replication_goes_on(lab, donor, beta, unending):
    options = {"type": "xtrabackup", "stop_replication": True, "compress": "none"}
    with Copying(lab, SOURCE, "beta:/srv/sqldata", **options) as copying:
        copying.await_arrived()
        assert (applies(donor), bool(backup_runs(donor.machine))) == (False, True)
        lab.run_runner("transfer.cancel", copying.transfer)
        assert outcome(copying.finish()) == (4, "cancelled")
    assert applies(donor) and not backup_runs(donor.machine)
    assert beta.run(["ls", "/srv/sqldata"], check=False).returncode


def is_prepared(machine):
    """Whether what lies there is a backup from which a server could begin."""
    made = machine.run(["mariabackup", "--prepare", "--target-dir=/srv/sqldata"], check=False)
    return made.returncode == 0 and "completed OK!" in made.stderr


TO_TWO = "beta:/srv/sqldata,gamma:/srv/sqldata"


@pytest.mark.slow
def test_one_backup_goes_to_two_at_once(lab, donor, beta, gamma):
    done = copied(lab, dst=TO_TWO, order="given")
    assert_ok(done)
    assert done.data["receipt"]["proved_on"] == ["beta", "gamma"]
    assert done.data["receipt"]["reread_bytes"] == 0
    ends = done.data["destinations"]
    assert ends["gamma"]["chain"]["predecessors"][0]["host"] == "beta"
    assert ends["beta"]["report"] == ends["gamma"]["report"]
    assert is_prepared(beta) and is_prepared(gamma)


@pytest.mark.slow
def test_who_dies_in_the_middle_of_a_backup_is_completed_from_the_other(lab, donor, large, beta, gamma):
    options = {"type": "xtrabackup", "order": "given", "compress": "none", "lease": f"{LEASE}s"}
    with Copying(lab, SOURCE, TO_TWO, **options) as copying:
        with slowed(gamma, "8mbit"):
            copying.await_arrived()
            assert backup_runs(donor.machine)
            beta.run(["systemctl", "kill", "--signal=KILL", f"salt-transfer-{copying.transfer}*"])
        done = copying.finish()
    assert outcome(done) == (5, "partial"), words(done)
    outcomes = {host: end["outcome"] for host, end in done.data["destinations"].items()}
    assert outcomes == {"beta": "failed", "gamma": "ok"}
    resumed = lab.run_runner("transfer.resume", copying.transfer, source="gamma")
    assert_ok(resumed)
    assert resumed.data["receipt"]["level"] == "readback"
    assert is_prepared(beta) and is_prepared(gamma)


@pytest.mark.slow
def test_an_archive_of_a_backup_is_unpacked_where_it_arrives(lab, donor, beta):
    donor.machine.run(
        ["sh", "-c", "cd /srv && mariabackup --backup --target-dir=/srv/whole && tar -czf whole.tar.gz whole"]
    )
    done = lab.run_runner(
        "transfer.copy", type="decompress", src="alpha:/srv/whole.tar.gz", dst="beta:/srv/sqldata", expect="backup"
    )
    assert_ok(done)
    assert done.data["destinations"]["beta"]["report"]["end_time"]
    assert beta.output("cat", "/srv/sqldata/xtrabackup_info") == donor.machine.output(
        "cat", "/srv/whole/xtrabackup_info"
    )
    donor.machine.run(["sh", "-c", "cd /srv && rm whole/xtrabackup_info && tar -czf torn.tar.gz whole"])
    torn = lab.run_runner(
        "transfer.copy", type="decompress", src="alpha:/srv/torn.tar.gz", dst="beta:/srv/kept", expect="backup"
    )
    assert outcome(torn) == (2, "failed") and "not complete" in words(torn)
    assert beta.run(["ls", "/srv/kept"], check=False).returncode
    donor.machine.run(["sh", "-c", "rm -rf /srv/whole /srv/*.tar.gz"])


# --- its password -----------------------------------------------------------------------------------------------------


@pytest.fixture
def login(lab, donor, request):
    """The way in which alpha's minion is told, for the length of a test."""
    if request.param != BY_PILLAR:
        log_in_by(lab, request.param)
    yield request.param
    if request.param != BY_PILLAR:
        log_in_by(lab, BY_PILLAR)


def arrives(lab, copying):
    heal(lab)
    return copying.finish()


def is_cancelled(lab, copying):
    lab.run_runner("transfer.cancel", copying.transfer)
    return copying.finish()


def its_worker_is_killed(lab, copying):
    pid, *_ = worker(lab.machine("alpha"), copying.transfer, "source")
    lab.machine("alpha").run(["kill", "-KILL", pid])
    return copying.finish()


def its_tool_is_killed(lab, copying):
    lab.machine("alpha").run(["kill", "-KILL", *backup_runs(lab.machine("alpha"))])
    return copying.finish()


def the_donor_loses_its_power(lab, copying):
    lab.reboot("alpha")
    Database(lab.machine("alpha")).start()
    return copying.finish()


def way(name, login, end, expected):
    return pytest.param(login, end, expected, id=name)


OK, FAILED, CANCELLED = (0, "ok"), (2, "failed"), (4, "cancelled")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("login", "end", "expected"),
    [
        way("pillar, its worker is killed", BY_PILLAR, its_worker_is_killed, FAILED),
        way("pillar, it arrives", BY_PILLAR, arrives, OK),
        way("pillar, its tool is killed", BY_PILLAR, its_tool_is_killed, FAILED),
        way("pillar, the donor loses its power", BY_PILLAR, the_donor_loses_its_power, FAILED),
        way("configuration, it is cancelled", BY_CONFIG, is_cancelled, CANCELLED),
        way("configuration, its worker is killed", BY_CONFIG, its_worker_is_killed, FAILED),
        way("file, it arrives", BY_FILE, arrives, OK),
        way("file, its worker is killed", BY_FILE, its_worker_is_killed, FAILED),
    ],
    indirect=["login"],
)
def test_however_a_backup_ends_its_password_is_only_where_it_must_be(lab, donor, beta, unending, login, end, expected):
    """While it lasts that is a file, too, which only root reads."""
    options = {"type": "xtrabackup", "lease": f"{LEASE}s", "compress": "none"}
    with Ears(lab) as ears, Copying(lab, SOURCE, "beta:/srv/sqldata", **options) as copying:
        copying.await_arrived()
        ears.learn(WORD.encode())
        given = f"/var/lib/salt-transfer/runs/{copying.transfer}-source/login.cnf"
        assert donor.machine.output("stat", "--format=%a %u", given) == "600 0"
        done = end(lab, copying)
        assert outcome(done) == expected, words(done)
        log = lab.run_runner("transfer.log", copying.transfer)
        told = done.stdout + done.stderr + log.stdout
        assert ears.heard(told=told, entitled=(*login.known_at, f"alpha: {given}")) == []
    assert donor.machine.run(["find", "/var/lib/salt-transfer", "-name", "login.cnf"]).stdout == ""


@pytest.mark.slow
def test_a_password_that_is_refused_is_told_to_nobody(lab, donor, beta):
    donor.sql("SET sql_log_bin=0; ALTER USER backup@localhost IDENTIFIED BY 'another'")
    try:
        with Ears(lab) as ears:
            done = copied(lab)
            assert outcome(done)[1] == "refused" and "Access denied" in words(done)
            assert ears.heard(WORD.encode(), told=done.stdout + done.stderr, entitled=BY_PILLAR.known_at) == []
    finally:
        donor.sql(f"SET sql_log_bin=0; ALTER USER backup@localhost IDENTIFIED BY PASSWORD '{hashed(PASSWORD)}'")
