"""How each kind of change is undone. Each may run again after it has run, or when its change never was."""

from hosttools import sql

from . import unit as units
from .datadir import put_back
from .server import Server


def unmask_and_start(unit, was_active, was_masked):
    """The server as it was found."""
    if not was_masked:
        units.unmask(unit)
    if was_active:
        units.start(unit)


def end_isolation(unit, before):
    """The server that was started on new data is stopped, its options are what they were."""
    units.stop(unit)
    units.restore_options(unit, before)


def go_on(socket, user, defaults_file, channel, was_io, was_sql):
    """Replication that we stopped runs again, as far as it ran before."""
    server = Server(socket, user, defaults_file=defaults_file)
    resume(server, channel, was_io, was_sql)


def resume(server, channel, was_io, was_sql):
    """Both in one statement: only that forgets an UNTIL, at which the receiving thread would end at once."""
    threads = {(True, True): "START SLAVE;", (True, False): "START SLAVE IO_THREAD;"}
    start = threads.get((bool(was_io), bool(was_sql)), "START SLAVE SQL_THREAD;" if was_sql else "")
    server.do(f"SET @@default_master_connection={sql.quote(channel)}; STOP SLAVE; {start}")


HANDLERS = {"unit": unmask_and_start, "datadir": put_back, "isolation": end_isolation, "paused": go_on}
