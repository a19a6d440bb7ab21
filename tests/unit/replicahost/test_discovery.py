"""What is made of the words of a server."""

import os
import pwd
from types import SimpleNamespace

import pytest

from replicahost import discovery, starting
from replicahost.settings import Settings
from replicaplan.errors import DatabaseRefuses, DatabaseSilent

STATUS = {
    "Connection_name": "",
    "Master_Host": "10.0.0.1",
    "Master_Port": "3306",
    "Master_Server_Id": "1",
    "Master_User": "repl",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Seconds_Behind_Master": None,
    "Using_Gtid": "No",
    "Master_Log_File": "db1-bin.000009",
    "Read_Master_Log_Pos": "900",
    "Relay_Master_Log_File": "db1-bin.000007",
    "Exec_Master_Log_Pos": "700",
    "Last_IO_Errno": "0",
    "Last_IO_Error": "",
    "Last_SQL_Errno": "0",
    "Last_SQL_Error": "",
}


class Server:
    """Answers with rows."""

    def __init__(self, *rows):
        self._rows = rows

    def rows(self, _statement):
        return list(self._rows)


def test_the_place_that_was_applied_pairs_the_file_with_its_own_position():
    (channel,) = discovery.replication(Server(STATUS))
    assert (channel["executed"], channel["read"]) == (["db1-bin.000007", 700], ["db1-bin.000009", 900])
    assert channel["lag"] is None


def test_the_statement_in_an_error_is_told_to_nobody():
    words = "Error 'Duplicate entry '7' for key 'PRIMARY'' on query. Default database: 'shop'."
    row = {**STATUS, "Last_SQL_Errno": "1062", "Last_SQL_Error": f"{words} Query: 'INSERT INTO item VALUES (7, 'me')'"}
    (channel,) = discovery.replication(Server(row))
    assert channel["sql_error"] == words


class Dataless(Server):
    """Runs on, but its files are gone: it answers from memory alone."""

    def rows(self, statement):
        return [STATUS] if "SLAVES STATUS" in statement else []

    def documents(self, query):
        if "schemata" in query:
            raise DatabaseRefuses("Can't read dir of '/srv/mysql/' (Errcode: 2)")
        return []

    def document(self, query):
        raise DatabaseRefuses("Can't read dir of '/srv/mysql/' (Errcode: 2)")


@pytest.fixture
def dataless(tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "_tools", dict)
    unit = SimpleNamespace(as_dict=dict)
    return SimpleNamespace(
        options={}, unit=unit, running=True, datadir=str(tmp_path / "gone"), socket="/run/s.sock",
        owner=pwd.getpwuid(0), server=Dataless(), options_known=True, configured={"log_bin": "other", "port": "1"},
    )


def test_a_server_whose_data_was_removed_while_it_runs_is_told_as_that(dataless):
    told = discovery.look(dataless)
    assert (told["running"], told["datadir_exists"], told["role"], told["schemas"]) == (True, False, "replica", [])


def test_what_the_next_start_would_have_is_told_of_a_server_that_runs_and_whose_options_can_be_read(dataless):
    assert discovery.look(dataless)["configured"] == {"log_bin": "other"}
    dataless.options_known = False
    assert discovery.look(dataless)["configured"] == {}


@pytest.mark.parametrize(
    ("unit", "owner", "user"),
    [("daemon", 0, "daemon"), ("", 2, pwd.getpwuid(2).pw_name), ("", 0, "mysql"), ("", None, "mysql")],
)
def test_whose_the_data_is_counts_where_the_unit_names_no_user(monkeypatch, unit, owner, user):
    """The options are read as nobody, since no server tells them to root."""
    def stat(_path):
        if owner is None:
            raise FileNotFoundError
        return SimpleNamespace(st_uid=owner)

    monkeypatch.setattr(discovery, "os", SimpleNamespace(stat=stat, path=os.path))
    monkeypatch.setattr(discovery, "pwd", SimpleNamespace(getpwnam=str, getpwuid=pwd.getpwuid))
    options = {"datadir": "/srv/mysql", "user": "nobody"}
    assert discovery.Place(None, SimpleNamespace(user=unit), options, False).owner == user


TABLE = """
Variables (--variable-name=value)
and boolean options {FALSE|TRUE}  Value (after reading options)
--------------------------------- -----------------------------
datadir                           /srv/b/
socket                            /run/b.sock
"""


@pytest.fixture
def silent(monkeypatch):
    """A host on which nobody answers, whose unit starts the server in this way; the calls of programs that were made.
    """
    calls = []

    def run(command, _patience=0):
        calls.append(command.argv)
        return discovery.process.Result(0, TABLE.encode())

    def arrange(start):
        monkeypatch.setattr(discovery.units, "find", lambda names: SimpleNamespace(name=names[0], user=""))
        monkeypatch.setattr(discovery.starting, "of", lambda _unit: start)
        monkeypatch.setattr(discovery, "find_tool", lambda names, _what: names[0])
        monkeypatch.setattr(discovery.process, "run", run)
        monkeypatch.setattr(discovery.Server, "do", refuse)
        return calls

    return arrange


def refuse(*_args, **_options):
    raise DatabaseSilent("nobody is there")


def test_the_configuration_of_a_server_that_is_down_is_read_with_the_options_of_its_unit(silent):
    """Of several servers on one host each has its own; without them the data of another one would be told."""
    calls = silent(starting.Start("/usr/sbin/mariadbd", ("--defaults-group-suffix=.b",)))
    found = discovery.place(Settings(unit="mariadb@b.service"))
    assert calls == [("/usr/sbin/mariadbd", "--defaults-group-suffix=.b", "--verbose", "--help", "--user=nobody")]
    assert (found.running, found.options_known, found.datadir, found.socket) == (False, True, "/srv/b", "/run/b.sock")


def test_where_the_options_of_the_unit_cannot_be_read_that_is_told(silent):
    calls = silent(None)
    found = discovery.place(Settings())
    assert calls == [("mariadbd", "--verbose", "--help", "--user=nobody")]
    assert (found.running, found.options_known) == (False, False)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], {"binlog": ["", 0], "binlog_filters": {}}),
        (
            [{"File": "b.1", "Position": "4", "Binlog_Do_DB": "shop", "Binlog_Ignore_DB": ""}],
            {"binlog": ["b.1", 4], "binlog_filters": {"Binlog_Do_DB": "shop"}},
        ),
    ],
)
def test_what_a_primary_does_not_log_is_told(rows, told):
    assert discovery.log_position(Server(*rows)) == told
