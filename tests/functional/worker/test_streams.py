"""Streams between two real workers: an archive that is unpacked where it arrives, and every way in which it ends."""

import gzip
import os
import tarfile

import pytest

from datamover.errors import OutOfTurn, SpecInvalid
from tests.functional.datamover.test_unpack import member, tar
from tests.functional.worker.test_copy import equal, nothing_open
from tests.support.waiting import eventually

MIB = 1024 * 1024


@pytest.fixture
def archive(tmp_path, data):
    path = tmp_path / "data.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as made:
        made.add(data, "data")
    return path


@pytest.fixture
def unpacked(transfer, srv):
    """unpacked(archive, expect="", **changes) -> a Pair that unpacks it at srv/data."""

    def make(archive, expect="", **changes):
        stream = {"type": "decompress", "format": "gz", "expect": expect}
        return transfer(src=archive, stream=stream, settings__verify="flight", **changes)

    return make


def test_an_archive_is_unpacked_by_the_destinations_worker(unpacked, archive, data, srv):
    pair = unpacked(archive).begin()
    source, destination = pair.verdicts()
    assert (source["result"], destination["result"]) == ("published", "published")
    assert (source["root"], source["level"]) == (destination["root"], "flight")
    told = destination["report"]
    assert (told["kept_as"], told["files"], told["bytes"]) == ("directory", 3, told["bytes"])
    assert equal(data, srv / "data")
    nothing_open(pair, srv, ["data"])


def test_what_a_stream_became_is_not_compared_later(unpacked, archive):
    pair = unpacked(archive).begin()
    pair.verdicts()
    with pytest.raises(OutOfTurn, match="proved as it passed"):
        pair.destination.ask("verify", pair.transfer)


def test_an_archive_that_is_not_the_backup_that_was_expected_is_not_published(unpacked, archive, srv):
    pair = unpacked(archive, expect="backup").begin()
    source, destination = pair.verdicts()
    assert destination["error"]["name"] == "consumer-failed" and "xtrabackup_info" in destination["error"]["text"]
    assert source["result"] == "failed"
    nothing_open(pair, srv)


def test_a_hostile_archive_leaves_nothing(unpacked, tmp_path, srv):
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(gzip.compress(tar(member("top/file", data=b"x"), member("top/../../evil", data=b"evil"))))
    pair = unpacked(path).begin()
    source, destination = pair.verdicts()
    assert destination["error"]["name"] == "archive-refused" and source["result"] == "failed"
    assert not (tmp_path / "evil").exists()
    nothing_open(pair, srv)


@pytest.fixture
def halfway(unpacked, tmp_path, network):
    """A stream of which a part has arrived."""
    path = tmp_path / "big.tar.gz"
    path.write_bytes(gzip.compress(tar(member("top/big", data=os.urandom(48 * MIB))), compresslevel=0))
    network.limit("40mbit")
    pair = unpacked(path).begin()
    assert eventually(lambda: pair.destination.ask("status", pair.transfer)["progress"]["bytes_done"] > 4 * MIB)
    return pair


@pytest.mark.parametrize("role", ["source", "destination"])
def test_kill_minus_9_of_either_end_keeps_nothing(halfway, srv, role):
    halfway.kill(role)
    assert {verdict["result"] for verdict in halfway.verdicts()} == {"failed"}
    nothing_open(halfway, srv)


def test_a_cancel_keeps_nothing(halfway, srv):
    halfway.destination.ask("cancel", halfway.transfer)
    source, destination = halfway.verdicts()
    assert destination["result"] == "cancelled"
    assert source["result"] in ("cancelled", "failed")  # its link may end before its word comes
    nothing_open(halfway, srv)
    with pytest.raises(SpecInvalid, match="cannot be gone on with"):
        halfway.again()
