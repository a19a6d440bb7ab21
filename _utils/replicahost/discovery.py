"""What the database of this host is, asked of itself while it runs and of its configuration while it does not."""

import contextlib
import ipaddress
import os
import pwd
import socket
from dataclasses import dataclass, field, replace

import psutil

from datamover.host import process
from hosttools import backups, hotbackup, sql
from hosttools.commands import Command, drive
from replicaplan.errors import DatabaseSilent, NoDatabase

from . import logfiles, starting, traces
from . import unit as units
from .server import Server, find_tool

PROGRAMS = ("mariadbd", "mysqld")
# What decides, and what people want to know who look at a server.
VARIABLES = (
    "version", "version_comment", "datadir", "socket", "port", "server_id", "read_only", "log_bin", "log_bin_basename",
    "log_slave_updates", "binlog_format", "binlog_expire_logs_seconds", "gtid_strict_mode", "gtid_domain_id",
    "gtid_slave_pos", "gtid_binlog_pos", "gtid_binlog_state", "innodb_page_size", "innodb_data_home_dir",
    "innodb_log_group_home_dir", "innodb_undo_directory", "innodb_data_file_path", "aria_log_dir_path",
    "innodb_buffer_pool_size", "innodb_encrypt_tables", "lower_case_table_names", "event_scheduler", "wsrep_on",
    "log_bin_index", "relay_log", "relay_log_basename", "relay_log_index", "relay_log_info_file", "master_info_file",
    "replicate_do_db", "replicate_ignore_db", "replicate_do_table", "replicate_ignore_table",
    "replicate_wild_do_table", "replicate_wild_ignore_table", "replicate_rewrite_db", "tmpdir", "innodb_tmpdir",
    "slave_load_tmpdir", "log_error", "pid_file",
)
PLACES = ("datadir", "log_bin", "log_bin_index", "relay_log", "relay_log_index")
"""Of these a server that runs may have others than its configuration says."""
NUMBERS = (
    "port", "server_id", "gtid_domain_id", "innodb_page_size", "innodb_buffer_pool_size", "lower_case_table_names",
    "binlog_expire_logs_seconds",
)
SYSTEM = ("mysql", "information_schema", "performance_schema", "sys")
SYSTEM_LIST = ", ".join(f"'{name}'" for name in SYSTEM)
OWN = ("system user", "event_scheduler")
FIRST_EVENT = 4
"""Where the first event of every binary log file is."""

SIZES = f"""SELECT JSON_OBJECT('schemas', COUNT(DISTINCT table_schema), 'tables', COUNT(*),
    'bytes', COALESCE(SUM(data_length + index_length), 0)) FROM information_schema.tables
    WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND table_schema NOT IN ({SYSTEM_LIST})"""
SCHEMAS = f"""SELECT JSON_QUOTE(schema_name) FROM information_schema.schemata
    WHERE schema_name NOT IN ({SYSTEM_LIST}) ORDER BY schema_name"""
CLIENTS = """SELECT JSON_OBJECT('user', user, 'command', command, 'host', host)
    FROM information_schema.processlist WHERE id <> CONNECTION_ID()"""
PLUGINS = """SELECT JSON_QUOTE(plugin_name) FROM information_schema.plugins
    WHERE plugin_status = 'ACTIVE' AND plugin_library IS NOT NULL ORDER BY plugin_name"""
FILTERS = (
    "Replicate_Do_DB", "Replicate_Ignore_DB", "Replicate_Do_Table", "Replicate_Ignore_Table", "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table", "Replicate_Rewrite_DB", "Replicate_Ignore_Server_Ids", "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
)
LOG_FILTERS = ("Binlog_Do_DB", "Binlog_Ignore_DB")


