"""Defects of the tools that came before us which show between two ends; tests/integration has the others."""

import os
import struct

from datamover.engine import sealing
from tests.functional.datamover.ends import Ends, relayed

MIB = 1024 * 1024
BULK = 1
APPLICATION_DATA, RECORD, FULL = 23, struct.Struct(">BHH"), 16 * 1024


def records(stream):
    """(type, length) of each TLS record."""
    at = 0
    while at < len(stream):
        kind, _, length = RECORD.unpack_from(stream, at)
        yield kind, length
        at += RECORD.size + length


def test_encryption_works_on_full_buffers(tmp_path, monkeypatch):
    """A cipher that is fed a few bytes at a time is ten times slower than its processor."""
    monkeypatch.setattr(sealing, "available", lambda: False)  # then it is TLS, whose records can be told apart
    (tmp_path / "source").mkdir()
    (tmp_path / "place").mkdir()
    (tmp_path / "source/file").write_bytes(os.urandom(8 * MIB))
    passed = bytearray()

    def listen(number, data, _at):
        passed.extend(data if number == BULK else b"")
        return data

    ends = Ends(tmp_path / "source", tmp_path / "place")
    relayed(ends, listen)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    lengths = [length for kind, length in records(bytes(passed)) if kind == APPLICATION_DATA]
    assert sum(lengths) > 8 * MIB
    assert sum(length for length in lengths if length >= FULL) > 0.99 * sum(lengths)
