"""Whole transfers in which one stage is slow for real: the accounts of both ends, joined, name it."""

import os
import ssl
import threading
import time

import pytest

from datamover import codecs, digests
from datamover.disk.staging import Staging
from datamover.disk.tree import SourceTree
from datamover.engine import sealing
from datamover.engine.sending import Sending
from datamover.engine.stages import WORTH_A_LOOK as LARGE
from tests.functional.datamover.attempts import Attempts
from tests.functional.datamover.ends import Ends, Wrapped
from tests.functional.datamover.networks import private_network
from tests.functional.datamover.places import plant, run
from tests.functional.datamover.test_transfer_compressed import rows
from tests.functional.datamover.updates import Updates
from transferplan import bottleneck

MIB = 1024 * 1024
SLOW = 0.15
HOUR = 3600 * 10**9
NARROW = ["tbf", "rate", "8mbit", "burst", "128kb", "latency", "1s"]


def slowest(root, folder, data, **changes):
    """(stage, host) that is named after moving a file with this data."""
    plant(root, {"file": data})
    settings = {"digest": "blake3", **changes}
    return find(*Ends(root, folder, **settings).run(), **settings)


def find(sent, received, streams=1, verify="readback", **_settings):
    """(stage, host) that is named where both ended so."""
    assert (sent.error, received.error) == (None, None)
    ends = (bottleneck.End(host, each.stages.as_dict()) for host, each in (("alpha", sent), ("beta", received)))
    found = bottleneck.find(*ends, streams, verify)
    return found.stage, found.host


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture(autouse=True)
def nothing_is_flushed(monkeypatch):
    """Who else writes to this disk would decide how long that takes."""
    monkeypatch.setattr(Staging, "sync", lambda _self: None)
    monkeypatch.setattr(Staging, "flush", lambda _self, _numbers: None)


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


class SlowList(SourceTree):
    def walk(self):
        time.sleep(10 * SLOW)
        yield from super().walk()


def test_a_tree_that_is_slow_to_walk(root, folder):
    assert slowest(root, folder, os.urandom(MIB), tree=SlowList) == ("list", "alpha")


def delay(monkeypatch, kind, method, seconds=SLOW):
    original = getattr(kind, method)

    def slowly(*arguments):
        time.sleep(seconds)
        return original(*arguments)

    monkeypatch.setattr(kind, method, slowly)


@pytest.mark.parametrize(
    ("kind", "method", "named"),
    [(sealing.Sealer, "seal", ("encrypt", "alpha")), (sealing.Unsealer, "open", ("decrypt", "beta"))],
)
def test_slow_sealing(root, folder, monkeypatch, kind, method, named):
    delay(monkeypatch, kind, method)
    assert slowest(root, folder, os.urandom(4 * MIB)) == named


def slow_tls(method, bytes_, seconds):
    """TLS of which one method takes its time with so many bytes or more."""

    def slowly(tls, what, *rest):
        if (what if method == "read" else len(what)) >= bytes_:
            time.sleep(seconds)
        return getattr(ssl.SSLObject, method)(tls, what, *rest)

    return type("SlowTls", (ssl.SSLObject,), {method: slowly})


@pytest.mark.parametrize(
    ("method", "seconds", "named"),
    [("write", SLOW, ("encrypt", "alpha")), ("read", SLOW / 20, ("decrypt", "beta"))],
)
def test_slow_tls(root, folder, monkeypatch, method, seconds, named):
    monkeypatch.setattr(sealing, "available", lambda: False)
    monkeypatch.setattr(ssl.SSLContext, "sslobject_class", slow_tls(method, 64 * 1024, seconds))
    assert slowest(root, folder, os.urandom(8 * MIB), verify="flight") == named


def test_who_waits_for_the_streams_is_not_said_to_read(root, folder, monkeypatch):
    delay(monkeypatch, Sending, "_open_stream", 10 * SLOW)
    plant(root, {"file": os.urandom(4 * MIB)})
    sent, _ = Ends(root, folder).run()
    assert sent.stages.read < 5 * SLOW


def test_slow_expanding(root, folder, monkeypatch):
    delay(monkeypatch, codecs.Zlib, "unpack", 2 * SLOW)
    assert slowest(root, folder, rows(4 * MIB), compress="zlib:1") == ("decompress", "beta")


class SlowHasher:
    """Takes its time with what is large, at one end."""

    def __init__(self, hasher, host):
        self._hasher = hasher
        self._host = host

    def copy(self):
        return SlowHasher(self._hasher.copy(), self._host)

    def update(self, data):
        at_destination = threading.current_thread().name.startswith("destination ")
        if len(data) >= LARGE and at_destination == (self._host == "beta"):
            time.sleep(SLOW / 3)
        self._hasher.update(data)

    def digest(self):
        return self._hasher.digest()


@pytest.fixture(params=["alpha", "beta"])
def slow_host(request, monkeypatch):
    """The one of the two whose digesting is slow."""
    new = digests.constructor("blake3")
    monkeypatch.setitem(digests._ALGORITHMS, "blake3", lambda *data: SlowHasher(new(*data), request.param))
    return request.param


@pytest.mark.parametrize("verify", ["readback", "flight"])
def test_slow_digesting(root, folder, slow_host, verify):
    assert slowest(root, folder, os.urandom(4 * MIB), verify=verify) == ("digest", slow_host)


def test_slow_digesting_of_small_files(root, folder, slow_host):
    plant(root, {f"{number}": os.urandom(LARGE) for number in range(40)})
    assert slowest(root, folder, b"") == ("digest", slow_host)


@pytest.mark.parametrize("slow_host", ["alpha"], indirect=True)
def test_digesting_again_what_was_young_is_not_said_to_be_reading(root, folder, slow_host, monkeypatch):
    monkeypatch.setattr("datamover.disk.metadata.SUSPECT_AGE_NS", HOUR)
    plant(root, {"file": os.urandom(4 * MIB)})
    sent, _ = Ends(root, folder, digest="blake3").run()
    assert sent.read_bytes == 8 * MIB
    assert sent.stages.read < sent.stages.digest / 4


def test_slow_digesting_of_what_is_held(root, folder, slow_host):
    plant(root, {"file": os.urandom(12 * MIB)})
    attempts = Attempts(root, folder, digest="blake3")
    attempts.cut(0.9)
    _, sent, received = attempts.complete()
    assert find(sent, received) == ("digest", slow_host)


def test_slow_digesting_of_what_stands_there(root, folder, slow_host):
    plant(root, {"file": os.urandom(6 * MIB)})
    (folder / "final").mkdir()
    plant(folder / "final", {"file": os.urandom(6 * MIB)})
    sent, received = Updates(root, folder, compare="digest", digest="blake3").run()
    assert find(sent, received) == ("digest", slow_host)


@pytest.mark.parametrize("slow_host", ["beta"], indirect=True)
def test_who_waits_until_the_other_end_has_looked_is_not_said_to_read(root, folder, slow_host):
    plant(root, {"file": os.urandom(12 * MIB)})
    attempts = Attempts(root, folder, digest="blake3")
    attempts.cut(0.9)
    _, sent, received = attempts.complete()
    assert sent.stages.read < received.stages.digest / 4
