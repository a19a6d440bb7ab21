"""README and docs, done word by word in a lab of database hosts: each command works, and prints what the page shows.

`./dev test` does so with the pages that are met first; `./dev test --all tests/integration/test_docs.py` with all of
them. DOCS_WRITE=1 means all, and the pages are given what was printed, for somebody to read before it is committed.
"""

import os
import shutil
from pathlib import Path

import pytest
from lab import Lab
from lab.salt import NOT_IN_A_CLONE

from tests.support import pages
from tests.support.pages import Step
from tests.support.reader import Reader
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
    reader.end()
    if WRITE and reader.surprises:
        page.write_text(reader.rewritten(text), encoding="utf-8")
    assert reader.surprises == []
