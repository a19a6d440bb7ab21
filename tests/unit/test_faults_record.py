"""The record of the rows: each test runs until it passed and hit something, over as many runs as it takes."""

import json
import subprocess
import sys

import pytest

from tests.conftest import CHECKOUT
from tests.faults.record import Ended, missed, mixed, read, tell, troubles
from tests.faults.schedule import PHASES

DEATHS = "tests/faults/test_deaths.py"
RUN = """
import sys, pytest
from pathlib import Path
from tests.faults.record import Recorder
recorder = Recorder(Path(sys.argv[1]), float(sys.argv[2]))
pytest.main(["-q", "-p", "no:cacheprovider", "-c", "setup.cfg", *sys.argv[3:]], plugins=[recorder])
print("asked", len(recorder.asked))
"""
TESTS = """
import os, pytest
def test_that_is_well(record_property):
    record_property("hit", "kill source in moving with 3 bytes landed")
def test_that_fails():
    assert os.path.exists("mended")
@pytest.mark.skip(reason="the tool is not there")
def test_that_is_skipped(): pass
"""


@pytest.fixture
def recorded(tmp_path):
    """recorded(seconds, *words) -> the names of what ran, and the record."""
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "test_some.py").write_text(TESTS)
    file = tmp_path / "record"

    def recorded(seconds, *words):
        before = file.read_text() if file.exists() else ""
        environment = {"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / '_utils'}", "PATH": "/usr/bin:/bin"}
        argv = [sys.executable, "-B", "-c", RUN, str(file), str(seconds), *words]
        subprocess.run(argv, cwd=tmp_path, env=environment, check=True, capture_output=True)
        ran = [json.loads(line)["test"].partition("::")[2] for line in file.read_text()[len(before) :].splitlines()]
        return ran, read(file)

    return recorded


def test_what_passed_is_not_run_again_and_what_failed_is(recorded, tmp_path):
    ran, record = recorded(60)
    assert len(ran) == 3
    assert [(each.outcome, each.hits, each.why) for each in record.values()] == [
        ("passed", ("kill source in moving with 3 bytes landed",), ""),
        ("failed", (), "test_some.py:6: AssertionError"),
        ("skipped", (), "Skipped: the tool is not there"),
    ]
    (tmp_path / "mended").touch()
    ran, record = recorded(60)
    assert ran == ["test_that_fails", "test_that_is_skipped"]
    assert [each.outcome for each in record.values()] == ["passed", "passed", "skipped"]


def test_when_the_time_is_over_the_next_run_goes_on(recorded):
    assert recorded(0)[0] == ["test_that_is_well"]
    assert recorded(0)[0] == ["test_that_fails"]


def test_words_select(recorded):
    assert recorded(60, "-k", "well")[0] == ["test_that_is_well"]


def test_whatever_is_missing_or_wrong_is_told():
    there = [
        Ended(f"{DEATHS}::one", "passed", hits=("kill source in moving with 3 bytes landed",)),
        Ended(f"{DEATHS}::late", "passed"),
        Ended("tests/some.py::bad", "failed", why="it is so"),
        Ended("tests/some.py::good", "passed"),
    ]
    ended = {each.test: each for each in there}
    asked = [*ended, "tests/some.py::another"]
    assert troubles(ended, asked) == [
        "tests/some.py::bad failed: it is so",
        f"{DEATHS}::late came too late and hit nothing",
        "1 of 5 tests have not run yet; the same command goes on",
    ]
    assert " ".join(tell(ended, asked)[0].split()) == "kill source in moving 1 times"
    assert tell(ended, asked)[-1].startswith("2 of 5 tests passed")


@pytest.mark.parametrize(
    ("commits", "sentences"),
    [
        (["a1", "a1"], []),
        (["a1", "b2"], ["the rows ran on several commits: a1, b2; begin another record"]),
        (["a1-dirty", "a1-dirty"], ["the rows ran on a1-dirty, with changes that are not committed"]),
        ([""], ["the rows ran on no commit, with changes that are not committed"]),
    ],
)
def test_there_is_a_verdict_only_about_one_clean_commit(commits, sentences):
    there = [Ended(f"tests/some.py::{number}", "passed", commit=commit) for number, commit in enumerate(commits)]
    assert mixed({each.test: each for each in there}) == sentences


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_in_which_nothing_struck_is_told(phase):
    hits = tuple(f"kill source in {each} with 0 bytes landed" for each in PHASES if each != phase)
    assert missed({"one": Ended("one", "passed", hits=hits)}) == [f"nothing struck while a worker was {phase}"]
