"""The demonstration of replicas: one backup of a primary under load becomes two, one of them dies and comes back.

What it tells is shown in docs/database-repairs.md; with --write-docs it puts there what it has just told.
"""
import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .database import REPLICATION_PASSWORD, Database
from .demo import to_its_end
from .errors import LabError
from .lab import Lab
from .salt import CHECKOUT

PRIMARY, REPLICAS = "db1", ("db2", "db3")
VICTIM = REPLICAS[-1]
MEGABYTES = 300
PATIENCE = 600
PAGE = CHECKOUT / "docs/database-repairs.md"
BEGIN, END = "<!-- ./dev demo replica --write-docs: begin -->", "<!-- ./dev demo replica --write-docs: end -->"
BEACONS = {"service": [{"services": {"mariadb": {"onchangeonly": True}}}, {"interval": 3}]}
MINION = {
    "replica": {"replication": {"user": "repl", "password": REPLICATION_PASSWORD}},
    "beacons": BEACONS,
}
MASTER = {
    "reactor": [{"salt/beacon/*/service/mariadb": ["salt://reactor/replica_alert.sls"]}],
    "replica_repair": {"clusters": {"library": {"primary": PRIMARY, "replicas": list(REPLICAS)}}},
}
ZONES = Path("/usr/share/zoneinfo")
SOURCES = ("/usr/share", "/usr/lib/python3", "/usr/lib/python3.11", "/usr/include")
LARGEST = 1 << 20
BATCH = 4 << 20

SCHEMA = """
CREATE DATABASE library; USE library;
CREATE TABLE document (id INT AUTO_INCREMENT PRIMARY KEY, path VARCHAR(500), size INT, body LONGBLOB, KEY (size));
CREATE TABLE zone (name VARCHAR(100) PRIMARY KEY, rules BLOB); CREATE TABLE `odd ``name` (`x|y` FLOAT);
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
  DECLARE chosen INT;
  LOOP
    INSERT INTO library.journal (words) VALUES (REPEAT(UUID(), 5));
    SET chosen = 1 + FLOOR(RAND() * 500);
    UPDATE library.document SET body = CONCAT(body, 'x') WHERE id = chosen;
    DO SLEEP(0.01);
  END LOOP;
END //
"""


class Story:
    """What is told, line by line; kept for the page that shows it."""

    def __init__(self):
        self.lines = []

    def chapter(self, title):
        self.say(*([""] if self.lines else []), f"=== {title}")

    def say(self, *lines):
        for line in lines:
            self.lines.append(line)
            print(line, flush=True)

    def write(self, page):
        """Put it between its marks in the page."""
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        block = "\n".join(["", "", "```text", *self.lines, "```", "", ""])
        page.write_text(before + BEGIN + block + END + rest.split(END)[1], encoding="utf-8")


class Demo:
    """One primary under load, two empty servers that become its replicas."""

    def __init__(self, lab, megabytes=MEGABYTES, story=None):
        self.lab = lab
        self.megabytes = megabytes
        self.story = story or Story()
        self.databases = {name: Database(lab.machine(name)) for name in (PRIMARY, *REPLICAS)}
        self.primary = self.databases[PRIMARY]

    def tell(self):
        self.build()
        with self.under_load():
            self.clone()
            with self.lab.bus() as bus:
                self.wound()
                self.wait_for_repair(bus)
            self.prove_all()

    def build(self):
        self.story.chapter(f"A primary with data of this machine, about {self.megabytes} MB, and two empty servers")
        for database in self.databases.values():
            database.create()
        self.primary.allow_replication()
        self.primary.sql(SCHEMA)
        self.story.say(f"{self.fill_zones()} time zones")
        began = time.monotonic()
        size = self.fill()
        self.story.say(f"{size / 1e6:.0f} MB of documents in {time.monotonic() - began:.1f} s")

    def fill_zones(self):
        """All time zones that this machine knows, and logged; how many there are."""
        rows = [quoted(zone) for zone in zones()]
        if rows:
            self.primary.sql(f"INSERT INTO zone VALUES {', '.join(rows)}", "library")
        return len(rows)

    def fill(self):
        """Documents of this machine, until there are enough; not logged, because no replica has to read them there."""
        total = 0
        client = self.primary.machine.popen(
            ["mariadb", "--max-allowed-packet=64M", "library"], stdin=subprocess.PIPE, text=True,
        )
        client.stdin.write("SET sql_log_bin = 0; SET GLOBAL innodb_flush_log_at_trx_commit = 0;\n")
        for batch in batches(again_and_again(documents)):
            values = ", ".join(map(quoted, batch))
            client.stdin.write(f"INSERT INTO document (path, body) VALUES {values};\n")
            total += sum(len(body) for _, body in batch)
            if total > self.megabytes * 1_000_000:
                break
        client.stdin.write("SET GLOBAL innodb_flush_log_at_trx_commit = 1;\n")
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
        rows = self.primary.value("SELECT COUNT(*) FROM library.journal")
        self.story.say(f"All the while {PRIMARY} was written to: {rows} new rows")

    def clone(self):
        self.story.chapter("One backup of db1 becomes db2 and db3, while it is written to")
        pillar = {"source": PRIMARY, "replicas": list(REPLICAS), "confirm": list(REPLICAS)}
        told = self.orchestrate("orch.clone_replica", pillar)
        for name, each in told["replicas"].items():
            self.say_proof(name, each["proof"])
        self.story.say(", ".join(f"{step} {seconds:.1f} s" for step, seconds in told["seconds"].items()))

    def say_proof(self, name, proof):
        compared = proof["compared"]
        counts = f"{compared['tables']} tables, {compared['rows']} rows, {compared['objects']} definitions"
        self.story.say(f"{name} is proved equal to {PRIMARY}: {counts}, at {compared['mark']['gtid']}")

    def orchestrate(self, name, pillar):
        """Run an orchestration; returns what its one step returned."""
        command = ["salt-run", "--config-dir=/etc/salt", "--log-level=error", "--out=json", "state.orch", name]
        self.story.say(f"$ salt-run state.orch {name} pillar='{json.dumps(pillar)}'")
        done = self.lab.master.run([*command, f"pillar={json.dumps(pillar)}"], check=False, timeout=900)
        try:
            (steps,) = json.loads(done.stdout)["data"].values()
            (step,) = steps.values()
        except (ValueError, KeyError):
            raise LabError(f"{name} did not answer (status {done.returncode}):\n{done.stdout}\n{done.stderr}") from None
        if done.returncode or not step["result"]:
            raise LabError(f"{name} failed:\n{json.dumps(step, indent=4)}\n{done.stderr}")
        return step["changes"]["return"]

    def wound(self):
        self.story.chapter(f"{VICTIM} is killed and loses its data. From here on nobody does anything")
        script = "pkill -9 -x mariadbd; rm -rf /srv/mysql"
        self.story.say(f"{VICTIM}$ {script}")
        self.databases[VICTIM].machine.run(["sh", "-c", script])

    def wait_for_repair(self, bus):
        began = time.monotonic()
        for tag, data in heard(bus.events(timeout=PATIENCE)):
            self.story.say(f"{time.monotonic() - began:5.1f} s  {tag}  {in_words(data)}".rstrip())
            if tag == "salt/replica/repaired":
                return
            if tag == "salt/replica/failed":
                raise LabError(f"The repair failed: {data['reasons']}")
        raise LabError(f"Nobody repaired it within {PATIENCE} s")

    def prove_all(self):
        self.story.chapter("Both replicas are compared once more")
        for name in REPLICAS:
            self.story.say(f"$ salt-run replica.prove {name} {PRIMARY}")
            told = self.lab.run_runner("replica.prove", name, PRIMARY).data
            if not told.get("proved"):
                raise LabError(f"{name} is not proved: {told['reasons']}")
            self.say_proof(name, told)


