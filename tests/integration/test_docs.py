"""README and docs, done word by word in a lab of database hosts: each command works, and prints what the page shows.

`./dev test` does so with the pages that are met first; `./dev test --all tests/integration/test_docs.py` with all of
them. DOCS_WRITE=1 means all, and the pages are given what was printed, for somebody to read before it is committed.
"""

import difflib
import os
import shlex
import shutil
from pathlib import Path

import pytest
from lab import Lab
from lab.salt import NOT_IN_A_CLONE

from tests.support import pages
from tests.support.pages import Step
from tests.unit.test_pages import PAGES

CHECKOUT = Path(__file__).resolve().parents[2]
MINIONS = ("db1", "db2", "db3")
MASTER_CONFIG = {"peer_run": {"db.*": ["transfer.pull"]}}  # as docs/howto/provision-a-minion.md says
WRITE = os.environ.get("DOCS_WRITE")
FIRST_MET = ("README.md",)
MINION_CONFIG = {"replica": {"replication": {"user": "repl", "password": "a-secret"}}}  # as docs/databases.md says
HELPERS = {
    "/usr/local/bin/await-transfer": Path(__file__).with_name("await_transfer.sh"),
    "/usr/local/bin/begin-database": Path(__file__).with_name("begin_database.sh"),
}
CLONE = "/root/salt-transfer"
FROM_NOTHING = ("README.md", "tutorial.md")  # these say how the code gets there


def with_commands(path):
    return [each for each in pages.read(path.read_text(encoding="utf-8")) if isinstance(each, Step)]


def parameter(path):
    name = str(path.relative_to(CHECKOUT))
    return pytest.param(path, id=name, marks=[] if WRITE or name in FIRST_MET else [pytest.mark.slow])


RUNNABLE = [parameter(path) for path in PAGES if with_commands(path)]


@pytest.fixture(scope="module")
def hosts():
    """A lab as its owner begins with it: a clone lies where root works on the master, and no more."""
    config = {"master_config": MASTER_CONFIG, "minion_config": MINION_CONFIG}
    with Lab(minions=MINIONS, databases=MINIONS, install="none", **config) as lab:
        shutil.copytree(CHECKOUT, lab.master.path(CLONE), ignore=NOT_IN_A_CLONE)
        for machine in lab.machines.values():
            for path, program in HELPERS.items():
                machine.run(["install", "-m", "755", "/dev/stdin", path], input=program.read_text())
        yield lab


@pytest.fixture
def empty(hosts, page):
    """Nothing is there but the code, on master and minions, and not even that where the page begins with it."""
    wanted = page.name not in FROM_NOTHING
    if wanted != hosts.master.path("/srv/salt/_modules").exists():
        serve(hosts, wanted)
    yield hosts
    hosts.run_runner("transfer.sweep", partial=True)
    for name in hosts.minions:
        hosts.machine(name).run(["systemctl", "stop", "mariadb"])
        hosts.machine(name).run(["find", "/srv", "-mindepth", "1", "-delete"])


def serve(lab, wanted):
    """Let the file server have our code, or no longer, and Salt know it."""
    change = f"mkdir -p /srv/salt && cp -r {CLONE}/_* /srv/salt/" if wanted else "rm -rf /srv/salt/_*"
    lab.master.run(["sh", "-c", change])
    lab.run_runner("saltutil.sync_all")
    lab.run_module("*", "saltutil.sync_all")


@pytest.mark.parametrize("page", RUNNABLE)
def test_a_page_does_what_it_says(empty, page):
    text = page.read_text(encoding="utf-8")
    reader = Reader(empty)
    for step in with_commands(page):
        reader.follow(step)
    if WRITE and reader.surprises:
        page.write_text(reader.rewritten(text), encoding="utf-8")
    assert reader.surprises == []


class Reader:
    """Types what a page says, and notes what is not as it says."""

    def __init__(self, lab):
        self._lab = lab
        self._transfer = ""
        self._status = 0
        self._printed = {}
        self.surprises = []

    def follow(self, step):
        command = pages.with_transfer(step.command, self._transfer)
        asks_status = "$?" in command
        if self._status and not asks_status:
            self.surprises.append(f"ended with status {self._status} before line {step.line}: {command}")
        done = self._run(step.host, f"(exit {self._status}); {command}")
        self._status = 0 if asks_status else done.returncode
        self._transfer = pages.last_transfer(done.stdout, self._transfer)
        self._compare(step, command, done)

    def _run(self, host, command):
        places = f"PATH={shlex.quote(str(self._lab._salt_bin))}:$PATH; cd /root; exec 2>&1\n"
        return self._lab.machine(host).run(["bash", "-c", places + command], check=False, timeout=300)

    def _compare(self, step, command, done):
        if step.shown is None and done.returncode:
            self.surprises.append(f"line {step.line}: {command} ended with {done.returncode}:\n{done.stdout}")
        if step.compared and not pages.fits(step.shown, done.stdout):
            self._printed[step] = done.stdout
            wanted, got = pages.plain("\n".join(step.shown)), pages.plain(done.stdout)
            told = "\n".join(difflib.unified_diff(wanted, got, "the page", "what was printed", lineterm=""))
            self.surprises.append(f"line {step.line}: {command}\n{told}")

    def rewritten(self, text):
        """The page with what was printed in the place of what was not."""
        lines = text.splitlines()
        for step in sorted(self._printed, key=lambda each: each.line, reverse=True):
            first = step.line
            while lines[first - 1].endswith("\\"):
                first += 1
            kept = [line.rstrip() for line in self._printed[step].splitlines() if "unclosed" not in line]
            lines[first : first + len(step.shown)] = kept
        return "\n".join(lines) + "\n"
