"""What travels only by name."""

import stat

import pytest

from datamover.disk import special
from datamover.manifest import Kind


@pytest.mark.parametrize(
    ("kind", "mode", "attributes", "names"),
    [
        (Kind.FILE, 0o755, (), []),
        (Kind.FILE, 0o4755, (), ["setuid"]),
        (Kind.FILE, 0o2755, (), ["setuid"]),
        (Kind.FILE, 0o1755, (), []),
        (Kind.DIRECTORY, 0o2775, (), []),
        (Kind.FILE, 0o6755, {b"security.capability"}, ["setuid", "capabilities"]),
        (Kind.FIFO, 0o644, (), ["fifos"]),
        (Kind.CHARDEV, 0o644, (), ["devices"]),
        (Kind.BLOCKDEV, 0o644, (), ["devices"]),
        (Kind.SYMLINK, stat.S_ISUID, (), []),
    ],
)
def test_special_files_are_recognised(kind, mode, attributes, names):
    assert list(special.names_of(kind, mode, attributes)) == names


def test_a_refusal_names_everything_at_once_and_says_what_to_ask_for():
    found = special.Found()
    for number in range(25):
        found.add("setuid", b"bin/tool%d" % number)
    found.add("fifos", b"run/pi\npe")
    error = found.refusal()
    assert "setuid: 25 (bin/tool0, " in error.text and "bin/tool19" in error.text and "bin/tool20" not in error.text
    assert "fifos: 1 (run/pi%0Ape)" in error.text and "special=fifos,setuid" in error.text
    assert error.evidence["counts"] == {"setuid": 25, "fifos": 1} and not error.retryable
