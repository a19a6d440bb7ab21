"""A primary and a replica, each a real MariaDB on a machine of its own, the same for all tests of this directory."""

import contextlib
import subprocess

import pytest

from tests.support.databases import databases
from tests.support.waiting import eventually

INCOMING = "/srv/mysql.incoming"
MORE = "/etc/mysql/mariadb.conf.d/95-more.cnf"
KEEPER = {"user": "keeper", "password": "a \"word\""}
"""An account with which a minion may do all that root may at the socket."""

CONTENT = r"""
CREATE DATABASE shop; USE shop;
CREATE TABLE customer (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80), born DATE, score FLOAT, worth DECIMAL(12,2),
    photo BLOB, flags BIT(9), about JSON, place POINT, seen TIMESTAMP(6) NULL, kind ENUM('a','b'),
    latin CHAR(5) CHARACTER SET latin1, twice CHAR(99) AS (CONCAT(name, name)) STORED,
    loud CHAR(99) AS (UPPER(name)) VIRTUAL);
INSERT INTO customer (name, born, score, worth, photo, flags, about, place, seen, kind, latin)
    SELECT MD5(seq), '1970-01-01' + INTERVAL seq DAY, seq / 7, seq / 3, UNHEX(SHA1(seq)), seq % 512, '{"a": 1}',
    POINT(seq, 1), NOW(6), 'a', 'é' FROM shop.seq_1_to_5000;
INSERT INTO customer (name) VALUES (NULL), (''), ('NULL'), ('N');
CREATE TABLE `odd``name
with | dot.BREAKS` (`x``y` INT); INSERT INTO `odd``name
with | dot.BREAKS` VALUES (1), (1);
CREATE TABLE old (id INT, PRIMARY KEY (id)) ENGINE=Aria; INSERT INTO old VALUES (1);
CREATE TABLE versioned (id INT) WITH SYSTEM VERSIONING; INSERT INTO versioned VALUES (1); UPDATE versioned SET id = 2;
CREATE SEQUENCE numbers; SELECT NEXTVAL(numbers);
CREATE VIEW rich AS SELECT id FROM customer WHERE worth > 1000;
CREATE TRIGGER named BEFORE INSERT ON customer FOR EACH ROW SET NEW.kind = COALESCE(NEW.kind, 'b');
CREATE PROCEDURE greet(IN who INT) SELECT who;
CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1;
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY DO DELETE FROM old WHERE id < 0;
CREATE USER reader@'10.%' IDENTIFIED BY 'secret of a reader'; GRANT SELECT ON shop.* TO reader@'10.%';
""".replace("BREAKS", "\u2028\u2029\x85\x1c\x1d\x1e")


@contextlib.contextmanager
def configured(database, line):
    """A server that was started with one more line in its configuration."""
    database.machine.run(["tee", MORE], input=f"[mariadbd]\n{line}\n")
    database.machine.run(["systemctl", "restart", "mariadb"])
    try:
        yield
    finally:
        database.machine.run(["rm", MORE])
        database.machine.run(["systemctl", "restart", "mariadb"])


def changeable(told):
    """What statements can make of a server, and a restart forgets."""
    threads = [(each["name"], each["io"] != "No", each["sql"] != "No") for each in told["channels"]]
    return {name: told["variables"][name] for name in ("read_only", "event_scheduler")}, threads


class Pair:
    """db1, which is the primary, and db2, its replica."""

    def __init__(self, found):
        self.primary, self.replica = found["db1"], found["db2"]

    def build(self):
        self.primary.allow_replication()
        self.primary.sql(CONTENT)
        self.primary.sql(f"GRANT ALL ON *.* TO keeper@localhost IDENTIFIED BY '{KEEPER['password']}'")
        self.replica.follow(self.primary)
        self.call("replica.wait", gtid=self.sample()["gtid"], timeout=30)
        self.back_up()

    def back_up(self):
        """The backup that tests bring to the replica, anew."""
        subprocess.run(["rm", "-rf", self.primary.machine.disk("/srv/backup")], check=True)
        self.primary.minion.call("xtrabackup.stream", "/srv/backup")

    def call(self, function, *args, **kwargs):
        """On the replica's minion."""
        return self.replica.minion.call(function, *args, **kwargs)

    def sample(self):
        return self.primary.minion.call("replica.sample")

    def bring(self, prepare=True):
        """A fresh copy of the primary's backup beside the replica's data."""
        place = self.replica.machine.disk(INCOMING)
        subprocess.run(["rm", "-rf", place], check=True)
        subprocess.run(["cp", "-a", self.primary.machine.disk("/srv/backup"), place], check=True)
        if prepare:
            self.call("xtrabackup.prepare", INCOMING)

    def replicates(self):
        """Whether the replica has, or soon has, all that the primary has."""
        self.primary.sql("INSERT INTO shop.customer (name) VALUES ('beat')")
        return self.call("replica.wait", gtid=self.sample()["gtid"], timeout=30)["position"] == self.sample()["gtid"]

    def as_before(self, before):
        """That after a failure the host is as it was."""
        now = self.call("replica.info")
        assert (now["datadir"], now["installation"], now["unit"]["masked"]) == (before["datadir"], None, False)
        assert now["unit"]["active"] == "active"
        assert changeable(now) == changeable(before)
        assert self.call("replica.info")["channels"][0]["primary"] == self.primary.machine.ip
        assert self.replicates()
        assert eventually(lambda: self.leftovers() == "")

    def leftovers(self):
        """Units and options of ours on the replica."""
        places = ("/etc/systemd/system", "/var/lib/salt-transfer/replica/holds")
        looked = ["find", *places, "-name", "salt-transfer-replica.[st]*", "-o", "-name", "code"]
        return self.replica.machine.run(looked, check=False).stdout

    def count_both(self, **options):
        """(count of the primary, with these options, count of the replica) at one position."""
        self.call("replica.pause")
        try:
            one = self.primary.minion.call("replica.count", "one", **options)
            self.call("replica.advance", one["mark"], timeout=60)
            return one, self.call("replica.count", "one", stands=True, **options)
        finally:
            self.call("replica.go_on")

    def differing(self):
        """The entries of the last two counts that are not equal, of the replica."""
        theirs = self.primary.minion.call("replica.page", "one")
        return [entry for entry in self.call("replica.page", "one") if entry not in theirs]


@pytest.fixture(scope="session")
def built():
    with databases("db1", "db2") as found:
        pair = Pair(found)
        pair.build()
        yield pair


@pytest.fixture
def pair(built):
    """The two, replicating; what a test has left under way is taken back."""
    yield built
    if built.call("replica.info")["installation"]:
        built.call("replica.roll_back")
    assert eventually(built.replicates)
