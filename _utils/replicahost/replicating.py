"""Replication on this host: started, waited for, halted at one position and let go on."""

import os
import time

from hosttools import backups, sql
from replicaplan.channels import against_replicating
from replicaplan.errors import ReplicaError, ReplicaRefused, ReplicationBroken, ReplicationLate
from replicaplan.positions import gtids

from . import datadir, discovery, holds, tls
from .running import resume
from .server import Server

ADMITTED = """SELECT JSON_OBJECT('user', CURRENT_USER(), 'role', COALESCE(CURRENT_ROLE(), ''), 'cipher', (SELECT
    variable_value FROM information_schema.session_status WHERE variable_name = 'SSL_CIPHER'), 'privilege',
    (SELECT MAX(privilege_type) FROM information_schema.user_privileges WHERE privilege_type = 'REPLICATION SLAVE'
    AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')))"""
"""Of a session: who it is, how its connection is encrypted, whether it may read a binary log."""
LOOK = 0.2  # nothing tells when a thread changes its state
GTID_LOOK = 2.0  # so often a wait for a position looks whether the threads have given up
SLACK = 30.0


def _pace():
    time.sleep(LOOK)


def login_trouble(replication, primary, port, version):
    """Why a replica of this version could not follow its primary with this login; empty if it can."""
    if replication.ssl_ca and not os.path.isfile(replication.ssl_ca):
        return f"{replication.ssl_ca}, which replica:replication:ssl_ca names, is no file on this host."
    options = tls.of_client(replication, version)
    remote = Server("", replication.user, replication.password, host=primary, port=port, options=options)
    try:
        told = remote.document(ADMITTED, patience=SLACK)
    except ReplicaError as error:
        return error.text
    return " ".join(_against_login(replication, remote.where, told))


def _against_login(replication, where, told):
    """What speaks against following with a login that was admitted."""
    against = []
    if not told["privilege"] and not told["role"]:  # what a role permits is not listed for its users
        against.append(
            f"{replication.user} may log in at {where}, but lacks REPLICATION SLAVE: GRANT REPLICATION SLAVE ON *.* TO "
            f"{told['user']} on the primary."
        )
    if tls.wanted(replication) and not told["cipher"]:
        against.append(
            f"The database at {where} does not encrypt, and replica:replication asks for it: give that server a "
            "certificate, or take ssl out."
        )
    return against


def start(server, timeout):
    """Start both threads and return the channel when they run; ReplicationBroken with their own words otherwise."""
    server.do("START ALL SLAVES")
    return await_running(server, timeout)


def await_running(server, timeout):
    """The channel, as soon as both threads run and the connection is made."""
    deadline = time.monotonic() + timeout
    while True:
        channels = discovery.replication(server)
        against = against_replicating(channels)
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
    against = against_replicating(channels)
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
    channel = _only_channel(found.server)
    hold = holds.begin(state_dir, holds.PAUSE, lease, channel=channel["name"])
    with hold.working():
        settings = found.settings
        hold.undo.register(
            "paused", socket=found.socket, user=settings.user, defaults_file=settings.defaults_file,
            channel=channel["name"], was_io=True, was_sql=True, datadir=found.datadir,
            data=datadir.identity(found.datadir),
        )
        found.server.do(f"SET @@default_master_connection={sql.quote(channel['name'])}; STOP SLAVE SQL_THREAD")
    return {"channel": channel["name"], "using_gtid": channel["using_gtid"], "executed": channel["executed"]}


def _only_channel(server):
    """The channel of a replica that can be compared with a primary: both threads run, and it follows no other."""
    channels = discovery.replication(server)
    if len(channels) > 1:
        raise ReplicaRefused(
            [f"It follows {len(channels)} primaries, so it holds more than any one of them: it is not compared."]
        )
    return await_running(server, 0)


def advance(found, state_dir, mark, timeout):
    """Let the paused replica apply what came up to the mark, and nothing behind it."""
    hold = holds.find(state_dir, holds.PAUSE)
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
        there = gtids(server.document("SELECT JSON_QUOTE(@@gtid_slave_pos)"))
        wanted = gtids(mark["gtid"])
    else:
        there, wanted = channel["executed"], [mark["file"], mark["position"]]
    if there != wanted:
        raise ReplicationBroken(f"The replica stands at {there}, and should stand at {wanted}.")


def go_on(found, state_dir):
    """Let a paused replica run again; returns the channel when both threads run."""
    hold = holds.find(state_dir, holds.PAUSE)
    with hold.ending():
        resume(found.server, hold.document["channel"], True, True)
        return await_running(found.server, SLACK)
