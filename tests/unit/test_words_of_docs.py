"""What README and docs name is there: functions, options, settings in examples, tests."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from replicaplan import repair
from tests.unit.test_pages import PAGES
from transferplan.options import OPTIONS, TABLE

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md"]
FACES = ("transfer", "pinhole", "portfinder", "headroom", "checksum", "xtrabackup", "replica")
NAMED = re.compile(rf"(?<![\w./-])({'|'.join(FACES)})\.([a-z_]+)(?![\w/])")
NO_FUNCTIONS = {"py", "sls", "conf"}
COPY = re.compile(r"transfer\.(?:copy|plan|start) +([^`\n#]*)")
OWN_ARGUMENTS = {"src", "dst", "targets", "target_type", "test", "key"}
OF_A_COPY = {option.name for option in OPTIONS if option.scope != "minion"} | OWN_ARGUMENTS
PYTHON = re.compile(r"^```python\n.*?^```", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = {"profiles", "policy"}


def page(path):
    text = PYTHON.sub("", path.read_text(encoding="utf-8"))
    return pytest.param(text, id=str(path.relative_to(ROOT)))


every_text = pytest.mark.parametrize("text", [page(each) for each in TEXTS])


def functions():
    """MODULE.FUNCTION of all runners, modules and states of ours."""
    for path in ROOT.glob("_[mrs]*/*.py"):
        for each in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
                yield f"{path.stem}.{each.name.rstrip('_')}"


CALLABLE = set(functions())


@every_text
def test_every_function_that_is_named_is_there(text):
    named = {f"{face}.{name}" for face, name in NAMED.findall(text) if name not in NO_FUNCTIONS}
    assert named - CALLABLE == set()


@every_text
def test_every_option_of_a_copy_is_one(text):
    given = {name for words in COPY.findall(text) for name in re.findall(r"(?:^| )([a-z_]+)=", words)}
    assert given - OF_A_COPY == set()


@every_text
def test_every_example_of_a_configuration_can_be_read_and_sets_what_can_be_set(text):
    for block in YAML.findall(text):
        section = (yaml.safe_load(block) or {}).get("transfer")
        if isinstance(section, dict):
            assert set(section) <= {*TABLE, *SECTIONS}
            for options in (section, *section.get("profiles", {}).values()):
                for name in options.keys() & TABLE.keys():
                    TABLE[name].kind.read(options[name])


@every_text
def test_every_example_of_repairs_is_taken_as_it_stands(text):
    for block in YAML.findall(text):
        repair.rules((yaml.safe_load(block) or {}).get("replica_repair"))


def test_the_example_of_repairs_shows_how_often_with_the_defaults():
    shown = yaml.safe_load(YAML.findall((ROOT / "docs/database-repairs.md").read_text(encoding="utf-8"))[0])
    section = shown["replica_repair"]
    assert section == {**section, **{name: repair.DEFAULTS[name] for name in ("cooldown", "daily", "approve")}}


@every_text
def test_every_test_that_is_named_is_there(text):
    for name in set(re.findall(r"tests/[\w/]+\.py", text)):
        assert (ROOT / name).exists(), name
