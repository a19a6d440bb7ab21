"""The programs by which a host takes a backup of its own server and prepares one: real processes in their place."""

import contextlib
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from replicahost import server, streaming
from replicaplan.errors import BackupUnfit
from tests.conftest import CHECKOUT
from tests.support.waiting import eventually

INFO = "end_time = 2026-11-01 10:00:00\nserver_version = 10.11.6-MariaDB\n"
BACKS_UP = "printf data; echo 'completed OK!' >&2"
CHECKPOINTS = "backup_type = full-backuped\n"
UNPACKS = f"cat > data; printf '{INFO}' > xtrabackup_info; printf '{CHECKPOINTS}' > xtrabackup_checkpoints"
NEVER_ENDS = "trap '' TERM; echo $$ > {pids}/$$; exec sleep 600"


class Database:
    """A server that follows nobody and needs no login."""

    def rows(self, _query):
        return []

    @contextlib.contextmanager
    def login(self):
        yield "/dev/null", ()


FOUND = SimpleNamespace(running=True, socket="/run/s.sock", datadir="/srv/mysql", server=Database())


def place_tools(place, backs_up, unpacks):
    """{name: path} of programs that do this."""
    for name, script in (("tool", backs_up), ("unpacker", unpacks)):
        (place / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)
    return lambda names, _what: str(place / ("unpacker" if "mbstream" in names else "tool"))


@pytest.fixture
def take(tmp_path, monkeypatch):
    """take(what the tool does, what the unpacker does) -> the backup."""

    def take(backs_up, unpacks):
        (tmp_path / "bin").mkdir()
        monkeypatch.setattr(server, "find_tool", place_tools(tmp_path / "bin", backs_up, unpacks))
        (tmp_path / "srv").mkdir()
        return streaming.take(FOUND, str(tmp_path / "srv/backup"), 1)

    return take


def test_a_backup_has_its_name_when_both_have_ended_well(take, tmp_path):
    assert take(BACKS_UP, UNPACKS).complete
    assert (tmp_path / "srv/backup/data").read_text() == "data"
    assert os.listdir(tmp_path / "srv") == ["backup"]


@pytest.mark.parametrize(
    ("backs_up", "unpacks", "words"),
    [
        ("printf data; echo 'no room' >&2; exit 3", UNPACKS, "ended with status 3: no room"),
        ("printf data; echo 'the end' >&2", UNPACKS, "ended with status 0: the end"),
        (BACKS_UP, "cat > /dev/null; echo 'bad magic' >&2; exit 1", "-x` ended with status 1: bad magic"),
        ("yes || true; echo 'completed OK!' >&2", "exit 1", "-x` ended with status 1"),
    ],
)
def test_what_either_of_them_fails_at_is_told_and_nothing_is_left(take, tmp_path, backs_up, unpacks, words):
    with pytest.raises(BackupUnfit, match=words):
        take(backs_up, unpacks)
    assert os.listdir(tmp_path / "srv") == []


TAKES = """
server.find_tool = place_tools(place, NEVER_ENDS.format(pids=place / "pids"), NEVER_ENDS.format(pids=place / "pids"))
streaming.take(FOUND, str(place / "backup"), 1)
"""
PREPARES = """
backup.find_tool = place_tools(place, VERSION + NEVER_ENDS.format(pids=place / "pids"), "")
(place / "backup").mkdir()
(place / "backup/xtrabackup_info").write_text(INFO)
(place / "backup/xtrabackup_checkpoints").write_text(CHECKPOINTS)
backup.prepare(str(place / "backup"))
"""
JOB = """
import sys
from pathlib import Path
from tests.functional.replicahost.test_streaming import *
from replicahost import backup
place = Path(sys.argv[1])
"""
VERSION = "[ $1 = --version ] && echo 'based on MariaDB server 10.11.6-MariaDB' && exit\n"


@pytest.mark.parametrize(("work", "programs"), [(TAKES, 2), (PREPARES, 1)])
def test_no_program_outlives_a_job_that_is_killed(tmp_path, work, programs):
    (tmp_path / "pids").mkdir()
    paths = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "_utils")])
    job = subprocess.Popen([sys.executable, "-c", JOB + work, tmp_path], env={**os.environ, "PYTHONPATH": paths})
    assert eventually(lambda: len(os.listdir(tmp_path / "pids")) == programs)
    pids = [int(name) for name in os.listdir(tmp_path / "pids")]
    assert all(os.path.exists(f"/proc/{pid}") for pid in pids)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))
