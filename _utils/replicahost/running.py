"""How a server ran: what statements had made of it and a restart forgets, noted and brought back."""

from hosttools import sql

from . import discovery

VARIABLES = ("read_only", "event_scheduler")
THREADS = ("io", "sql")


def note(found):
    """What a restart of this server would forget, as a document; None of one that does not run."""
    if not found.running:
        return None
    now = discovery.variables(found.server)
    channels = [_channel(each) for each in discovery.replication(found.server)]
    return {"variables": {name: now[name] for name in VARIABLES if name in now}, "channels": channels}


def _channel(told):
    """A thread that an error ended is to be started again: it then shows its error, as it did."""
    return {"name": told["name"], **{thread: _counts_as_running(told, thread) for thread in THREADS}}


def _counts_as_running(told, thread):
    return told[thread] != "No" or bool(told[f"{thread}_errno"])


def options(was):
    """With what the server starts so that it is not anything else even for a moment."""
    threads = [each[thread] for each in was["channels"] for thread in THREADS]
    variables = [f"--{name.replace('_', '-')}={value}" for name, value in was["variables"].items()]
    return [*variables, *([] if all(threads) else ["--skip-slave-start"])]


def restore(server, was):
    """What the options could not say, or were not heard to say."""
    now = discovery.variables(server)
    for name, value in was["variables"].items():
        if now.get(name) != value:
            server.do(f"SET GLOBAL {name}={sql.quote(value)}")
    there = {each["name"]: each for each in discovery.replication(server)}
    for wanted in was["channels"]:
        _resume(server, wanted, there.get(wanted["name"]))


def _resume(server, wanted, now):
    if now and any(wanted[thread] != _counts_as_running(now, thread) for thread in THREADS):
        resume(server, wanted["name"], wanted["io"], wanted["sql"])


def resume(server, channel, was_io, was_sql):
    """Both in one statement: only that forgets an UNTIL, at which the receiving thread would end at once."""
    threads = {(True, True): "START SLAVE;", (True, False): "START SLAVE IO_THREAD;"}
    start = threads.get((bool(was_io), bool(was_sql)), "START SLAVE SQL_THREAD;" if was_sql else "")
    server.do(f"SET @@default_master_connection={sql.quote(channel)}; STOP SLAVE; {start}")