@dataclass(frozen=True)
class Place:
    """Where the database of this host is, whether it runs or not."""

    settings: object
    unit: units.Unit
    options: dict
    running: bool
    options_known: bool = True
    configured: dict = field(default_factory=dict)

    @property
    def datadir(self):
        return os.path.normpath(self.options["datadir"])

    @property
    def socket(self):
        return self.settings.socket or self.options["socket"]

    @property
    def server(self):
        """Where its socket was only read from the server's files, the administrator's own file may name another."""
        settings = self.settings
        sure = self.running or bool(settings.socket)
        return Server(self.socket, settings.user, settings.password, settings.defaults_file, sure=sure)

    @property
    def owner(self):
        """The user that the server runs as. Where its unit names none, or is masked, it is whose the data is."""
        name = self.unit.user or _whose(self.datadir) or "mysql"
        try:
            return pwd.getpwnam(name)
        except KeyError:
            raise NoDatabase(f"The database's unit runs as {name}, but this host has no such user.") from None


def _whose(directory):
    """Who owns a directory; nobody's name if it is not there, or root's, as which no server runs."""
    with contextlib.suppress(FileNotFoundError, KeyError):
        owner = os.stat(directory).st_uid
        return pwd.getpwuid(owner).pw_name if owner else ""
    return ""


def place(settings):
    """Find the database of this host. A server that runs is asked, for it may have been started with other options."""
    unit = units.find(settings.units)
    start = starting.of(unit.name)
    configured = configuration(start)
    path = settings.socket or configured.get("socket") or "/run/mysqld/mysqld.sock"
    found = Place(settings, unit, {**configured, "socket": path}, False, start is not None, configured)
    try:
        found.server.do("DO 1", patience=15.0)
    except DatabaseSilent:
        return found
    return replace(found, options={**configured, **variables(found.server)}, running=True)


def configuration(start=None):
    """The variables that the server would start with, from all configuration files and what its unit tells it."""
    program = start.program if start else find_tool(PROGRAMS, "database server")
    options = start.options if start else ()
    result = process.run(Command((program, *options, "--verbose", "--help", "--user=nobody")), 60.0)
    found = backups.option_table(result.stdout.decode("utf-8", "replace"))
    if "datadir" not in found:
        called = " ".join((program, *options))
        raise NoDatabase(f"`{called} --verbose --help` does not tell where the data of the database is.")
    return found


def variables(server):
    """The variables that a running server has, by name."""
    rows = server.rows("SHOW GLOBAL VARIABLES")
    return {row["Variable_name"]: row["Value"] or "" for row in rows if row["Variable_name"] in VARIABLES}


def look(found):
    """All that `replica.info` tells."""
    files = traces.files(found.datadir)
    told = {
        "vendor": backups.vendor(found.options.get("version", ""), found.options.get("version_comment", "")),
        "version": found.options.get("version", ""),
        "unit": found.unit.as_dict(),
        "running": found.running,
        "datadir": found.datadir,
        "datadir_exists": os.path.isdir(found.datadir),
        "datadir_is_mount": os.path.ismount(found.datadir),
        "was_replica": files["channels"] > 0,
        "files": files,
        "logs": logfiles.look(found),
        "processes": traces.servers_in(found.datadir),
        "options_known": found.options_known,
        "socket": found.socket,
        "user": found.owner.pw_name,
        "variables": _typed({name: found.options[name] for name in VARIABLES if name in found.options}),
        "configured": _next_start(found),
        "tools": _tools(),
        "networks": networks(),
    }
    if not found.running:
        return {**told, **NOTHING_RUNS}
    held = _held(found.server) if told["datadir_exists"] else NOTHING_HELD
    return {**told, **_of_running(found.server), **held}


def _next_start(found):
    """Where a server that runs would have its files if it were started anew, as far as that can be told."""
    known = found.running and found.options_known
    return {name: found.configured[name] for name in PLACES if name in found.configured} if known else {}


def networks():
    """The addresses of this host with the lengths of their networks, none that is local to it."""
    found = [
        ipaddress.ip_interface(f"{each.address}/{each.netmask}")
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family == socket.AF_INET and each.netmask
    ]
    return [str(each) for each in found if not each.ip.is_loopback and not each.ip.is_link_local]


NOTHING_HELD = {"schemas": [], "size": {"schemas": 0, "tables": 0, "bytes": 0}}
"""Of a server that runs on though its data directory was removed; asked for its schemas it would only fail."""
NOTHING_RUNS = {"role": "down", "channels": [], "replicas": [], "clients": 0}


