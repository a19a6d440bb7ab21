"""What a confined process can write; each in a process of its own, since there is no way back."""

import json
import subprocess
import sys

import pytest

from datamover.host import confine
from tests.conftest import CHECKOUT

TRY = """\
import json, os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from datamover.host.confine import confine
inside, outside = sys.argv[2:]
done = confine([os.fsencode(inside), b"/not/there"])

def outcome(change):
    try:
        change()
    except OSError as error:
        return error.strerror
    return "done"

def by_a_child(path):
    subprocess.run(["tee", path], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if not os.path.exists(path):
        raise PermissionError(13, "Permission denied")

print(json.dumps({"confined": done, **{place: {
    "make": outcome(lambda: open(place + "/new", "w").close()),
    "write": outcome(lambda: open(place + "/old", "r+").close()),
    "truncate": outcome(lambda: os.truncate(place + "/old", 0)),
    "remove": outcome(lambda: os.unlink(place + "/doomed")),
    "directory": outcome(lambda: os.mkdir(place + "/directory")),
    "rename below": outcome(lambda: os.rename(place + "/moved", place + "/below/moved")),
    "link": outcome(lambda: os.symlink("x", place + "/link")),
    "child": outcome(lambda: by_a_child(place + "/child")),
} for place in (inside, outside)}, "read": open(outside + "/read").read()}))
"""


@pytest.fixture
def places(tmp_path):
    found = [tmp_path / "inside", tmp_path / "outside"]
    for place in found:
        (place / "below").mkdir(parents=True)
        for name in ("old", "doomed", "moved", "read"):
            (place / name).write_text("content")
    return [str(place) for place in found]


@pytest.mark.skipif(confine.version() < confine.TRUNCATES, reason="this kernel has no Landlock of version 3")
def test_what_is_confined_changes_only_what_it_declared_and_so_do_its_children(places):
    inside, outside = places
    argv = [sys.executable, "-c", TRY, str(CHECKOUT / "_utils"), inside, outside]
    told = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    assert told["confined"] is True and told["read"] == "content"
    assert set(told[inside].values()) == {"done"}
    assert set(told[outside].values()) == {"Permission denied"}


def test_a_kernel_without_it_confines_nothing_and_says_so(monkeypatch):
    monkeypatch.setattr(confine, "version", lambda: 1)
    assert confine.confine([b"/"]) is False
