"""The audit trail: numbers, rotation, crashes at every byte, writers side by side."""

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from datamover.host.trail import Trail
from tests.conftest import CHECKOUT

WRITER = """\
import sys
sys.path.insert(0, sys.argv[1])
from datamover.host.trail import Trail
trail = Trail(sys.argv[2])
for number in range(int(sys.argv[3])):
    trail.note("written", by=sys.argv[4], number=number, ballast="x" * 900)
    print(number, flush=True)
"""


@pytest.fixture
def trail(tmp_path):
    return Trail(tmp_path)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "audit" / "audit.jsonl"


def numbers(trail, after=0):
    return [line["n"] for line in trail.read(after)]


def writer(state_dir, count, name):
    argv = [sys.executable, "-c", WRITER, str(CHECKOUT / "_utils"), str(state_dir), str(count), name]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_a_trail_that_nobody_wrote_is_empty_and_makes_nothing(trail, tmp_path):
    assert numbers(trail) == []
    assert os.listdir(tmp_path) == []


def test_lines_are_numbered_and_bear_what_was_said(trail, file):
    trail.note("begun", path="/srv/a", peers=[{"host": "db1"}])
    trail.note("ended", result="published")
    first, second = trail.read()
    assert (first["n"], first["what"], first["path"], first["peers"]) == (1, "begun", "/srv/a", [{"host": "db1"}])
    assert (second["n"], second["what"], second["result"]) == (2, "ended", "published")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_was_written_is_never_changed(trail, file):
    trail.note("one")
    before = file.read_bytes()
    trail.note("two")
    assert file.read_bytes().startswith(before)


def test_only_what_is_new_is_read(trail):
    for _ in range(5):
        trail.note("line")
    assert numbers(trail, after=3) == [4, 5]


def test_files_rotate_by_size_and_numbers_count_on(tmp_path, file):
    trail = Trail(tmp_path, largest=300, kept=2)
    for _ in range(40):
        trail.note("line")
    assert sorted(os.listdir(file.parent)) == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "lock"]
    found = numbers(trail)
    assert found == list(range(found[0], 41)) and found[0] > 1
    assert numbers(trail, after=39) == [40]


def test_a_line_that_a_crash_tore_anywhere_is_absent_and_the_next_one_whole(trail, file):
    trail.note("whole")
    whole = file.read_bytes()
    trail.note("torn", text="more\n")
    torn = file.read_bytes()[len(whole) :]
    for length in range(len(torn)):
        file.write_bytes(whole + torn[:length])
        assert numbers(trail) == [1]
        trail.note("after")
        assert [(line["n"], line["what"]) for line in trail.read()] == [(1, "whole"), (2, "after")]


def test_long_texts_and_lists_are_bounded(trail, file):
    trail.note("long", text="x" * 10**6, reasons=["y" * 10**5] * 1000, nested={"path": "z" * 10**5})
    assert len(file.read_bytes()) < 40_000
    assert numbers(trail) == [1]


def test_writers_side_by_side_lose_and_mix_nothing(trail, tmp_path):
    writers = [writer(tmp_path, 25, name) for name in "abc"]
    for each in writers:
        each.communicate(timeout=60)
    lines = list(trail.read())
    assert [line["n"] for line in lines] == list(range(1, 76))
    for name in "abc":
        assert [line["number"] for line in lines if line["by"] == name] == list(range(25))


def test_after_kill_minus_9_everything_that_was_told_is_there_and_every_line_is_whole(trail, tmp_path, file):
    for told in (1, 4, 9):
        with writer(tmp_path, 10**6, "killed") as process:
            for _ in range(told):
                last = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
        trail.note("after")
        lines = [json.loads(line) for line in file.read_bytes().splitlines()]
        assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
        assert any(line.get("number") == last for line in lines[-10_000:])
