"""The tests that docs/promises.md names exist."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
HERE = "tests/unit/test_promises.py"
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (CHECKOUT / "docs/promises.md").read_text())


@pytest.mark.parametrize(("file", "test"), [each for each in NAMED if each[0] != HERE])
def test_a_promise_names_a_test_that_exists(file, test):
    tree = ast.parse((CHECKOUT / file).read_text())
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert test in tests


def test_every_promise_names_a_test():
    _, *promises = re.split(r"^## ", (CHECKOUT / "docs/promises.md").read_text(), flags=re.MULTILINE)
    assert [promise.splitlines()[0] for promise in promises if "- `tests/" not in promise] == []
