"""Waiting for a replica: until it is as far as it should be, until it gave up, or until the time is over."""

import pytest

from replicahost import replicating
from replicaplan.errors import ReplicaRefused, ReplicationBroken, ReplicationLate

RUNNING = {"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes"}
ROW_MISSING = {"Slave_SQL_Running": "No", "Last_SQL_Errno": "1032", "Last_SQL_Error": "row not found"}
PURGED = {"Slave_IO_Running": "No", "Last_IO_Errno": "1236", "Last_IO_Error": "purged"}
AWAY = {"Slave_IO_Running": "Connecting", "Last_IO_Errno": "2003", "Last_IO_Error": "no route", "lag": None}
STOPPED = {"Slave_SQL_Running": "No"}
ENDLESS = 1e9


def row(lag=0, **other):
    """What the server tells of its channel."""
    return {
        "Connection_name": "", "Master_Host": "db1", "Master_Port": "3306", "Master_Server_Id": "1",
        "Master_User": "repl", "Using_Gtid": "Slave_Pos", "Master_Log_File": "", "Read_Master_Log_Pos": "",
        "Relay_Master_Log_File": "", "Exec_Master_Log_Pos": "", "Last_IO_Errno": "0", "Last_IO_Error": "",
        "Last_SQL_Errno": "0", "Last_SQL_Error": "", "Seconds_Behind_Master": lag, **RUNNING, **other,
    }


class Server:
    """A replica in this and that state, one look after the other; the last stays. It never applies a position."""

    def __init__(self, *looks, applies=-1):
        self.looks, self.applies = list(looks), applies

    def rows(self, _query):
        return [self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]]

    def document(self, query, _patience=0):
        return self.applies if "MASTER_GTID_WAIT" in query else "0-1-5"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(replicating, "_pace", lambda: None)


def wait(what, server, timeout=ENDLESS):
    """Wait for a position or for a small lag, whichever is named."""
    if what == "gtid":
        return replicating.await_gtid(server, "0-1-7", timeout)
    return replicating.await_lag(server, 1, 3, timeout)


WAITS = pytest.mark.parametrize("what", ["gtid", "lag"])


@WAITS
@pytest.mark.parametrize(("state", "words"), [(ROW_MISSING, "row not found"), (PURGED, "purged")])
def test_a_replica_that_gave_up_is_not_waited_for(what, state, words):
    with pytest.raises(ReplicationBroken, match=words):
        wait(what, Server(row(lag=99), row(lag=99, **state)))


def test_a_thread_that_stands_may_just_be_started():
    assert wait("lag", Server(row(**STOPPED), row())) == 0


@WAITS
def test_a_thread_that_stands_at_the_end_of_the_time_is_told(what):
    with pytest.raises(ReplicationBroken, match="applying thread does not run"):
        wait(what, Server(row(**STOPPED)), 0)


@WAITS
def test_a_primary_that_is_away_may_come_back(what):
    with pytest.raises(ReplicationLate, match="no route"):
        wait(what, Server(row(**AWAY)), 0)


def test_what_is_not_applied_in_time_is_told_with_how_far_it_is():
    with pytest.raises(ReplicationLate, match="0-1-7 has not been applied within 0 s; the replica is at 0-1-5"):
        wait("gtid", Server(row()), 0)
    with pytest.raises(ReplicationLate, match="The lag is 99 s after 0 s, and 1 were allowed"):
        wait("lag", Server(row(lag=99)), 0)


def test_what_has_arrived_is_waited_for_no_longer():
    wait("gtid", Server(row(**ROW_MISSING), applies=0))


def test_a_lag_has_to_be_small_in_several_looks_in_a_row():
    server = Server(row(1), row(1), row(5), row(1), row(None), row(0), row(1), row(0), row(9))
    assert wait("lag", server) == 0
    assert len(server.looks) == 1


def test_a_position_that_is_none_is_refused():
    with pytest.raises(ReplicaRefused, match="is no GTID position"):
        replicating.await_gtid(Server(row()), "'; DROP", 1)
