"""Packages as users get them: sdist and wheel in environments of both Salts, the Debian package in the lab."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from lab import Lab
from lab.salt import NEWEST, NOT_IN_A_CLONE, VERSIONS, salt_directory

from tests.conftest import CHECKOUT
from tests.integration.test_install import LOADED, MODULES
from tests.support.runs import assert_ok
from transferplan.version import VERSION

# Both Salts load the wheel in every run; in the long form both use the packages.
USED = [pytest.param(each, marks=[] if each == NEWEST else [pytest.mark.slow]) for each in VERSIONS]
SDIST = "import setuptools.build_meta as build, sys; print(build.build_sdist(sys.argv[1]))"
ASK_PATHS = "import sysconfig; print(sysconfig.get_path('purelib'))"
KIT = ["dpkg-buildpackage", "dh", "lintian"]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """What the sdist unpacks to; it is built in a copy, because building writes into the tree."""
    place = tmp_path_factory.mktemp("sdist")
    copy = place / "copy"
    shutil.copytree(CHECKOUT, copy, ignore=NOT_IN_A_CLONE)
    done = subprocess.run([sys.executable, "-c", SDIST, place], cwd=copy, check=True, capture_output=True, text=True)
    with tarfile.open(place / done.stdout.split()[-1]) as archive:
        archive.extractall(place)
    return next(place.glob(f"saltext*-{VERSION}"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    place = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", f"--wheel-dir={place}"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, sdist], check=True)
    return next(place.glob("*.whl"))


# --- a wheel, made of the sdist, in both Salts -----------------------------------------------------------------------


@pytest.fixture(scope="module", params=VERSIONS)
def environment(request, wheel, tmp_path_factory):
    """A fresh environment with our wheel alone, which finds the packages of one Salt beside it."""
    place = tmp_path_factory.mktemp("fresh") / "environment"
    salt = salt_directory(request.param) / "python"
    subprocess.run([salt, "-m", "venv", place], check=True)
    python = place / "bin/python"
    own, lent = (output(each, "-c", ASK_PATHS) for each in (python, salt))
    Path(own, "lent.pth").write_text(f"{lent}\n")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    return place


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


def test_a_wheel_is_loaded_whole(environment, tmp_path):
    python = environment / "bin/python"
    told = json.loads(output(python, "-I", "-c", LOADED, tmp_path, cwd=tmp_path, env={"PATH": ""}).splitlines()[-1])
    assert set(MODULES) <= set(told["modules"])
    assert {"transfer.copy", "transfer.start", "transfer.settings"} <= set(told["runners"])
    assert "transfer.copied" in told["states"]
    assert all(str(environment) in path for path in told["files"])
    assert set(told["versions"]) == {VERSION}


def test_a_wheel_brings_what_is_served_and_read(environment):
    share = environment / "share"
    served = {path.name for path in (share / "salt-transfer/orch").iterdir()}
    assert served == {path.name for path in (CHECKOUT / "orch").glob("*.sls")}
    assert (share / "salt-transfer/reactor/copy_when_ready.sls").exists()
    assert (share / "man/man7/salt-transfer.7").exists()
    assert dead_links(share / "doc/salt-transfer") == []


def dead_links(place):
    """Pages to which README leads and that are not where it says, from its directory on."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    return [name for name in sorted(set(re.findall(r"\]\((docs/[\w/.-]+)", text))) if not (place / name).exists()]


OURS = "/opt/ours"
DROP_IN = f"[Service]\nEnvironment=PYTHONPATH={OURS}\n"


@pytest.fixture(scope="module", params=USED)
def installed_wheel(request, wheel):
    """A lab in which each Python of Salt has our wheel, and Salt knows of us by that alone."""
    with Lab(minions=("alpha", "beta"), salt=request.param, install="none") as lab:
        for machine in lab.machines.values():
            shutil.copy(wheel, machine.path("/root"))
            options = ["--quiet", "--no-index", "--no-deps", f"--target={OURS}"]
            machine.run(["python", "-m", "pip", "install", *options, f"/root/{wheel.name}"])
            daemon = "salt-master" if machine is lab.master else "salt-minion"
            place = f"/etc/systemd/system/{daemon}.service.d/wheel.conf"
            machine.run(["install", "-D", "/dev/stdin", place], input=DROP_IN)
            machine.run(["systemctl", "daemon-reload"])
        restart(lab)
        yield lab


@pytest.mark.slow
def test_installed_as_a_wheel_it_copies(installed_wheel):
    lab = installed_wheel
    lab.machine("alpha").run(["sh", "-c", "mkdir /srv/data && echo hello >/srv/data/file"])
    salt_run = ["env", f"PYTHONPATH={OURS}", "salt-run", "--config-dir=/etc/salt", "--out=json"]
    told = json.loads(lab.master.output(*salt_run, "transfer.copy", "src=alpha:/srv/data", "dst=beta:/srv/"))
    assert (told["result"], told["receipt"]["proved"]) == ("ok", True)
    assert lab.machine("beta").output("cat", "/srv/data/file") == "hello"


# --- a Debian package ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deb(sdist, tmp_path_factory):
    lacking = [tool for tool in KIT if not shutil.which(tool)]
    if lacking:
        pytest.skip(f"this host lacks {', '.join(lacking)}, see BUILD_PACKAGES in ./dev")
    place = tmp_path_factory.mktemp("deb")
    shutil.copytree(sdist, place / "source")
    subprocess.run(["dpkg-buildpackage", "-us", "-uc", "-b"], cwd=place / "source", check=True, capture_output=True)
    return next(place.glob("*.deb"))


def test_lintian_finds_nothing(deb):
    done = subprocess.run(["lintian", "--fail-on=error,warning", deb], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture(scope="module", params=USED)
def installed(request, deb):
    """A lab in which Salt knows of us by the package alone."""
    with Lab(minions=("alpha", "beta"), salt=request.param, install="none") as lab:
        for machine in lab.machines.values():
            shutil.copy(deb, machine.path("/root/own.deb"))
            machine.run(["dpkg", "--install", "/root/own.deb"])
        restart(lab)
        yield lab


def restart(lab):
    """Restart all of Salt; return when it works."""
    lab.master.run(["systemctl", "restart", "salt-master"])
    with lab.bus() as bus:
        for name in lab.minions:
            lab.machine(name).run(["systemctl", "restart", "salt-minion"])
        bus.await_start(lab.minions)


def test_installed_it_copies_and_removed_it_leaves_the_records_alone(installed):
    alpha, beta = installed.machine("alpha"), installed.machine("beta")
    alpha.run(["sh", "-c", "mkdir /srv/data && echo hello >/srv/data/file"])
    assert_ok(installed.run_runner("transfer.copy", src="alpha:/srv/data", dst="beta:/srv/"))
    assert beta.output("cat", "/srv/data/file") == "hello"
    swept = installed.run_module("beta", "schedule.show_next_fire_time", "salt-transfer-sweep").data["beta"]
    assert swept["result"] and swept["next_fire_time"]
    assert "SALT-TRANSFER(7)" in beta.output("man", "salt-transfer")
    assert dead_links(beta.path("/usr/share/doc/salt-transfer")) == []
    beta.run(["dpkg", "--purge", "salt-transfer"])
    assert beta.run(["test", "-e", "/usr/share/salt-transfer"], check=False).returncode == 1
    assert beta.run(["test", "-e", "/etc/salt/minion.d/00-salt-transfer.conf"], check=False).returncode == 1
    assert beta.run(["test", "-d", "/var/lib/salt-transfer/runs"], check=False).returncode == 0
