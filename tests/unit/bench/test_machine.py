"""What a record is of: the sources that are measured, and no others."""

import pytest
from bench import machine
from bench.machine import ENGINE, EVERYTHING, digest_of_code


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path)
    for name in ("_utils/datamover/link.py", "_utils/transferplan/plan.py", "_runners/transfer.py", "bench/rows.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    return tmp_path


def changed(checkout, name):
    """Whether a change of this file makes (the engine, whole commands) another."""
    before = digest_of_code(ENGINE), digest_of_code(EVERYTHING)
    (checkout / name).write_text("second")
    return before[0] != digest_of_code(ENGINE), before[1] != digest_of_code(EVERYTHING)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("_utils/datamover/link.py", (True, True)),
        ("bench/rows.py", (True, True)),
        ("_utils/transferplan/plan.py", (False, True)),
        ("_runners/transfer.py", (False, True)),
        ("bench/page.py", (False, False)),
    ],
)
def test_figures_are_of_the_sources_that_made_them(checkout, name, found):
    assert changed(checkout, name) == found


def test_all_of_these_folders_are_there():
    assert all((machine.CHECKOUT / folder).is_dir() for folder in (*ENGINE, *EVERYTHING))
