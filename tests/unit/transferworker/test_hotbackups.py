"""What the destination does with the stream of a hot backup while it comes by."""

import os
from types import SimpleNamespace

import pytest

from tests.unit.hosttools.test_xbstream import payload
from transferworker import hotbackups

SPEC = {"stream": {"keep_stream": False, "unpacker": "mbstream"}}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Whole files that began to be written to the disk, as they were when that was asked for."""
    found = []
    monkeypatch.setattr(hotbackups, "PORTION", 1000)
    monkeypatch.setattr(
        hotbackups.kernel, "start_writing",
        lambda descriptor, offset, length: found.append((os.readlink(f"/proc/self/fd/{descriptor}"), offset, length)),
    )
    return found


@pytest.fixture
def unpacked(tmp_path):
    """Observes what comes for a directory in which the tool has made two files."""
    for name in ("ibdata1", "t.ibd"):
        (tmp_path / name).write_bytes(b"")
    place = os.open(tmp_path, os.O_RDONLY)
    observed = hotbackups.Unpacked(SimpleNamespace(path=tmp_path), SPEC)
    yield lambda data: observed._observe(place, memoryview(data))
    os.close(place)


def test_what_was_unpacked_goes_to_the_disk_while_more_comes(unpacked, written, tmp_path):
    unpacked(payload(b"ibdata1", 0, b"x" * 900))
    assert written == []
    unpacked(payload(b"ibdata1", 900, b"x" * 100))
    assert written == [(f"{tmp_path}/ibdata1", 0, hotbackups.kernel.TO_THE_END)]
    unpacked(payload(b"t.ibd", 0, b"x" * 1000))
    assert [path for path, *_ in written[1:]] == [f"{tmp_path}/t.ibd"]


def test_a_file_that_the_tool_has_not_made_yet_is_no_trouble(unpacked, written):
    unpacked(payload(b"later.ibd", 0, b"x" * 1000))
    assert written == []
