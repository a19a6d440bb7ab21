"""Runs that share a suite: every test runs once, each begins with its own, fixtures live as long as they are needed."""

import subprocess
import sys

import pytest

from tests.conftest import CHECKOUT

PLACES = ("one", "two")
FIXTURES = """
import pytest

@pytest.fixture(scope="session")
def costly():
    yield print("\\nmade")
    print("\\nremoved")
"""
TESTS = """
def test_this(costly): pass
def test_that(costly): pass
"""


@pytest.fixture
def suite(tmp_path):
    """Two directories with two files of two tests each."""
    (tmp_path / "claims").mkdir()
    (tmp_path / "setup.cfg").touch()
    for place in PLACES:
        (tmp_path / place).mkdir()
        (tmp_path / place / "conftest.py").write_text(FIXTURES)
        for name in "ab":
            (tmp_path / place / f"test_{place}_{name}.py").write_text(TESTS)
    return tmp_path


def run(suite, own, *words):
    """(status, what was told, files in the order in which they were run) of a run that begins with what is its own."""
    lane = ["-p", "tests.support.lanes", "--claims", suite / "claims", "--first", suite / own]
    command = [sys.executable, "-m", "pytest", "-vs", "-p", "no:cacheprovider", *lane, *words, *PLACES]
    environment = {"PYTHONPATH": str(CHECKOUT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=False)
    files = [line.split("::")[0] for line in done.stdout.splitlines() if line.startswith(PLACES) and "::" in line]
    return done.returncode, done.stdout, list(dict.fromkeys(files))


def test_who_is_alone_runs_all_its_own_first_and_the_others_from_the_end(suite):
    status, told, files = run(suite, "two")
    assert (status, "8 passed" in told) == (0, True)
    assert files == ["two/test_two_a.py", "two/test_two_b.py", "one/test_one_b.py", "one/test_one_a.py"]


def test_what_another_has_begun_is_not_run_again(suite):
    assert run(suite, "two", "-k", "one_a or two_b")[2] == ["two/test_two_b.py", "one/test_one_a.py"]
    status, told, files = run(suite, "one")
    assert (status, files) == (0, ["one/test_one_b.py", "two/test_two_a.py"])
    assert "4 passed" in told


def test_a_fixture_of_the_session_lives_until_the_last_test_that_is_run(suite):
    told = run(suite, "two", "-k", "two")[1]
    assert told.count("made") == told.count("removed") == 1
    assert told.index("made") < told.index("two/test_two_b.py::test_that") < told.index("removed")


def test_who_comes_too_late_has_nothing_to_do(suite):
    run(suite, "one")
    status, _, files = run(suite, "two")
    assert (status, files) == (0, [])


def test_a_failure_is_one(suite):
    (suite / "one/test_one_b.py").write_text("def test_this(): assert False")
    status, told, files = run(suite, "one", "-x")
    assert (status, files) == (1, ["one/test_one_a.py", "one/test_one_b.py"])
    assert "stopping after 1 failures" in told
