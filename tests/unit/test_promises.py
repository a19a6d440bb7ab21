"""The tests that docs/promises.md, docs/faults.md and docs/database-pitfalls.md name exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
HERE = "tests/unit/test_promises.py"
PAGES = [(CHECKOUT / "docs" / name).read_text() for name in ("promises.md", "faults.md", "database-pitfalls.md")]
NAMED = [named for page in PAGES for named in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)]


@pytest.mark.parametrize(("file", "test"), [each for each in NAMED if each[0] != HERE])
def test_what_is_said_to_be_tested_names_a_test_that_exists(file, test):
    assert test in functions(file) or not test


@cache
def functions(file):
    tree = ast.parse((CHECKOUT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_a_test():
    _, *promises = re.split(r"^## ", PAGES[0], flags=re.MULTILINE)
    assert [promise.splitlines()[0] for promise in promises if "- `tests/" not in promise] == []


def test_every_fault_names_a_test():
    rows = re.findall(r"^\| \d+ \|.*$", PAGES[1], flags=re.MULTILINE)
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_pitfall_of_a_clone_names_a_test():
    rows = re.findall(r"^\| .* \| .* \|.*$", PAGES[2].partition("## The known pitfalls")[2], flags=re.MULTILINE)[1:]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row] == []
