"""What the files of a data directory, and processes in it, tell of a server that does not answer."""

import os
import shutil
import subprocess

import pytest

from replicahost import traces
from tests.support.waiting import eventually

FOLLOWS = "33\nb.000001\n330\n10.0.0.1\nrepl\na secret\n3306\n"


@pytest.fixture
def datadir(tmp_path):
    """Of a server that holds one schema and followed nobody."""
    place = tmp_path / "mysql"
    for name in ("shop", "mysql", "sys", "#rocksdb", "#innodb_redo", ".snapshot"):
        (place / name).mkdir(parents=True)
    (place / "shop/item.ibd").touch()
    (place / "multi-master.info").touch()
    return place


def test_a_primary_holds_schemas_and_names_nobody_whom_it_follows(datadir):
    assert traces.files(str(datadir)) == {"schemas": 1, "channels": 0, "galera": False, "elsewhere": []}


@pytest.mark.parametrize(
    ("names", "channels"), [(("master.info",), 1), (("master-two.info",), 1), (("master.info", "master-two.info"), 2)]
)
def test_a_replica_names_whom_it_followed_and_no_secret_is_told(datadir, names, channels):
    for name in names:
        (datadir / name).write_text(FOLLOWS)
    told = traces.files(str(datadir))
    assert told["channels"] == channels
    assert "secret" not in repr(told)


@pytest.mark.parametrize("text", ["", "33\nb.000001\n330\n\n\n\n", "33\n"])
def test_a_file_that_names_nobody_is_no_sign_of_a_replica(datadir, text):
    (datadir / "master.info").write_text(text)
    assert traces.files(str(datadir))["channels"] == 0


def test_a_node_of_galera_is_known_by_its_state(datadir):
    (datadir / "grastate.dat").touch()
    assert traces.files(str(datadir))["galera"]


def test_nothing_is_told_of_data_that_is_gone(tmp_path):
    told = {"schemas": 0, "channels": 0, "galera": False, "elsewhere": []}
    assert traces.files(str(tmp_path / "gone")) == told
    assert traces.files(str(tmp_path)) == told


def test_what_leads_to_data_elsewhere_is_named(datadir, tmp_path):
    (datadir / "shop/remote.isl").write_text("/fast/shop/remote.ibd")
    (datadir / "shop/old.MYD").symlink_to("/fast/old.MYD")
    (datadir / "blog").symlink_to(tmp_path)
    (datadir / "ibdata2").symlink_to("/fast/ibdata2")
    (datadir / "ca.pem").symlink_to("/etc/ssl/ca.pem")
    assert traces.elsewhere(datadir) == ["blog", "ibdata2", "shop/old.MYD", "shop/remote.isl"]


@pytest.fixture
def server(datadir):
    """A process that is called as the server is, and works in the data directory as it does."""
    program = datadir.parent / "mariadbd"
    shutil.copy2(shutil.which("sleep"), program)
    with subprocess.Popen([program, "600"], cwd=datadir) as started:
        yield started
        started.kill()


def test_a_server_is_found_by_where_it_works_also_after_its_data_was_removed(datadir, server, tmp_path):
    assert eventually(lambda: traces.servers_in(str(datadir)) == [server.pid])
    (tmp_path / "link").symlink_to(datadir)
    assert traces.servers_in(str(tmp_path / "link")) == [server.pid]
    assert traces.servers_in(str(tmp_path)) == []
    shutil.rmtree(datadir)
    assert traces.servers_in(str(datadir)) == [server.pid]


def test_a_server_is_found_by_the_directory_itself_where_it_knows_that_by_another_path(datadir, server, monkeypatch):
    """As through a mount of its own."""
    assert eventually(lambda: traces.servers_in(str(datadir)) == [server.pid])
    monkeypatch.setattr(traces.os, "readlink", lambda _place: "/var/lib/elsewhere")
    assert traces.servers_in(str(datadir)) == [server.pid]
    assert traces.servers_in(str(datadir.parent)) == []


def test_whoever_else_works_there_is_no_server(datadir):
    with subprocess.Popen(["sleep", "600"], cwd=datadir) as other:
        assert eventually(lambda: os.readlink(f"/proc/{other.pid}/cwd") == str(datadir))
        assert traces.servers_in(str(datadir)) == []
        other.kill()
