"""The bench as a whole, with a few MiB: real peers, real namespaces, figures on the disk, nothing left behind."""

import json
import os
import subprocess
import sys

import pytest
from bench.network import SPACES

from tests.conftest import CHECKOUT

pytestmark = pytest.mark.root

PRIVATE = ["unshare", "-nmpf", "--kill-child", "--mount-proc", "--propagation", "private"]
SOCAT = "one file, plain / incompressible / salt-transfer, not encrypted / socat"
DAEMON = "one file, plain / incompressible / salt-transfer, not encrypted / rsync daemon"
FALSE_SOCAT = """
case $* in
    *TCP-LISTEN*) exec /usr/bin/socat -u TCP-LISTEN:4711,bind=10.99.0.2 STDOUT ;;
    *) exec /usr/bin/socat -u /dev/null TCP:10.99.0.2:4711 ;;
esac
"""


@pytest.fixture
def figures(tmp_path):
    return tmp_path / "figures.json"


def bench(*arguments, environment=None):
    command = [*PRIVATE, sys.executable, "-m", "bench", "--size", "2M", "--files", "40", "--runs", "1", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def with_false(name, script, folder):
    """An environment in which a program is not what it seems."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def rows(figures):
    return json.loads(figures.read_text(encoding="utf-8"))["rows"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A first run of three rows: what it printed, and its figures."""
    figures = tmp_path_factory.mktemp("bench") / "figures.json"
    wanted = ("one file, plain / * / socat", DAEMON, "many small files / * / rsync daemon")
    return bench("--json", str(figures), *(f"--only={each}" for each in wanted)), figures


def test_peers_and_ours_are_measured_side_by_side(measured):
    done, figures = measured
    assert done.returncode == 0, done.stderr
    assert len(rows(figures)) == 3
    for key, row in rows(figures).items():
        assert "ratio" in row, (key, row)
        for side in (row["ours"], row["theirs"]):
            assert side["seconds"] > 0 and side["processor_per_gib"] > 0
        assert row["ours"]["memory_mib_source"] > 10 < row["ours"]["memory_mib_destination"]


def test_the_table_is_printed(measured):
    done, _ = measured
    assert "MANY SMALL FILES" in done.stdout
    assert "goals that were measured are met." in done.stdout


def test_no_namespace_is_left_on_the_host(measured):
    assert not {*SPACES.values()} & set(os.listdir("/run/netns") if os.path.exists("/run/netns") else [])


def test_what_was_measured_is_kept_and_the_rest_is_added(measured):
    _, figures = measured
    before = rows(figures)
    done = bench("--json", str(figures), "--only", "what proof costs / * / salt-transfer, flight")
    assert done.returncode == 0, done.stderr
    assert {key: rows(figures)[key] for key in before} == before
    assert len(rows(figures)) == len(before) + 1


def test_a_peer_that_delivers_something_else_has_no_figures(figures, tmp_path):
    environment = with_false("socat", FALSE_SOCAT, tmp_path)
    bench("--json", str(figures), "--only", "one file, plain / * / socat", environment=environment)
    assert "did not arrive equal" in rows(figures)[SOCAT]["failed"]


def test_a_peer_that_fails_is_told_with_its_last_words(figures, tmp_path):
    environment = with_false("rsync", "echo no such luck >&2; exit 3", tmp_path)
    done = bench("--json", str(figures), "--only", DAEMON, environment=environment)
    assert done.returncode == 0
    assert "ended with status 3: no such luck" in rows(figures)[DAEMON]["failed"]


def test_without_time_a_row_is_left_out(figures):
    bench("--json", str(figures), "--only", DAEMON, "--time-budget", "0.1s")
    assert rows(figures)[DAEMON]["left_out"] == "no time was left for it"


def test_it_can_receive_on_a_file_system_of_this_host(figures, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    bench("--json", str(figures), "--only", DAEMON, "--destination", str(place))
    assert rows(figures)[DAEMON]["ratio"] > 0
    assert list(place.iterdir()) == []


def test_rows_can_be_listed():
    listed = bench("--list", "--only", "rsync daemon").stdout.splitlines()
    assert DAEMON in listed
    assert all("rsync daemon" in line for line in listed)
