"""What is generated is up to date, and what the packages say of their errors agrees."""

import importlib.util
from pathlib import Path

import pytest

import datamover.errors
import hosttools.errors
import transferplan.errors

ROOT = Path(__file__).resolve().parents[2]
RANGES = {
    transferplan.errors: {*range(10, 40), *range(120, 126)},
    hosttools.errors: range(40, 60),
    datamover.errors: range(60, 120),
}


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_and_examples_are_up_to_date():
    stale = [str(path.relative_to(ROOT)) for path in generator().stale()]
    assert stale == [], "run: python docs/generate.py"


def test_every_error_has_a_code_of_its_own():
    errors = [error for module in RANGES for error in module.ERRORS]
    codes = [error.code for error in errors]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("module", RANGES, ids=lambda module: module.__name__)
def test_the_codes_of_a_package_lie_in_its_range_and_are_explained(module):
    for error in module.ERRORS:
        assert error.code in RANGES[module]
        assert (error.__doc__ or "").strip().endswith("."), error
        assert error.name == error.name.lower() and " " not in error.name
