"""What is made of the words of a server."""

import os
import pwd
from types import SimpleNamespace

import pytest

from replicahost import discovery
from replicaplan.errors import DatabaseRefuses

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
        owner=pwd.getpwuid(0), server=Dataless(),
    )


def test_a_server_whose_data_was_removed_while_it_runs_is_told_as_that(dataless):
    told = discovery.look(dataless)
    assert (told["running"], told["datadir_exists"], told["role"], told["schemas"]) == (True, False, "replica", [])


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
