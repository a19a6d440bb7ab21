"""Installed as users install it, synced from the master's file server and as a wheel, both from the same files."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from lab import Lab
from lab.salt import CODE_ROOT, install_code

from tests.conftest import CHECKOUT
from transferplan.version import VERSION

MODULES = sorted(path.stem for path in (CHECKOUT / "_modules").glob("*.py"))
CODE = ("_modules", "_output", "_runners", "_states", "_utils")
PARTS = ("pyproject.toml", "setup.cfg", "README.md", "CHANGELOG.md", *CODE, "orch", "reactor", "pillar.example", "docs")


# --- a tree that the file server serves ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def synced():
    """A lab in which nothing of ours is loaded until it is synced."""
    with Lab(minions=("alpha", "beta"), install="file_roots") as lab:
        assert "not available" in lab.run_module("alpha", "transfer.list").data["alpha"]
        lab.run_module("*", "saltutil.sync_all")
        lab.run_runner("saltutil.sync_all")
        yield lab


@pytest.mark.slow
def test_a_synced_tree_copies(synced):
    synced.machine("alpha").run(["sh", "-c", "mkdir /srv/data && echo hello >/srv/data/file"])
    done = synced.run_runner("transfer.copy", src="alpha:/srv/data", dst="beta:/srv/")
    assert (done.returncode, done.data["result"]) == (0, "ok"), done.stderr
    assert synced.machine("beta").run(["cat", "/srv/data/file"]).stdout == "hello\n"


@pytest.mark.slow
def test_a_synced_tree_brings_every_module(synced):
    for name in MODULES:
        listed = synced.run_module("beta", "sys.list_functions", name).data["beta"]
        assert listed, name


# --- a repository that gitfs serves ----------------------------------------------------------------------------------

EXAMPLE = "https://git.example.com/salt-transfer.git"


def gitfs():
    """What the page says of gitfs, with a repository that is there."""
    page = (CHECKOUT / "docs/operations.md").read_text()
    (block,) = re.findall(r"```yaml\n(fileserver_backend: .*?)```", page, re.DOTALL)
    return yaml.safe_load(block.replace(EXAMPLE, f"file://{CODE_ROOT}"))


COMMIT = f"""
cd {CODE_ROOT}
git init --quiet --initial-branch=main
git add --all
git -c user.name=lab -c user.email=lab@lab.invalid commit --quiet --message='As it is'
"""


@pytest.mark.slow
def test_a_repository_served_by_gitfs_is_synced_and_copies():
    with Lab(minions=("alpha", "beta"), install="none", master_config=gitfs()) as lab:
        install_code(lab.master)
        lab.master.run(["sh", "-euc", COMMIT])
        lab.run_runner("fileserver.update", "gitfs")
        lab.run_module("*", "saltutil.sync_all")
        lab.run_runner("saltutil.sync_all")
        assert "transfer.copied" in lab.run_module("beta", "sys.list_state_functions", "transfer").data["beta"]
        lab.machine("alpha").run(["sh", "-c", "mkdir /srv/data && echo hello >/srv/data/file"])
        done = lab.run_runner("transfer.copy", src="alpha:/srv/data", dst="beta:/srv/")
        assert (done.returncode, done.data["result"]) == (0, "ok"), done.stderr


# --- a wheel ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The python of a fresh virtual environment with our wheel, in which Salt is what runs this test."""
    place = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(place)
    subprocess.run([sys.executable, "-m", "venv", place / "fresh"], check=True)
    python = place / "fresh/bin/python"
    lend_packages(python)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], check=True)
    return python


def build_wheel(place):
    """Built from a copy, because building writes into the tree."""
    source = place / "source"
    source.mkdir()
    for part in PARTS:
        found = CHECKOUT / part
        shutil.copytree(found, source / part) if found.is_dir() else shutil.copy(found, source)
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", f"--wheel-dir={place}"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    return next(place.glob("*.whl"))


def lend_packages(python):
    """Let the environment find the packages of the one that runs this test, Salt among them."""
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    Path(own, "lent.pth").write_text("".join(f"{each}\n" for each in sys.path if each.endswith("-packages")))


LOADED = """
import json, salt.config, salt.loader, sys
root = sys.argv[1]
places = {"cachedir": root, "pki_dir": root, "sock_dir": root, "extension_modules": root, "id": "one"}
minion = {**salt.config.DEFAULT_MINION_OPTS, **places, "__role": "minion", "grains": {}, "pillar": {}}
master = {**salt.config.DEFAULT_MASTER_OPTS, **places, "__role": "master"}
import transferplan.version, datamover.version
modules = salt.loader.minion_mods(minion)
states = salt.loader.states(minion, modules, {}, None)
print(json.dumps({
    "modules": sorted({name.partition(".")[0] for name in modules}),
    "runners": sorted(name for name in salt.loader.runner(master) if name.startswith("transfer.")),
    "states": sorted(name for name in states if name.startswith("transfer.")),
    "files": [transferplan.__file__, datamover.__file__],
    "versions": [transferplan.version.VERSION, datamover.version.VERSION],
}))
"""


@pytest.fixture(scope="module")
def loaded(installed, tmp_path_factory):
    """What Salt finds there, without any configuration that would point at the checkout."""
    root = tmp_path_factory.mktemp("root")
    done = subprocess.run(
        [installed, "-I", "-c", LOADED, root], check=True, capture_output=True, text=True, cwd=root, env={"PATH": ""}
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_wheel_brings_every_module_and_the_runner(loaded):
    assert set(MODULES) <= set(loaded["modules"])
    assert {"transfer.copy", "transfer.plan", "transfer.list"} <= set(loaded["runners"])


def test_a_wheel_stands_alone(loaded, installed):
    assert all(str(installed.parents[1]) in path for path in loaded["files"])
    assert set(loaded["versions"]) == {VERSION}


def test_a_wheel_holds_every_file_of_the_tree(installed):
    listed = subprocess.run(
        [installed, "-m", "pip", "show", "--files", "saltext-transfer"], check=True, capture_output=True, text=True
    ).stdout
    for folder in CODE:
        for path in (CHECKOUT / folder).rglob("*.py"):
            assert f"{path.relative_to(CHECKOUT / folder)}\n" in listed