def _typed(options):
    return {name: int(value) if name in NUMBERS and value.isdigit() else value for name, value in options.items()}


def _tools():
    """{tool: version} of the backup tools that are installed."""
    return drive(hotbackup.versions(hotbackup.NAMES), process.run)


def _of_running(server):
    channels, replicas = replication(server), followers(server)
    return {
        "role": _role(channels, replicas),
        "channels": channels,
        "replicas": replicas,
        "galera": _is_galera(server),
        "clients": _clients(server),
        "plugins": server.documents(PLUGINS),
        **log_position(server),
    }


def _held(server):
    return {"schemas": server.documents(SCHEMAS), "size": server.document(SIZES)}


def _role(channels, replicas):
    """What it is now: a relay is a replica that has replicas."""
    match bool(channels), bool(replicas):
        case True, True:
            return "relay"
        case True, False:
            return "replica"
        case False, True:
            return "primary"
    return "alone"


def replication(server):
    """The channels by which this server follows others, without any secret."""
    return [_channel(row) for row in server.rows("SHOW ALL SLAVES STATUS")]


def _channel(row):
    lag = row.get("Seconds_Behind_Master")
    return {
        "name": row["Connection_name"] or "",
        "primary": row["Master_Host"] or "",
        "port": int(row["Master_Port"] or 0),
        "primary_id": int(row["Master_Server_Id"] or 0),
        "user": row["Master_User"] or "",
        "io": row["Slave_IO_Running"],
        "sql": row["Slave_SQL_Running"],
        "lag": int(lag) if lag is not None else None,
        "using_gtid": row["Using_Gtid"],
        "read": [row["Master_Log_File"] or "", int(row["Read_Master_Log_Pos"] or 0)],
        # The pair belongs together: the other file name is that of the receiver.
        "executed": [row["Relay_Master_Log_File"] or "", int(row["Exec_Master_Log_Pos"] or 0)],
        "delay": int(row.get("SQL_Delay") or 0),
        "io_errno": int(row["Last_IO_Errno"] or 0),
        "io_error": row["Last_IO_Error"] or "",
        "sql_errno": int(row["Last_SQL_Errno"] or 0),
        "sql_error": _without_statement(row["Last_SQL_Error"] or ""),
        "filters": {name: row[name] for name in FILTERS if row.get(name)},
    }


def _without_statement(words):
    """What is told of an error goes to events and ledgers; in a statement is anybody's data."""
    return words.partition(" Query: '")[0]


def followers(server):
    """The replicas that follow this server: registered ones, and connections that read its binary log."""
    hosts = server.rows("SHOW SLAVE HOSTS")
    registered = [{"server_id": int(row["Server_id"] or 0), "host": row.get("Host") or ""} for row in hosts]
    reading = [each["host"].rpartition(":")[0] for each in server.documents(CLIENTS) if "Dump" in each["command"]]
    named = {each["host"] for each in registered}
    return registered + [{"server_id": 0, "host": host} for host in reading if not registered and host not in named]


def _clients(server):
    """How many use it that are neither itself nor replicas."""
    return sum(
        1 for each in server.documents(CLIENTS) if each["user"] not in OWN and "Dump" not in each["command"]
    )


def _is_galera(server):
    return any(row["Value"] == "ON" for row in server.rows("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'"))


def log_position(server):
    """Where its binary log is, and which schemas it logs, if not all."""
    (found,) = server.rows("SHOW MASTER STATUS") or [{}]
    filters = {name: found[name] for name in LOG_FILTERS if found.get(name)}
    return {"binlog": [found.get("File") or "", int(found.get("Position") or 0)], "binlog_filters": filters}


def log(server):
    """The files of its binary log, the oldest first, and the GTID position at which that begins."""
    if variables(server)["log_bin"] != "ON":
        return {"files": [], "begins": ""}
    files = [row["Log_name"] for row in server.rows("SHOW BINARY LOGS")]
    begins = server.document(f"SELECT JSON_QUOTE(BINLOG_GTID_POS({sql.quote(files[0])}, {FIRST_EVENT}))")
    return {"files": files, "begins": begins or ""}
