"""The script ./dev: what it returns, and that nothing of a lab stays on the host."""
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import eventually

CHECKOUT = Path(__file__).parents[3]
DEV = CHECKOUT / "dev"
NOBODY = 65534


@pytest.fixture
def place(tmp_path):
    """An empty directory where ./dev puts its labs."""
    return tmp_path


def lab_command(*command):
    return [DEV, "lab", "--salt", "none", "--minions", "one", "--", *command]


def environment(place):
    return {**os.environ, "SALT_TRANSFER_LAB_DIR": str(place)}


def control_groups(name):
    return subprocess.run(["find", "/sys/fs/cgroup", "-name", name], stdout=subprocess.PIPE, text=True).stdout


def test_a_command_runs_in_the_lab_and_gives_its_status(place):
    command = lab_command("sh", "-c", "lab-exec one hostname; basename $LAB_HOME; exit 5")
    done = subprocess.run(command, env=environment(place), stdout=subprocess.PIPE, text=True)
    hostname, home = done.stdout.split()
    assert (hostname, done.returncode) == ("one", 5)
    assert list(place.iterdir()) == []
    assert control_groups(home) == ""


def test_a_lab_that_is_killed_leaves_nothing(place):
    command = lab_command("sh", "-c", "basename $LAB_HOME; sleep 1000")
    process = subprocess.Popen(command, env=environment(place), stdout=subprocess.PIPE, text=True)
    home = process.stdout.readline().strip()
    assert control_groups(home)
    process.kill()
    process.communicate()
    assert eventually(lambda: not list(place.iterdir()))
    assert control_groups(home) == ""


def test_a_normal_user_is_told_what_needs_root():
    with DEV.open() as script:  # on stdin, because the checkout may be where nobody else can read
        done = subprocess.run(["sh", "-s", "lab"], stdin=script, user=NOBODY, cwd="/", capture_output=True, text=True)
    assert done.returncode == 77
    assert "needs root" in done.stderr


@pytest.mark.slow
def test_the_demonstration_ends_well(place):
    done = subprocess.run([DEV, "demo"], env=environment(place), stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert done.stdout.endswith("=== Everything is taken down\n")
    assert "gamma knocks at beta's port" in done.stdout
    assert list(place.iterdir()) == []


def test_without_a_verb_it_says_what_it_does():
    done = subprocess.run([DEV], capture_output=True, text=True)
    assert done.returncode == 0
    assert "./dev test" in done.stdout


def test_an_unknown_verb_is_a_mistake():
    done = subprocess.run([DEV, "tset"], capture_output=True, text=True)
    assert done.returncode == 64
    assert "./dev test" in done.stderr


SCRIPTS = [DEV, *(CHECKOUT / "lab").glob("*.sh"), *(CHECKOUT / "lab/bin").iterdir()]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts_are_faultless(script):
    assert script.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["shellcheck", script], check=True)
