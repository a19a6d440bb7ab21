"""A master that repairs replicas, and a primary that is written to all the while."""

import contextlib
import json
import shutil

from lab import Lab
from lab.database import REPLICATION_PASSWORD, Database

from tests.conftest import CHECKOUT
from tests.support.waiting import eventually

CONTENT = """
CREATE DATABASE shop; USE shop; CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80));
INSERT INTO item (name) SELECT MD5(seq) FROM shop.seq_1_to_20000;
CREATE TRIGGER lower_case BEFORE INSERT ON item FOR EACH ROW SET NEW.name = LOWER(NEW.name);
"""
WORK = """
DELIMITER //
CREATE PROCEDURE shop.work() BEGIN LOOP INSERT INTO shop.item (name) VALUES (UUID()); DO SLEEP(0.02); END LOOP; END //
"""
REACTION = [str(CHECKOUT / "reactor/replica_alert.sls")]
REACTOR = [{"salt/beacon/*/service/mariadb": REACTION}, {"salt/beacon/*/log/replication": REACTION}]
PILLAR = {"replica": {"replication": {"user": "repl", "password": REPLICATION_PASSWORD}}}
MINION = {
    "beacons": {
        "service": [{"services": {"mariadb": {"onchangeonly": True}}}, {"interval": 3}],
        "log": [
            {"file": "/var/log/mysql/error.log"}, {"tags": {"replication": {"regex": r".*\[ERROR\] Slave"}}},
            {"interval": 3},
        ],
    },
}
LOGS = """\
[mariadbd]
log_error = /var/log/mysql/error.log
log_bin = /var/log/mysql/mysql-bin
relay_log = /var/log/mysql/relay-bin
"""


@contextlib.contextmanager
def written_to(names, master_config):
    """A lab of servers: the first is a primary under load, the others are empty."""
    with Lab(minions=names, databases=names, master_config=master_config, minion_config=MINION) as lab:
        shutil.copytree(CHECKOUT / "orch", lab.master.path("/srv/salt/orch"))
        give_pillar(lab)
        lab.databases = {name: Database(lab.machine(name)) for name in names}
        for database in lab.databases.values():
            log_elsewhere(database)
            database.create()
        primary = lab.databases[names[0]]
        primary.allow_replication()
        primary.sql(CONTENT)
        primary.sql(WORK)
        writer = primary.machine.popen(["mariadb", "-e", "CALL shop.work()"])
        yield lab
        writer.terminate()
        writer.wait()


def give_pillar(lab):
    """What replicas log in with: known to the minions, and in no file of theirs."""
    place = lab.master.path("/srv/pillar")
    place.mkdir()
    (place / "top.sls").write_text(json.dumps({"base": {"*": ["replica"]}}))
    (place / "replica.sls").write_text(json.dumps(PILLAR))
    assert all(lab.run_module("*", "saltutil.refresh_pillar", wait=True).data.values())


def log_elsewhere(database):
    """As on many a host: not in the data directory. A beacon reads the log of errors."""
    database.machine.path("/etc/mysql/mariadb.conf.d/91-log.cnf").write_text(LOGS)
    database.machine.run(["install", "--directory", "--owner=mysql", "/var/log/mysql"])


def clone(fleet, **options):
    return fleet.run_runner("replica.clone", "db1", "db2", **{"confirm": "db2", "discard_own_writes": True, **options})


def attempts(fleet):
    return [each["result"] for each in fleet.run_runner("replica.proposals").data["attempts"]]


def stop_by_an_error(fleet):
    """The applying thread of db2 does not find a row that its primary changes."""
    fleet.databases["db2"].sql("SET sql_log_bin=0; DELETE FROM item WHERE id=5", "shop")
    fleet.databases["db1"].sql("UPDATE item SET name=UUID() WHERE id=5", "shop")


def lose_the_log(fleet):
    """What the primary logged while the replica did not listen is gone."""
    primary, replica = fleet.databases["db1"], fleet.databases["db2"]
    replica.sql("STOP SLAVE")
    primary.sql("INSERT INTO item (name) VALUES ('missed')", "shop")
    primary.sql("FLUSH BINARY LOGS")
    last = primary.sql("SHOW MASTER STATUS")[0][0]

    def purged():
        """A server keeps a log for as long as its storage may need it after a crash."""
        primary.sql(f"PURGE BINARY LOGS TO '{last}'")
        return primary.sql("SHOW BINARY LOGS")[0][0] == last

    assert eventually(purged)
    replica.sql("START SLAVE")


def until_repaired(bus):
    """What is told of replicas until one is repaired, or is not."""
    for tag, data in bus.events(timeout=300):
        if tag.startswith("salt/replica/"):
            yield tag, data
        if tag in ("salt/replica/repaired", "salt/replica/failed"):
            return