def heard(events):
    """What the story tells of a bus: the first alert of the victim, and then what is done about it."""
    alert = f"salt/beacon/{VICTIM}/service/mariadb"
    alarmed = False
    for tag, data in events:
        if tag.startswith("salt/replica/") or (tag == alert and not alarmed and not data["mariadb"]["running"]):
            yield tag, data
        alarmed = alarmed or tag == alert


def in_words(data):
    """What an event says, without what Salt adds to it."""
    known = {"host": "", "donor": "from ", "source": "from "}
    said = [f"{before}{data[name]}" for name, before in known.items() if name in data]
    said += [f"to {', '.join(data['replicas'])}"] if "replicas" in data and "source" in data else []
    said += ["it does not run"] if "mariadb" in data else []
    return ": ".join([" ".join(said), *data.get("reasons", ())])


def zones():
    """(name, rules) of the time zones that this machine knows."""
    for path in sorted(ZONES.rglob("*")):
        if path.is_file() and (rules := path.read_bytes()).startswith(b"TZif"):
            yield str(path.relative_to(ZONES)).encode(), rules


def quoted(row):
    """The name and the content of a row, as a statement has them."""
    name, content = row
    return f"(0x{name.hex()}, 0x{content.hex() or '00'})"


def documents():
    """(path, content) of files of this machine."""
    for top in SOURCES:
        for path in sorted(Path(top).rglob("*")):
            with contextlib.suppress(OSError):
                if path.is_file() and not path.is_symlink() and path.stat().st_size < LARGEST:
                    yield str(path).encode()[:500], path.read_bytes()


def again_and_again(make):
    """What `make` gives, and from the beginning when there is no more."""
    while True:
        yield from make()


def batches(items):
    batch, size = [], 0
    for path, body in items:
        batch.append((path, body))
        size += len(body)
        if size > BATCH:
            yield batch
            batch, size = [], 0


def main():
    """Tell the story in a lab of its own."""
    options = argparse.ArgumentParser(prog="./dev demo replica", description=main.__doc__)
    options.add_argument("--write-docs", action="store_true", help="put what was told into docs/database-repairs.md")
    options.add_argument("--megabytes", type=int, default=MEGABYTES, help=f"data of the primary ({MEGABYTES})")
    chosen = options.parse_args()
    story = Story()
    status = to_its_end(lambda: tell(story, chosen.megabytes))
    if chosen.write_docs and status == 0:
        story.write(PAGE)
    return status


def tell(story, megabytes=MEGABYTES):
    """The whole of it; LabError where it does not end as it should."""
    names = (PRIMARY, *REPLICAS)
    story.chapter("A private Salt: a master, and db1, db2 and db3, each a machine with a MariaDB of its own")
    with Lab(minions=names, databases=names, minion_config=MINION, master_config=MASTER) as lab:
        for folder in ("orch", "reactor"):
            shutil.copytree(CHECKOUT / folder, lab.master.path(f"/srv/salt/{folder}"))
        Demo(lab, megabytes, story).tell()


if __name__ == "__main__":
    sys.exit(main())
