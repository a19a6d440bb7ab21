"""Fixtures that give tests the lab: one for the whole session, checked for leftovers after each test that asks."""
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat

import pytest
from lab import Lab
from lab.leftovers import PATIENCE, Snapshot, what_rests

JOURNAL = ["journalctl", "--no-pager", "--lines=40", "--output=short-monotonic"]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the last words of every machine beside the failure of a test that used the lab."""
    outcome = yield
    report = outcome.get_result()
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and call.when != "setup" and isinstance(lab, Lab):
        for name, machine in lab.machines.items():
            if machine.running:
                report.sections.append((f"journal of {name}", machine.run(JOURNAL, check=False).stdout))


@pytest.fixture(scope="session")
def lab():
    """The lab with master, alpha, beta and gamma, shared by all tests of the session."""
    if os.geteuid() != 0:
        pytest.skip("the lab's machines need root")
    with Lab() as lab:
        yield lab


@pytest.fixture
def clean_lab(lab):
    """The shared lab, which must be after the test what it was before; /srv of the minions is emptied then.

    What a failed transfer keeps in staging is meant to be there. It is given up only when all else was compared, since
    a sweep would clear away what the comparison is for; then nothing of it may be there either.
    """
    with ThreadPoolExecutor(len(lab.machines)) as at_once:
        before = list(at_once.map(Snapshot.of, lab.machines.values()))
        yield lab
        rests = list(at_once.map(what_rests, lab.machines.values()))
        left = compared(at_once, before, lab, rests)
        if any(rests):
            lab.run_runner("transfer.sweep", partial=True)
            left += compared(at_once, before, lab)
        list(at_once.map(empty, map(lab.machine, lab.minions)))
    assert left == []


def compared(at_once, before, lab, besides=None):
    """Sentences about what the machines have now that they had not before, nor may have."""
    besides = besides or repeat(frozenset())
    look = at_once.map(Snapshot.leftovers, before, lab.machines.values(), repeat(PATIENCE), besides)
    return list(chain.from_iterable(look))


def empty(machine):
    machine.run(["find", "/srv", "-mindepth", "1", "-delete"], check=False)  # not what is mounted there
