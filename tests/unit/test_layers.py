"""Who may import whom. The tables below are the architecture; a failure names the file that breaks it.

    faces                         Salt, saltface and the packages; never another face
    saltface                      Salt, and of the packages only what plans
    transferworker                the packages that touch a host; never Salt, never the planner
    transfermaster                saltface, the planner, of datamover errors, documents and locks; never Salt itself
    replicahost                   the packages that touch a host, and replicaplan; never Salt, never the master's
    replicamaster                 saltface, both planners, transfermaster, of datamover documents; never Salt itself
    packages that plan or move    the standard library and what their row names; never Salt, never each other
"""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "transferplan", "hosttools", "datamover", "transferworker", "transfermaster", "replicaplan", "replicahost",
    "replicamaster",
}

# Run by its path, so it is no part of its package.
PROGRAM = "transferworker/__main__.py"
REPLICA_PROGRAM = "replicahost/__main__.py"
PROGRAMS = (PROGRAM, REPLICA_PROGRAM)

# What each part may import beside the standard library and itself.
ALLOWED = {
    "transferplan": set(),
    "hosttools": {"psutil"},
    "datamover": {"psutil", "blake3"},
    "datamover/codecs.py": {"zstandard", "compression"},
    "datamover/engine/channel.py": {"psutil", "cryptography"},
    "datamover/engine/sealing.py": {"cryptography"},
    "transferworker": {"datamover", "hosttools", "psutil"},
    "replicaplan": set(),
    "replicahost": {"datamover", "hosttools", "replicaplan", "psutil"},
    REPLICA_PROGRAM: {"replicahost"},
    "replicamaster": {"saltface", "transferplan", "transfermaster", "replicaplan", "datamover"},
    PROGRAM: {"transferworker"},
    "transfermaster": {"saltface", "transferplan", "datamover"},
    "transfermaster/exposing.py": {"saltface", "transferplan", "prometheus_client"},
    "saltface.py": {"salt", "cryptography", "transferplan"},
    "_modules": {"salt", "saltface", "psutil"} | PACKAGES - {"transfermaster", "replicamaster"},
    "_runners": {"salt", "saltface", "transferplan", "transfermaster", "replicaplan", "replicamaster"},
    "_states": {"salt", "transferplan", "replicaplan"},
    "_output": set(),
}

# The format of what travels is decided without touching the machine.
WIRE = ("__init__", "batches", "fields", "frames", "messages", "pieces", "protocol")
FORMATS = ("blocks", "manifest", "selection", *(f"wire/{name}" for name in WIRE))
PURE = [f"datamover/{name}.py" for name in FORMATS]
HARMLESS = {"collections", "contextlib", "dataclasses", "enum", "functools", "json", "struct", "typing", "urllib"}
HARMLESS |= {"hashlib", "blake3", "itertools", "re"}
REACHING = {"open", "__import__", "exec", "eval", "input", "print"}

DUNDERS = {"__salt__", "__opts__", "__grains__", "__pillar__", "__context__", "__utils__", "__states__"}


def sources():
    """Every file of the product, named as the tables name it."""
    for folder in ("_utils", "_modules", "_output", "_runners", "_states"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)).removeprefix("_utils/"), path


def part(name):
    return name.partition("/")[0]


FILES = dict(sources())


def nodes(name, kind):
    """All nodes of one kind in a file."""
    return [node for node in all_nodes(name) if isinstance(node, kind)]


@cache
def all_nodes(name):
    return tuple(ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))))


def imports(name):
    """The names a file imports; what it imports from its own package begins with a dot."""
    yield from (alias.name for node in nodes(name, ast.Import) for alias in node.names)
    for node in nodes(name, ast.ImportFrom):
        yield "." * node.level + (node.module or "")


def foreign(name):
    """The top-level names a file imports from outside of its package."""
    return {part(each.replace(".", "/")) for each in imports(name) if not each.startswith(".")}


def allowed(name):
    """The most exact row of the table wins."""
    return ALLOWED.get(name, ALLOWED.get(part(name)))


def test_there_is_something_to_guard():
    assert {part(name) for name in FILES} >= PACKAGES | {"saltface.py", "transferworker", "_modules", "_runners"}


@pytest.mark.parametrize("name", FILES)
def test_imports_stay_within_the_layer(name):
    assert foreign(name) - set(sys.stdlib_module_names) - allowed(name) == set()


@pytest.mark.parametrize("name", [name for name in FILES if part(name) in PACKAGES and name not in PROGRAMS])
def test_packages_import_themselves_relatively_because_salt_moves_them(name):
    assert part(name) not in foreign(name)


@pytest.mark.parametrize("name", PURE)
def test_formats_are_decided_without_the_machine(name):
    seen, ahead = set(), [name]
    while ahead:
        current = ahead.pop()
        seen.add(current)
        called = {call.func.id for call in nodes(current, ast.Call) if isinstance(call.func, ast.Name)}
        reached = foreign(current) - HARMLESS | called & REACHING
        assert reached == set(), f"{name} reaches the machine through {current}"
        ahead += [each for each in siblings(current) if each not in seen]


def siblings(name):
    """The files of the same package that a file imports, be it the whole of one or names in it."""
    for node in nodes(name, ast.ImportFrom):
        if node.level:
            place = "/".join([*Path(name).parts[: -node.level], *(node.module or "").split(".")]).rstrip("/")
            named = [place, *(f"{place}/{alias.name}" for alias in node.names)]
            yield from (file for each in named for file in (f"{each}.py", f"{each}/__init__.py") if file in FILES)


@pytest.mark.parametrize("name", [name for name in FILES if part(name) not in {"_modules", "_runners", "_states"}])
def test_salts_injected_names_stay_at_the_faces(name):
    assert {node.id for node in nodes(name, ast.Name)} & DUNDERS == set()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_run_through_a_shell(name):
    keywords = [keyword for call in nodes(name, ast.Call) for keyword in call.keywords]
    assert [keyword for keyword in keywords if keyword.arg == "shell"] == []
