"""The tree is as the linter and the type checker want it; both are configured in pyproject.toml and setup.cfg."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


TOOLS = {"ruff": ["check", "--no-cache", "--quiet"], "mypy": ["--no-error-summary"]}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_finds_nothing(tool):
    command = [sys.executable, "-m", tool, *TOOLS[tool]]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
