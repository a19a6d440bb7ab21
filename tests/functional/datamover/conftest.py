"""What most tests of whole transfers begin with: a source with something of every size, and a place to put it."""

import os

import pytest

from tests.functional.datamover.chains import Chains
from tests.functional.datamover.ends import Ends
from tests.functional.datamover.places import plant


@pytest.fixture(autouse=True)
def everything_closed():
    """One process runs all tests, and select() knows only 1024 descriptors."""
    yield
    while Ends.made:
        Ends.made.pop().close()
    while Chains.made:
        Chains.made.pop().close()


@pytest.fixture
def own_disk(monkeypatch):
    """As if no other test wrote to this file system: flushing all of it would wait for what they wrote."""
    monkeypatch.setattr("datamover.disk.kernel.syncfs", lambda _descriptor: None)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return plant(tmp_path / "source", {"large": os.urandom(12 << 20), "small": b"small", "dir": {"last": b"last"}})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place"
