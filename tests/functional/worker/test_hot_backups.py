"""A hot backup of a real MariaDB server through the engine, both ends in this process: what they report and refuse."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from lab.database import TREE

from datamover.disk.safepath import encode_path
from datamover.errors import ArchiveRefused, Cancelled, ConsumerFailed, PeerFailed, ProducerFailed
from datamover.host import process
from datamover.host.rundir import RunDirs
from hosttools.errors import DatabaseRefused, HostToolError
from tests.functional.datamover.ends import Ends
from tests.functional.datamover.streams import Flow
from tests.functional.datamover.test_stream import failed, went_well
from tests.support.waiting import eventually
from tests.unit.hosttools.test_xbstream import end, payload
from tests.unit.transferworker.samples import spec
from transferworker import databases, facts, hotbackups, undoing
from transferworker.login import NAME, InMemory, Login
from transferworker.policy import Policy

LIBRARIES = TREE / "usr/lib/x86_64-linux-gnu"
FILL = """
CREATE DATABASE shop; USE shop;
CREATE TABLE orders (number INT PRIMARY KEY, what VARCHAR(400)) ENGINE=InnoDB;
INSERT INTO orders SELECT seq, REPEAT(MD5(seq), 10) FROM seq_1_to_20000;
CREATE TABLE `odd '$(x)` (number INT) ENGINE=Aria;
CREATE USER backup@localhost IDENTIFIED BY 'it''s "secret"';
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, SLAVE MONITOR, REPLICATION SLAVE ADMIN ON *.* TO backup@localhost;
"""
LOGIN = Login("backup", 'it\'s "secret"')

pytestmark = pytest.mark.skipif(not TREE.is_dir() or os.geteuid(), reason="MariaDB is not unpacked here, or no root")


@pytest.fixture(autouse=True)
def everything_closed():
    yield
    while Ends.made:
        Ends.made.pop().close()


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """The packages as if they were installed."""
    paths = f"{TREE}/usr/bin:{TREE}/usr/sbin:{process.ENVIRONMENT['PATH']}"
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", paths)
    monkeypatch.setitem(process.ENVIRONMENT, "LD_LIBRARY_PATH", str(LIBRARIES))
    monkeypatch.setenv("PATH", paths)


class Server:
    """A MariaDB that only its socket leads to."""

    def __init__(self, home):
        self.socket, self.datadir = str(home / "s.sock"), str(home / "data")
        self._environment = {**process.ENVIRONMENT}
        base = [f"--basedir={TREE}/usr", f"--datadir={self.datadir}", "--user=root", "--no-defaults"]
        install = ["mariadb-install-db", "--no-defaults", *base[:-1], "--auth-root-authentication-method=normal"]
        self._run([*install, "--skip-test-db"])
        share = [f"--lc-messages-dir={TREE}/usr/share/mysql", f"--plugin-dir={TREE}/usr/lib/mysql/plugin"]
        more = [
            "--skip-networking",
            "--log-bin=b",
            "--server-id=1",
            f"--pid-file={home}/pid",
            "--innodb-buffer-pool-size=16M",
        ]
        self._process = subprocess.Popen(
            ["mariadbd", "--no-defaults", *base[:-1], *share, f"--socket={self.socket}", *more],
            env=self._environment,
            stderr=subprocess.DEVNULL,
        )
        assert eventually(lambda: self.sql("SELECT 1", check=False) == "1\n")
        self.sql(FILL)

    def _run(self, argv, check=True, **options):
        return subprocess.run(argv, env=self._environment, capture_output=True, text=True, check=check, **options)

    def sql(self, statements, check=True):
        client = ["mariadb", "--no-defaults", "-S", self.socket, "-u", "root", "-N", "-B"]
        return self._run(client, check=check, input=statements).stdout

    @property
    def sql_runs(self):
        """Whether the SQL thread of its replication runs."""
        client = ["mariadb", "--no-defaults", "-S", self.socket, "-u", "root", "-B"]
        names, values = self._run(client, input="SHOW SLAVE STATUS").stdout.splitlines()
        return dict(zip(names.split("\t"), values.split("\t"), strict=True))["Slave_SQL_Running"] == "Yes"

    def stop(self):
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setitem(process.ENVIRONMENT, "PATH", f"{TREE}/usr/bin:{TREE}/usr/sbin:{process.ENVIRONMENT['PATH']}")
    patch.setitem(process.ENVIRONMENT, "LD_LIBRARY_PATH", str(LIBRARIES))
    server = Server(tmp_path_factory.mktemp("server"))
    patch.undo()
    yield server
    server.stop()


@pytest.fixture
def backup(tmp_path, server):
    """backup(**changes of the stream) -> a Flow from the server to a directory."""
    (tmp_path / "place").mkdir()
    asked = {
        "type": "xtrabackup",
        "tool": "mariabackup",
        "unpacker": "mbstream",
        "vendor": "mariadb",
        "server_version": "10.11",
        "datadir": encode_path(os.fsencode(server.datadir)),
        "parallel": 2,
        "slave_info": False,
        "stop_replication": False,
        "keep_stream": False,
    }
    runs = RunDirs(tmp_path / "state")

    def make(password=LOGIN, **changes):
        settings = {"settings__verify": "flight", "stream": {**asked, **changes}}
        ours = spec("source", path=encode_path(os.fsencode(server.socket)), **settings)
        theirs = spec("destination", path=encode_path(os.fsencode(tmp_path / "place/final")), **settings)
        run = runs.establish(ours)
        password.write(run.path / NAME, server.socket)
        flow = Flow(tmp_path / "place", hotbackups.BackupSource(run, ours), None)
        flow.consumer = hotbackups.Unpacked(runs.establish(theirs), theirs).sink
        flow.at = run
        return flow

    return make


def test_a_backup_arrives_with_all_its_files_and_where_the_donor_was(backup, server):
    flow = backup()
    sent, received = went_well(flow)
    assert received.report["prepared"] is False and received.report["files"] > 100
    assert received.report["tool_version"].startswith("10.11") and received.report["end_time"]
    file, position = server.sql("SHOW MASTER STATUS").split()[:2]
    assert received.report["coordinates"] == {
        "file": file,
        "position": int(position),
        "gtid": received.report["coordinates"]["gtid"],
    }
    assert sent.report["coordinates"] == received.report["coordinates"]
    assert {"ibdata1", "shop", "xtrabackup_info"} < {*os.listdir(flow.arrived)}
    flow.close()
    flow.made.remove(flow)
    assert not os.path.exists(flow.at.path / "scratch")


def test_a_stream_is_kept_as_it_is(backup):
    flow = backup(keep_stream=True)
    _, received = went_well(flow)
    assert received.report["kept_as"] == "stream" and received.report["bytes"] == flow.arrived.stat().st_size
    assert received.report["files"] > 100


def test_xtrabackup_is_called_by_the_same_interface(backup, tmp_path, monkeypatch):
    """Percona's tools are not to be had here: under their names MariaDB's are, which take the same words."""
    for name, real in (("xtrabackup", "mariabackup"), ("xbstream", "mbstream")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", f"{tmp_path}/bin:{process.ENVIRONMENT['PATH']}")
    _, received = went_well(backup(tool="xtrabackup", unpacker="xbstream", vendor="percona"))
    assert (received.report["tool"], received.report["prepared"]) == ("xtrabackup", False)


def test_no_secret_is_in_the_argv_while_it_runs(backup):
    flow = backup()
    seen = []
    begin = flow.producer._program.begin

    def look(stop):
        begin(stop)
        command = Path(f"/proc/{flow.producer._program._child.pid}/cmdline")
        assert eventually(lambda: command.read_bytes().startswith(b"mariabackup"))
        seen.append(command.read_bytes())

    flow.producer._program.begin = look
    went_well(flow)
    assert LOGIN.password.encode() not in seen[0] and b"password" not in seen[0]


def test_a_wrong_password_fails_with_the_tools_own_words(backup):
    ours, theirs = failed(backup(Login("backup", "wrong")))
    assert isinstance(ours, ProducerFailed) and "Access denied" in ours.text and isinstance(theirs, PeerFailed)


def test_an_empty_stream_is_no_backup(backup):
    flow = backup(tool="mariabackup")
    flow.producer._program._argv = ("true",)
    flow.producer._program._judge = lambda _said: {}
    _, theirs = failed(flow)
    assert isinstance(theirs, ConsumerFailed) and "holds nothing" in theirs.text


@pytest.fixture
def made(backup, tmp_path):
    """made(stream, **changes) -> a Flow of which the source sends these bytes in place of a backup."""

    def make(stream, **changes):
        (tmp_path / "stream").write_bytes(stream)
        flow = backup(**changes)
        flow.producer._program._argv = ("cat", str(tmp_path / "stream"))
        flow.producer._program._judge = lambda _said: {}
        return flow

    return make


EVIL = payload(b"fine", 0, b"fine") + end(b"fine")


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("up", [b"../" * 2, b"shop/" + b"../" * 3])
def test_a_name_that_leads_out_of_the_backup_never_gets_to_the_tool(made, tmp_path, up, kept):
    path = up + b"evil"
    flow = made(EVIL + payload(path, 0, b"evil") + end(path), keep_stream=kept)
    _, theirs = failed(flow)
    assert isinstance(theirs, ArchiveRefused) and "leads out" in theirs.text
    assert not list(tmp_path.rglob("evil"))


def test_an_absolute_name_never_gets_to_the_tool(made, tmp_path):
    path = os.fsencode(tmp_path / "evil")
    _, theirs = failed(made(EVIL + payload(path, 0, b"evil") + end(path)))
    assert isinstance(theirs, ArchiveRefused) and not (tmp_path / "evil").exists()


def test_what_this_version_cannot_read_never_gets_to_the_tool(made):
    _, theirs = failed(made(EVIL + end(b"../evil", b"R")))
    assert isinstance(theirs, ArchiveRefused) and "keep_stream=True" in theirs.text


def test_a_tool_that_ends_well_without_its_last_word_is_not_believed(backup):
    flow = backup()
    flow.producer._program._argv = ("sh", "-c", "cat /dev/null; echo almost >&2")
    ours, _ = failed(flow)
    assert isinstance(ours, ProducerFailed) and "did not say that it completed" in ours.text


@pytest.mark.parametrize("lost", ["xtrabackup_info", "ibdata1"])
def test_a_file_that_is_not_there_in_the_end_fails_it(backup, lost, monkeypatch):
    flow = backup()
    inspect = flow.consumer._inspect

    def lose(place, report):
        os.unlink(lost, dir_fd=place)
        return inspect(place, report)

    flow.consumer._inspect = lose
    _, theirs = failed(flow)
    assert isinstance(theirs, ConsumerFailed) and lost in theirs.text


def test_a_cancel_ends_mariabackup(backup):
    flow = backup()
    child = []

    def cancel():
        assert eventually(lambda: flow.producer._program._child)
        child.append(flow.producer._program._child)
        flow.alpha.stop.set(Cancelled("the test cancelled it"))

    flow.alpha.at_phase("moving", lambda: threading.Thread(target=cancel).start())
    failed(flow)
    assert child[0].status is not None and not os.path.exists(f"/proc/{child[0].pid}")


@pytest.fixture
def replicating(server):
    """The server as a replica of nobody who answers; its SQL thread runs all the same."""
    server.sql(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USE_GTID=slave_pos; START SLAVE SQL_THREAD"
    )
    yield lambda: server.sql_runs
    server.sql("STOP SLAVE; RESET SLAVE ALL")


@pytest.mark.parametrize("how", ["well", "fails"])
def test_replication_is_held_for_the_backup_and_then_as_it_was(backup, replicating, how):
    flow = backup(stop_replication=True, tool="mariabackup" if how == "well" else "false", slave_info=True)
    seen = []
    begin = flow.producer._program.begin
    flow.producer._program.begin = lambda stop: (seen.append(replicating()), begin(stop))
    assert replicating()
    went_well(flow) if how == "well" else failed(flow)
    assert (seen, replicating()) == ([False], True)
    assert flow.at.undo.pending() == []


def test_replication_that_did_not_run_is_not_started(backup, replicating, server):
    server.sql("STOP SLAVE SQL_THREAD")
    flow = backup(stop_replication=True)
    went_well(flow)
    assert not replicating()


def test_replication_that_cannot_go_on_is_left_to_the_undo_log(backup, replicating, monkeypatch):
    flow = backup(stop_replication=True, tool="false")

    def gone(*_call, **_details):
        raise DatabaseRefused("the server went away")

    monkeypatch.setattr(hotbackups, "resume_replication", gone)
    ours, _ = failed(flow)
    assert isinstance(ours, ProducerFailed)
    assert [change.what for change in flow.at.undo.pending()] == ["replication"]


# Facts


def look(server, login=LOGIN, **changes):
    host = facts.Host("alpha", "", "/nowhere", {"port": 0, "ports": [4400, 4499]}, Policy(), login)
    ask = {"role": "source", "path": encode_path(os.fsencode(server.socket)), "settings": {"type": "xtrabackup"}}
    return facts.look(host, {**ask, **changes})


def test_what_facts_tell_of_a_donor(server):
    told = look(server)
    donor = told["backup"]["server"]
    assert (donor["vendor"], donor["user"], donor["replication"]) == ("mariadb", "backup@localhost", [])
    assert donor["datadir"] == encode_path(os.fsencode(server.datadir))
    assert {"RELOAD", "BINLOG MONITOR"} < {*donor["privileges"]}
    assert told["backup"]["tools"]["mariabackup"].startswith("10.11") and told["backup"]["unpackers"] == ["mbstream"]
    assert told["source"]["bytes"] > 10 << 20 and told["source"]["kind"] == "socket"
    assert "secret" not in str(told)


def test_the_policy_counts_for_the_data_too(server):
    host = facts.Host(
        "alpha",
        "",
        "/nowhere",
        {"port": 0, "ports": [4400, 4499]},
        Policy.read({"sources": {"deny": [server.datadir]}}),
        LOGIN,
    )
    ask = {"role": "source", "path": encode_path(os.fsencode(server.socket)), "settings": {"type": "xtrabackup"}}
    assert [reason for reason in facts.look(host, ask)["policy"]["reasons"] if "may not be read" in reason]


@pytest.mark.parametrize("path, words", [("/nowhere/s.sock", "there is no socket"), ("/etc/passwd", "it is no socket")])
def test_what_is_no_server_is_told_in_words(path, words):
    assert words in databases.donor_at(path.encode(), LOGIN)["trouble"]


def test_a_wrong_login_is_told_in_the_servers_words(server):
    told = databases.donor_at(server.socket.encode(), Login("backup", "wrong"))
    assert told["server"] is None and "Access denied" in told["trouble"]


# Undoing


def test_replication_is_resumed_by_whoever_undoes_and_the_login_goes_last(backup, server, tmp_path):
    run = backup().at
    run.undo.register("login")
    run.undo.register("replication", vendor="mariadb", names=["nobody"])
    troubles = run.undo.run(undoing.handlers(run, {"result": "failed", "error": None}))
    assert "no such connection" in troubles[0].lower() or "nobody" in troubles[0]
    assert (run.path / NAME).exists(), "it is still needed"
    server.sql("CHANGE MASTER 'nobody' TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USE_GTID=slave_pos")
    try:
        assert run.undo.run(undoing.handlers(run, {"result": "failed", "error": None})) == []
        assert not (run.path / NAME).exists()
        with pytest.raises(HostToolError):
            hotbackups.resume_replication(run, "mariadb", ["nobody"])
    finally:
        server.sql("STOP ALL SLAVES; RESET SLAVE 'nobody' ALL")


def test_a_login_is_readable_for_root_alone(tmp_path):
    LOGIN.write(tmp_path / NAME, "/run/s.sock")
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    with InMemory(LOGIN, "/run/s.sock") as path, open(path, encoding="utf-8") as file:
        assert file.read() == (tmp_path / NAME).read_text()
