"""The site of the docs is built without a warning: every reference leads somewhere, every docstring can be read."""

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = CHECKOUT / ".venv/docs/bin/python"
OPTIONS = ("--fail-on-warning", "--keep-going", "--nitpicky", "--quiet")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if not PYTHON.exists():
        pytest.skip("there is no Sphinx in .venv/docs: ./dev docs installs it")
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [PYTHON, "-m", "sphinx", *OPTIONS, CHECKOUT / "docs", place], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return place


def test_every_page_is_on_it(site):
    pages = [page.relative_to(CHECKOUT / "docs") for page in (CHECKOUT / "docs").rglob("*.md")]
    assert [page for page in pages if not (site / page.with_suffix(".html")).exists()] == []


def test_the_reference_has_every_function_that_salt_can_call(site):
    faces = {"_runners": "runner", "_modules": "execution", "_states": "state"}
    for folder, kind in faces.items():
        for path in (CHECKOUT / folder).glob("*.py"):
            assert f"{path.stem}." in (site / f"reference/{kind}-{path.stem}.html").read_text(encoding="utf-8")
    runner = (site / "reference/runner-transfer.html").read_text(encoding="utf-8")
    assert "stall_timeout" in runner and "OPTIONS" not in runner
