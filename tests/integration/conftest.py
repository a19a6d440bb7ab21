"""Integration tests need root: they run in the lab's machines."""

import os

import pytest

from tests.support.copying import SLOW_BYTES, Copying, plant_random, slowed
from tests.support.runs import ENTRY, plant_at


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="the lab's machines need root"))


@pytest.fixture
def alpha(clean_lab):
    return clean_lab.machine("alpha")


@pytest.fixture
def beta(clean_lab):
    return clean_lab.machine("beta")


@pytest.fixture
def run(clean_lab):
    """run(function, **options) -> what `salt-run transfer.FUNCTION` gave."""

    def run(function="copy", **options):
        return clean_lab.run_runner(f"transfer.{function}", **options)

    return run


@pytest.fixture
def copying(clean_lab):
    """A copy of a big file over a link that is slow until it is healed, just when bytes have begun to move."""
    plant_random(clean_lab.machine("alpha"), "/srv/big", SLOW_BYTES)
    copying = Copying(clean_lab, "alpha:/srv/big", "beta:/srv/", lease="30s")
    with slowed(clean_lab.machine("beta")), copying:
        copying.await_moving()
        yield copying


@pytest.fixture
def data(alpha):
    """A small tree on alpha, /srv/data."""
    return plant_at(alpha, "/srv/data", ENTRY)
