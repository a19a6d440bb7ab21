"""The demonstration of replicas: one backup of a primary under load becomes two, one of them dies and comes back."""
import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .database import REPLICATION_PASSWORD, Database
from .demo import say, to_its_end
from .errors import LabError
from .lab import Lab
from .salt import CHECKOUT

PRIMARY, REPLICAS = "db1", ("db2", "db3")
MEGABYTES = 300
SOURCES = ("/usr/share", "/usr/lib/python3", "/usr/lib/python3.11", "/usr/include")
LARGEST = 1 << 20
BATCH = 4 << 20

SCHEMA = """
CREATE DATABASE library; USE library;
CREATE TABLE document (id INT AUTO_INCREMENT PRIMARY KEY, path VARCHAR(500), size INT, body LONGBLOB, KEY (size));
CREATE TABLE zone (name VARCHAR(100) PRIMARY KEY); CREATE TABLE `odd ``name` (`x|y` FLOAT);
CREATE TABLE journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP(6) DEFAULT NOW(6), words TEXT);
CREATE VIEW large AS SELECT path FROM document WHERE size > 100000;
CREATE TRIGGER sized BEFORE INSERT ON document FOR EACH ROW SET NEW.size = LENGTH(NEW.body);
CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN 2 * x;
CREATE USER reader@'10.%' IDENTIFIED BY 'reader'; GRANT SELECT ON library.* TO reader@'10.%';
INSERT INTO `odd ``name` VALUES (0.1), (0.2);
"""
LOAD = """
DELIMITER //
CREATE PROCEDURE library.work() BEGIN
  LOOP
    INSERT INTO library.journal (words) VALUES (REPEAT(UUID(), 5));
    UPDATE library.document SET path = CONCAT(path, '') , body = CONCAT(body, 'x') WHERE id = 1 + FLOOR(RAND() * 500);
    DO SLEEP(0.005);
  END LOOP;
END //
"""


class Demo:
    """One primary under load, two empty servers that become its replicas."""

    def __init__(self, lab, megabytes=MEGABYTES):
        self.lab = lab
        self.megabytes = megabytes
        self.databases = {name: Database(lab.machine(name)) for name in (PRIMARY, *REPLICAS)}
        self.primary = self.databases[PRIMARY]

    def tell(self):
        self.build()
        with self.under_load():
            self.clone()
            self.wound()
            self.wait_for_repair()
            self.prove_all()

    def build(self):
        say(f"Making a primary of about {self.megabytes} MB from what this machine has, and two empty servers")
        for database in self.databases.values():
            database.create()
        self.primary.allow_replication()
        self.primary.sql(SCHEMA)
        began = time.monotonic()
        size = self.fill()
        print(f"{size / 1e6:.0f} MB in {time.monotonic() - began:.1f} s", flush=True)

    def fill(self):
        """Documents of this machine, until there are enough."""
        total = 0
        client = self.primary.machine.popen(
            ["mariadb", "--max-allowed-packet=64M", "library"], stdin=subprocess.PIPE, text=True,
        )
        for batch in batches(documents()):
            values = ", ".join(f"(0x{path.hex()}, 0x{body.hex() or '00'})" for path, body in batch)
            client.stdin.write(f"INSERT INTO document (path, body) VALUES {values};\n")
            total += sum(len(body) for _, body in batch)
            if total > self.megabytes * 1_000_000:
                break
        client.stdin.close()
        if client.wait():
            raise LabError("The primary could not be filled")
        return total

    @contextlib.contextmanager
    def under_load(self):
        self.primary.machine.run(["mariadb"], input=LOAD)
        worker = self.primary.machine.popen(["mariadb", "-e", "CALL library.work()"], stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            worker.terminate()
            worker.wait()
            print(f"The load has written {self.primary.value('SELECT COUNT(*) FROM library.journal')} rows meanwhile")

    def clone(self):
        say("One backup of db1 becomes db2 and db3, while it is written to")
        pillar = {"source": PRIMARY, "replicas": list(REPLICAS), "confirm": list(REPLICAS)}
        told = self.orchestrate("orch.clone_replica", pillar)
        print(json.dumps({"seconds": told["seconds"], "replicas": told["replicas"]}, indent=4), flush=True)

    def orchestrate(self, name, pillar):
        """Run an orchestration; returns what its one step returned."""
        command = ["salt-run", "--config-dir=/etc/salt", "--log-level=error", "--out=json", "state.orch", name]
        print(f"$ salt-run state.orch {name} pillar='{json.dumps(pillar)}'", flush=True)
        done = self.lab.master.run([*command, f"pillar={json.dumps(pillar)}"], check=False, timeout=900)
        try:
            (steps,) = json.loads(done.stdout)["data"].values()
            (step,) = steps.values()
        except (ValueError, KeyError):
            raise LabError(f"{name} did not answer (status {done.returncode}):\n{done.stdout}\n{done.stderr}") from None
        print(done.stderr, file=sys.stderr)
        if done.returncode or not step["result"]:
            raise LabError(f"{name} failed:\n{json.dumps(step, indent=4)}")
        return step["changes"]["return"]

    def wound(self):
        victim = REPLICAS[-1]
        say(f"{victim}: kill -9, and its data directory is deleted. It is not touched any more")
        script = "pkill -9 -x mariadbd; rm -rf /srv/mysql; ls -d /srv/mysql*"
        print(self.databases[victim].machine.run(["sh", "-c", script], check=False).stdout, flush=True)

    def wait_for_repair(self):
        say("What cron would call looks at all replicas, and repairs the one that is broken")
        began = time.monotonic()
        told = self.lab.run_runner("replica.patrol", timeout=900).data
        for host, found in told["hosts"].items():
            print(f"{host}: {found['result']} {' '.join(found['reasons'])}", flush=True)
        if told["hosts"][REPLICAS[-1]]["result"] != "repaired":
            raise LabError("It was not repaired")
        print(f"after {time.monotonic() - began:.1f} s", flush=True)

    def prove_all(self):
        say("Both replicas are proved once more, under load")
        for name in REPLICAS:
            told = self.lab.run_runner("replica.prove", name, PRIMARY).data
            if not told.get("proved"):
                raise LabError(f"{name} is not proved: {told['reasons']}")
            print(f"{name}: " + "; ".join(check["text"] for check in told["checks"]), flush=True)


def documents():
    """(path, content) of files of this machine."""
    for top in SOURCES:
        for path in sorted(Path(top).rglob("*")):
            with contextlib.suppress(OSError):
                if path.is_file() and not path.is_symlink() and path.stat().st_size < LARGEST:
                    yield str(path).encode()[:500], path.read_bytes()


def batches(items):
    batch, size = [], 0
    for path, body in items:
        batch.append((path, body))
        size += len(body)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def main():
    """Tell the story in a lab of its own."""
    return to_its_end(tell)


def tell():
    minion = {"replica": {"replication": {"user": "repl", "password": REPLICATION_PASSWORD}}}
    master = {
        "replica_repair": {"clusters": {"library": {"primary": PRIMARY, "replicas": list(REPLICAS)}}},
    }
    names = (PRIMARY, *REPLICAS)
    say("Starting a private Salt: a master, and db1, db2 and db3, each a machine with a MariaDB of its own")
    with Lab(minions=names, databases=names, minion_config=minion, master_config=master) as lab:
        shutil.copytree(CHECKOUT / "orch", lab.master.path("/srv/salt/orch"))
        Demo(lab).tell()


if __name__ == "__main__":
    sys.exit(main())
