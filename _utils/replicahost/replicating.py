"""Replication on this host: started, waited for, halted at one position and let go on."""

import time

from hosttools import backups, sql
from replicaplan import standing
from replicaplan.errors import ReplicaError, ReplicaRefused, ReplicationBroken, ReplicationLate

from . import discovery, holds
from .server import Server
from .undoing import resume

PAUSE_NAME = "pause"
LOOK = 0.2  # nothing tells when a thread changes its state
GTID_LOOK = 2.0  # so often a wait for a position looks whether the threads have given up
SLACK = 30.0


def _pace():
    time.sleep(LOOK)


def login_trouble(replication, primary, port):
    """Why a replica could not log in at its primary with this; empty if it can."""
    remote = Server("", replication.user, replication.password, host=primary, port=port)
    try:
        remote.do("DO 1", patience=SLACK)
    except ReplicaError as error:
        return error.text
    return ""


def start(server, timeout):
    """Start both threads and return the channel when they run; ReplicationBroken with their own words otherwise."""
    server.do("START ALL SLAVES")
    return await_running(server, timeout)


def await_running(server, timeout):
    """The channel, as soon as both threads run and the connection is made."""
    deadline = time.monotonic() + timeout
    while True:
        channels = discovery.replication(server)
        against = standing.against_replicating(channels)
        if not against:
            return channels[0]
        if _is_final(channels) or time.monotonic() > deadline:
            raise ReplicationBroken(" ".join(against))
        _pace()


def _is_final(channels):
    """Whether waiting is of no use: the server gave up by itself. A thread that is just being started shows No too."""
    return not channels or any(
        each[thread] == "No" and each[f"{thread}_errno"] for each in channels for thread in ("io", "sql")
    )


def _against_going_on(channels, over):
    """Why it does not replicate just now, such as a primary that is away for a moment; ReplicationBroken if it will not
    any more: it gave up, or a thread still stands when the time is over.
    """
    against = standing.against_replicating(channels)
    if _is_final(channels) or (over and any("No" in (each["io"], each["sql"]) for each in channels)):
        raise ReplicationBroken(" ".join(against))
    return against


def await_gtid(server, gtid, timeout):
    """Return when this replica has applied the position; ReplicationLate or ReplicationBroken otherwise."""
    if not backups.is_gtid(gtid):
        raise ReplicaRefused([f"{gtid!r} is no GTID position."])
    deadline = time.monotonic() + timeout
    while not _applies(server, gtid, min(GTID_LOOK, max(deadline - time.monotonic(), 0.0))):
        over = time.monotonic() > deadline
        against = _against_going_on(discovery.replication(server), over)
        if over:
            now = server.document("SELECT JSON_QUOTE(@@gtid_slave_pos)")
            text = f"{gtid} has not been applied within {timeout:g} s; the replica is at {now or 'no position'}. "
            raise ReplicationLate(f"{text}{' '.join(against)}".strip())


def _applies(server, gtid, seconds):
    """Whether the position is applied within these seconds."""
    return server.document(f"SELECT MASTER_GTID_WAIT({sql.quote(gtid)}, {seconds})", seconds + SLACK) == 0


def await_lag(server, most, samples, timeout):
    """Return the last lag when it was at most so many seconds for so many looks in a row."""
    deadline, good = time.monotonic() + timeout, 0
    while True:
        over = time.monotonic() > deadline
        channels = discovery.replication(server)
        against = _against_going_on(channels, over)
        lag = None if against else channels[0]["lag"]
        good = good + 1 if lag is not None and lag <= most else 0
        if good >= samples:
            return lag
        if over:
            text = f"The lag is {lag} s after {timeout:g} s, and {most:g} were allowed. {' '.join(against)}"
            raise ReplicationLate(text.strip())
        _pace()


def pause(found, state_dir, lease):
    """Halt the applying thread for as long as somebody goes on with it. Returns where it stands."""
    channel = await_running(found.server, 0)
    hold = holds.begin(state_dir, PAUSE_NAME, lease, channel=channel["name"])
    with hold.working():
        settings = found.settings
        hold.undo.register(
            "paused", socket=found.socket, user=settings.user, defaults_file=settings.defaults_file,
            channel=channel["name"], was_io=True, was_sql=True,
        )
        found.server.do(f"SET @@default_master_connection={sql.quote(channel['name'])}; STOP SLAVE SQL_THREAD")
    return {"channel": channel["name"], "using_gtid": channel["using_gtid"], "executed": channel["executed"]}


def advance(found, state_dir, mark, timeout):
    """Let the paused replica apply what came up to the mark, and nothing behind it."""
    hold = holds.find(state_dir, PAUSE_NAME)
    with hold.working():
        (channel,) = discovery.replication(found.server)
        select = f"SET @@default_master_connection={sql.quote(hold.document['channel'])};"
        by_gtid = channel["using_gtid"] != "No" and bool(mark["gtid"])
        found.server.do(f"{select} STOP SLAVE; START SLAVE UNTIL {_until(mark, by_gtid)}")
        _await_mark(found.server, mark, by_gtid, timeout)


def _until(mark, by_gtid):
    if by_gtid:
        return f"master_gtid_pos={sql.quote(mark['gtid'])}"
    return f"MASTER_LOG_FILE={sql.quote(mark['file'])}, MASTER_LOG_POS={int(mark['position'])}"


def _await_mark(server, mark, by_gtid, timeout):
    deadline = time.monotonic() + timeout
    while True:
        (channel,) = discovery.replication(server)
        if channel["sql_errno"] or channel["io_errno"]:
            raise ReplicationBroken(f"Replication stopped: {channel['sql_error'] or channel['io_error']}")
        if channel["sql"] == "No":
            _check_place(server, channel, mark, by_gtid)
            return
        if time.monotonic() > deadline:
            raise ReplicationLate(f"The replica did not reach {mark['gtid'] or mark['file']} within {timeout:g} s.")
        _pace()


def _check_place(server, channel, mark, by_gtid):
    """It has to stand exactly at the mark: at another place nothing can be compared."""
    if by_gtid:
        there = standing.gtids(server.document("SELECT JSON_QUOTE(@@gtid_slave_pos)"))
        wanted = standing.gtids(mark["gtid"])
    else:
        there, wanted = channel["executed"], [mark["file"], mark["position"]]
    if there != wanted:
        raise ReplicationBroken(f"The replica stands at {there}, and should stand at {wanted}.")


def go_on(found, state_dir):
    """Let a paused replica run again; returns the channel when both threads run."""
    hold = holds.find(state_dir, PAUSE_NAME)
    with hold.ending():
        resume(found.server, hold.document["channel"], True, True)
        return await_running(found.server, SLACK)
