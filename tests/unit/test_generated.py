"""What is generated is up to date, and what the packages say of their errors agrees."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

import datamover.errors
import hosttools.errors
import replicaplan.errors
import transferplan.errors
from replicahost import settings as databases
from replicaplan import repair
from replicaplan.settings import HOST, REPAIR
from tests.unit.transferplan.test_reference import uncommented
from transferplan import targets
from transferplan.options import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
RANGES = {
    transferplan.errors: {*range(10, 40), *range(120, 130)},
    hosttools.errors: range(40, 60),
    datamover.errors: range(60, 120),
    replicaplan.errors: range(130, 150),
}


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_and_examples_are_up_to_date():
    stale = [str(path.relative_to(ROOT)) for path in generator().stale()]
    assert stale == [], "run: python docs/generate.py"


@pytest.mark.parametrize("name", ["master.conf", "minion.conf", "replica.sls", "transfer.sls"])
def test_an_example_as_it_is_sets_nothing(name):
    assert not any(yaml.safe_load(read(f"pillar.example/{name}")).values())


@pytest.mark.parametrize("name", ["minion.conf", "replica.sls"])
def test_the_example_of_a_database_shows_every_setting_and_is_taken_as_it_stands(name):
    section = uncommented(read(f"pillar.example/{name}"), "replica")
    assert [*names_in(section)] == [each for each, _ in HOST.spread()]
    assert databases.read(section).replication.password == "the password of repl"


def test_the_example_of_repairs_shows_every_setting_and_is_taken_as_it_stands():
    section = uncommented(read("pillar.example/master.conf"), "replica_repair")
    shown = [name.replace(":main", ":NAME") for name in names_in(section)]
    assert [name for name in shown if name != "clusters:NAME"] == [each for each, _ in REPAIR.spread()]
    rules = repair.rules(section)
    assert rules.clusters == (repair.Cluster("main", "db1", ("db2", "db3"), "db3"),)
    assert repair.rules({**section, "clusters": {}}) == repair.Rules()


def names_in(section, path=""):
    """The names in a mapping, and in those in it."""
    for name, value in section.items():
        inner = names_in(value, f"{path}{name}:") if isinstance(value, dict) else []
        yield from [path + name, *inner]


@pytest.mark.parametrize("section", [HOST, REPAIR], ids=lambda section: section.name)
def test_every_setting_of_databases_is_on_the_page_of_options_once(section):
    page = read("docs/options.md").partition(f"| `{section.name}:` |")[2].partition("## ")[0]
    for name, setting in section.spread():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert setting.meaning in row and setting.kind.takes in row


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


def test_every_error_is_in_the_table_that_is_read_when_something_does_not_work():
    rows = dict(re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", read("docs/errors.md"), re.MULTILINE))
    assert {str(error.code): error.name for module in RANGES for error in module.ERRORS}.items() <= rows.items()


def test_a_page_that_helps_knows_only_errors_that_there_are():
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", read("docs/troubleshooting.md")))
    assert len(told) > 10 and told <= {error.name for module in RANGES for error in module.ERRORS}


def test_whoever_comes_from_transferpy_is_told_of_options_that_there_are():
    told = set(re.findall(r"`([a-z_]+)=", read("docs/from-transferpy.md"))) - {"dst"}
    assert len(told) > 10 and told <= {option.name for option in OPTIONS}


@pytest.mark.parametrize("runner", ["transfer", "replica"])
def test_the_manual_names_every_function_that_people_call(runner):
    lines = [line for line in generator().manual.SYNOPSIS if line.startswith(f"{runner}.")]
    functions = re.findall(r"^@_face\ndef (\w+?)_?\(", read(f"_runners/{runner}.py"), re.MULTILINE)
    assert len(functions) > 5
    assert [name for name in functions if name != "pull" and not re.search(rf"\b{name}\b", " ".join(lines))] == []


def test_the_manual_tells_of_destinations_by_target_expression():
    text = generator().manual.page().replace("\\-", "-")
    assert "targets=" in text and all(kind in text for kind in targets.KINDS)


def test_an_example_of_the_manual_can_be_pasted():
    manual = generator().manual
    text = manual.page().replace("\\-", "-").replace("\\(aq", "'")
    for lines in manual.EXAMPLES.values():
        assert "".join(f"    {line}\n" for line in lines) in text


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")
