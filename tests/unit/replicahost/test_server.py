"""With what the client logs in at a server: what is said here, and what the administrator's own file says."""

import subprocess
from pathlib import Path

import pytest

from replicahost import server
from replicahost.server import Server
from replicaplan.errors import NoDatabase


@pytest.fixture
def own(tmp_path):
    """The administrator's own file."""
    own = tmp_path / "my.cnf"
    own.write_text("[client]\nuser=admin\npassword=secret\nsocket=/run/own.sock\n")
    return own


def options(server):
    """What the client would take: of what is said twice the last."""
    with server.login() as (path, descriptors):
        text = subprocess.run(["cat", path], pass_fds=descriptors, capture_output=True, text=True, check=True).stdout
    found = {}
    for line in _included(text):
        name, equals, value = line.partition("=")
        if equals:
            found[name] = value.strip('"')
    return found


def _included(text):
    for line in text.splitlines():
        if line.startswith("!include "):
            yield from Path(line.removeprefix("!include ")).read_text().splitlines()
        else:
            yield line


def test_the_socket_and_the_user_that_are_named_count_beside_a_file(own):
    found = options(Server("/run/b.sock", "backup", defaults_file=str(own)))
    assert found == {"socket": "/run/b.sock", "user": "backup", "password": "secret"}


def test_what_is_only_assumed_gives_way_to_the_file(own):
    found = options(Server("/run/mysqld/mysqld.sock", defaults_file=str(own), sure=False))
    assert found == {"socket": "/run/own.sock", "user": "admin", "password": "secret"}


def test_where_the_file_names_no_socket_that_of_the_servers_own_files_is_taken(own):
    own.write_text("[client]\nuser=admin\n")
    assert options(Server("/srv/x.sock", defaults_file=str(own), sure=False))["socket"] == "/srv/x.sock"


def test_without_a_file_all_is_what_is_said():
    assert options(Server("/run/b.sock", password="x")) == {"socket": "/run/b.sock", "user": "root", "password": "x"}


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NoDatabase, match="which is no file of this host"), Server("/s", defaults_file="/no/f").login():
        pass


def test_no_secret_and_no_statement_is_in_an_argv_or_an_environment(monkeypatch):
    seen = []

    def run(argv, **given):
        seen.append((argv, given["env"], given["input"]))
        return subprocess.CompletedProcess(argv, 0, b"", b"")

    monkeypatch.setattr(server.subprocess, "run", run)
    monkeypatch.setattr(server, "find_tool", lambda *_: "mariadb")
    Server("/s", "repl", "my secret").do("CHANGE MASTER TO MASTER_PASSWORD='of replication'")
    ((argv, environment, given),) = seen
    assert b"of replication" in given
    for secret in ("my secret", "of replication"):
        assert secret not in " ".join((*argv, *environment, *environment.values()))
