"""Whole transfers with each codec: less travels, the same arrives, and nobody is made to unpack more than was said."""

import os
import random

import pytest

from datamover import codecs
from datamover.engine import compressing
from datamover.errors import ProtocolError, VersionMismatch
from tests.functional.datamover.ends import Ends, refused
from tests.functional.datamover.places import plant
from tests.functional.datamover.test_transfer import arrived, mixed_tree

MIB = 1024 * 1024


@pytest.fixture
def root(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def rows(size):
    """Like a table's pages: much that repeats, some that does not."""
    chance, made = random.Random(7), bytearray()
    while len(made) < size:
        made += b"%012d|customer name and street|" % chance.randrange(10**6) + chance.randbytes(6)
    return bytes(made[:size])


def compressible_tree(root):
    mixed_tree(root)
    plant(root, {"table": rows(4 * MIB + 77), "small.csv": rows(9000), "rows": {f"r{n}": rows(500) for n in range(50)}})
    return root


@pytest.mark.parametrize("level", ["readback", "flight"])
@pytest.mark.parametrize("encrypt", [True, False])
@pytest.mark.parametrize("compress", ["zstd", "zlib", "zstd:9", "zlib:9"])
def test_a_tree_arrives_equal_and_less_travels(root, folder, compress, encrypt, level):
    ends = Ends(compressible_tree(root), folder, compress=compress, encrypt=encrypt, verify=level, streams=2)
    sent, received = arrived(ends)
    assert sent.wire_bytes == received.wire_bytes < sent.moved_bytes == received.moved_bytes
    assert sent.sparse_bytes > 0
    assert sent.stages.compress > 0 and received.stages.decompress > 0


@pytest.mark.parametrize("encrypt", [True, False])
def test_whatever_auto_decides_a_tree_arrives_equal(root, folder, monkeypatch, encrypt):
    """It judges after each few hundred kilobytes, so that it does both."""
    monkeypatch.setattr(compressing, "FIRST_BYTES", MIB // 4)
    monkeypatch.setattr(compressing, "SPAN_BYTES", MIB // 4)
    ends = Ends(compressible_tree(root), folder, compress="auto", encrypt=encrypt, streams=2)
    sent, received = arrived(ends)
    assert sent.wire_bytes == received.wire_bytes <= sent.moved_bytes == received.moved_bytes


def test_without_compression_all_that_is_moved_travels(root, folder):
    sent, received = arrived(Ends(compressible_tree(root), folder, compress="none"))
    assert sent.wire_bytes == sent.moved_bytes == received.wire_bytes
    assert sent.stages.compress == received.stages.decompress == 0


def test_what_does_not_get_smaller_travels_as_it_is(root, folder):
    plant(root, {"noise": os.urandom(3 * MIB)})
    sent, _ = arrived(Ends(root, folder, compress="zstd"))
    assert sent.wire_bytes == sent.moved_bytes


def test_a_host_without_zstd_gets_zlib(root, folder, monkeypatch):
    plant(root, {"table": rows(2 * MIB)})
    ends = Ends(root, folder, compress="auto")
    receiver = ends.receiver()
    monkeypatch.setattr("datamover.engine.terms.Terms.options", property(only_zlib_at("beta")))
    ends.receiver = lambda: receiver
    used = []
    monkeypatch.setattr(compressing.codecs, "new", noting(codecs.new, used))
    sent, _ = arrived(ends)
    assert sent.wire_bytes < sent.moved_bytes
    assert set(used) == {"zlib"}


def only_zlib_at(host):
    return lambda terms: ("codec-zlib",) if terms.host == host else ("codec-zstd", "codec-zlib")


def noting(new, used):
    def noted(name, level=0):
        used.append(name)
        return new(name, level)

    return noted


def test_ends_that_were_told_different_codecs_do_not_begin(root, folder):
    plant(root, {"file": b"x"})
    ends = Ends(root, folder, compress="zstd")
    ends.beta.spec["settings"]["compress"] = "zlib"
    for error in refused(ends):
        assert isinstance(error, VersionMismatch) or error.evidence["name"] == "version-mismatch"


def test_a_codec_that_was_not_agreed_on_is_refused(root, folder):
    plant(root, {"table": rows(2 * MIB)})
    ends = Ends(root, folder, compress="none")
    sender = ends.sender()
    sender._policy = compressing.Policy(False, 1)
    sender._compressor = lambda: compressing.Compressor("zlib", 1, sender._policy, sender._times)
    ends.sender = lambda: sender
    _, theirs = refused(ends)
    assert isinstance(theirs, ProtocolError) and "was not agreed on" in theirs.text


@pytest.mark.parametrize("spoil", ["shorter", "longer", "noise"])
def test_a_payload_that_is_not_what_it_announces_is_refused(root, folder, monkeypatch, spoil):
    plant(root, {"table": rows(2 * MIB)})

    class Liar(compressing.Compressor):
        def _pack(self, payload):
            whole = bytes(payload)
            return {
                "shorter": lambda: self._usual.pack(whole[:-1]),
                "longer": lambda: self._usual.pack(whole + bytes(64 * MIB)),
                "noise": lambda: os.urandom(1000),
            }[spoil]()

    ends = Ends(root, folder, compress="zstd")
    monkeypatch.setattr("datamover.engine.sending.Compressor", Liar)
    _, theirs = refused(ends)
    assert isinstance(theirs, ProtocolError), theirs
