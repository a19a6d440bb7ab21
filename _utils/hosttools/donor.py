"""The database server that is backed up: what it is, what an account may do there, and its replication held still.

Programs (see commands) that speak to the server through its own client; `call` is (client, defaults file).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import backups, sql
from .commands import Command, Program
from .errors import DatabaseRefused

Call = tuple[str, str]

_ABOUT = """
SELECT JSON_OBJECT('version', @@version, 'comment', @@version_comment, 'datadir', @@datadir, 'user', CURRENT_USER());
"""
_PRIVILEGES = """
SELECT JSON_OBJECT('privilege', privilege_type) FROM information_schema.user_privileges
    WHERE grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''');
"""
_REDO = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_os_log_written', 'Uptime');"


def about(call: Call) -> Program[dict[str, Any]]:
    """What the server tells of itself: version, vendor, datadir, the account and its privileges, how fast it writes its
    redo log (bytes a second since it was started), and its replication.
    """
    (told,) = sql.documents((yield from _ask(call, _ABOUT, raw=True)))
    privileges = sql.documents((yield from _ask(call, _PRIVILEGES, raw=True)))
    status = {row["Variable_name"]: row["Value"] for row in sql.rows((yield from _ask(call, _REDO)))}
    vendor = backups.vendor(told["version"], told["comment"])
    held = yield from replication(call, vendor)
    return {
        "version": told["version"],
        "vendor": vendor,
        "datadir": told["datadir"],
        "user": told["user"],
        "privileges": sorted(each["privilege"] for each in privileges),
        "redo_rate": int(status.get("Innodb_os_log_written") or 0) // max(1, int(status.get("Uptime") or 1)),
        "replication": held,
    }


def replication(call: Call, vendor: str) -> Program[list[dict[str, Any]] | None]:
    """The connections to primaries, by name and whether the SQL thread runs; None if that may not be seen."""
    statement = "SHOW ALL SLAVES STATUS;" if vendor == "mariadb" else "SHOW REPLICA STATUS;"
    try:
        rows = sql.rows((yield from _ask(call, statement)))
    except DatabaseRefused:
        return None
    return [_connection(row) for row in rows]


def _connection(row: Mapping[str, str | None]) -> dict[str, Any]:
    name = row.get("Connection_name") or row.get("Channel_Name") or ""
    runs = row.get("Slave_SQL_Running") or row.get("Replica_SQL_Running") or "No"
    return {"name": name, "sql_running": runs == "Yes"}


def stop_applying(call: Call, vendor: str, names: list[str]) -> Program[None]:
    """Stop the SQL threads of these connections."""
    yield from _ask(call, "".join(_turn("STOP", vendor, name) for name in names))


def start_applying(call: Call, vendor: str, names: list[str]) -> Program[None]:
    """Start them again; one that runs is no trouble."""
    yield from _ask(call, "".join(_turn("START", vendor, name) for name in names))


def _turn(verb: str, vendor: str, name: str) -> str:
    if vendor == "mariadb":
        return f"{verb} SLAVE {sql.quote(name)} SQL_THREAD;\n"
    return f"{verb} REPLICA SQL_THREAD FOR CHANNEL {sql.quote(name)};\n"


def _ask(call: Call, statements: str, raw: bool = False) -> Program[bytes]:
    command = sql.client(*call, statements, raw=raw)
    result = yield command
    if result.status:
        raise refusal(command, result)
    return result.stdout


def refusal(command: Command, result: Any) -> DatabaseRefused:
    """The sentence for a call to the server that ended badly; never with what was asked."""
    number, said = sql.trouble(result.stderr)
    where = f"error {number}" if number else f"status {result.status}"
    return DatabaseRefused(f"the database server did not do what {command.argv[0]} asked of it: {said} ({where})")
