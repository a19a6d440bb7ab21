"""How each kind of change is undone, and in which order.

Each may run again after it has run, or when its change never was. What it returns, if anything, is a sentence about
what is not quite as it was.
"""

import contextlib
import os

from replicaplan.errors import DatabaseRefuses

from . import logfiles, notes, running
from . import unit as units
from .datadir import identity, put_back
from .running import resume
from .server import Server


def newest_first(log, without=()):
    """Undo what is pending in a log, up to the first that cannot be: what lies under it was changed before, and only
    holds when it is gone. A server must never run again on data that was not put back.

    Returns what is worth telling, in sentences, and why it stopped; that is empty if all is undone. Those of the kinds
    `without` are given up where they cannot be undone.
    """
    told, pending = [], log.pending()
    for number, change in enumerate(pending, 1):
        try:
            said = HANDLERS[change.what](**change.details)
        except Exception as error:  # whatever it is: it has to be told, and tried again
            if change.what not in without:
                return told, _waiting(change, error, pending[number:])
            said = f"{change.what} was given up: {_words(error)}"
        told += [said] if said else []
        with contextlib.suppress(OSError):  # not to be noted for a full disk is no harm: it may run twice
            log.done(change.seq)
    return told, ""


def _waiting(change, error, older):
    behind = f" Until then these wait: {', '.join(each.what for each in older)}." if older else ""
    return f"{change.what}: {_words(error)}{behind}"


def _words(error):
    return getattr(error, "text", "") or repr(error)


def start_again(unit, was_active, was_masked, datadir="", options=(), before=""):
    """The server as it was found: with these options, which are gone at its next start. Without data it stays down."""
    if options:
        units.set_options(unit, *options)
    if was_active or not was_masked:
        units.unmask(unit)
    if was_active and (not datadir or os.path.isdir(datadir)):
        units.start(unit)
    if was_masked:  # though it ran
        units.mask(unit)
    if options:
        units.restore_options(unit, before)


def end_isolation(unit, before):
    """The server that was started on new data is stopped, and nobody starts it until its own data is back."""
    units.hold_down(unit)
    units.restore_options(unit, before)


def go_on(socket, user, defaults_file, channel, was_io, was_sql, datadir="", data=None):
    """Replication that we stopped runs again, as far as it ran before; not that of other data that is there since."""
    if datadir and identity(datadir) != data:
        return
    server = Server(socket, user, defaults_file=defaults_file)
    resume(server, channel, was_io, was_sql)


def run_as_before(socket, user, defaults_file, was):
    """What statements had made of the server that is started again."""
    try:
        running.restore(Server(socket, user, defaults_file=defaults_file), was)
    except DatabaseRefuses as error:  # with a password, for example, that is written nowhere
        return f"Look whether {' and '.join(running.VARIABLES)} and the replication threads are as before: {error.text}"
    return None


def forget_record(path, before):
    """What was not settled after all is not told as settled. For that alone no old data is kept waiting."""
    try:
        if before is None:
            os.unlink(path)
        else:
            notes.save(path, before)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path} tells an installation that was taken back: {error}"
    return None


HANDLERS = {
    "running": run_as_before, "unit": start_again, "datadir": put_back, "isolation": end_isolation,
    "record": forget_record, "paused": go_on, "logs": logfiles.put_back, "new_logs": logfiles.remove_new,
}
