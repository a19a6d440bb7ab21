"""Whole transfers in which one stage is slow for real: the accounts of both ends, joined, name it."""

import os
import time

import pytest

from datamover.disk.staging import Staging
from datamover.disk.tree import SourceTree
from tests.functional.datamover.ends import Ends, Wrapped
from tests.functional.datamover.networks import private_network
from tests.functional.datamover.places import plant, run
from tests.functional.datamover.test_transfer_compressed import rows
from transferplan import bottleneck

MIB = 1024 * 1024
SLOW = 0.15
NARROW = ["tbf", "rate", "20mbit", "burst", "128kb", "latency", "1s"]


def slowest(root, folder, data, **changes):
    """(stage, host) that is named after moving a file with this data."""
    plant(root, {"file": data})
    settings = {"digest": "blake3", **changes}
    sent, received = Ends(root, folder, **settings).run()
    assert (sent.error, received.error) == (None, None)
    ends = (bottleneck.End(host, each.stages.as_dict()) for host, each in (("alpha", sent), ("beta", received)))
    found = bottleneck.find(*ends, settings.get("streams", 1), settings.get("verify", "readback"))
    return found.stage, found.host


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def test_a_limit(root, folder):
    assert slowest(root, folder, os.urandom(3 * MIB), limit=2 * MIB) == ("limit", "alpha")


@pytest.mark.parametrize("encrypt", [True, False])
@private_network
def test_a_narrow_network(root, folder, encrypt):
    run("tc", "qdisc", "add", "dev", "lo", "root", *NARROW)
    assert slowest(root, folder, os.urandom(4 * MIB), encrypt=encrypt) == ("network", "")


def test_a_slow_codec(root, folder):
    assert slowest(root, folder, rows(4 * MIB), compress="zstd:19") == ("compress", "alpha")


class SlowFile(Wrapped):
    """A file of the source whose disk takes its time."""

    def read_into(self, offset, view):
        time.sleep(SLOW)
        return self._file.read_into(offset, view)


class SlowTree(SourceTree):
    def open(self, entry):
        return SlowFile(super().open(entry))


def test_a_slow_disk_at_the_source(root, folder):
    assert slowest(root, folder, os.urandom(4 * MIB), tree=SlowTree) == ("read", "alpha")


def slow(method, seconds):
    """A Staging of which one method takes its time."""

    def slowly(*arguments):
        time.sleep(seconds)
        return getattr(Staging, method)(*arguments)

    return type("SlowStaging", (Staging,), {method: slowly})


@pytest.mark.parametrize(
    ("method", "seconds", "stage"),
    [("write", SLOW, "write"), ("flush", 10 * SLOW, "flush"), ("read_back_range", SLOW, "read_back")],
)
def test_a_slow_disk_at_the_destination(root, folder, monkeypatch, method, seconds, stage):
    monkeypatch.setattr("datamover.engine.verifier.RANGE", MIB)
    assert slowest(root, folder, os.urandom(6 * MIB), staging=slow(method, seconds)) == (stage, "beta")
