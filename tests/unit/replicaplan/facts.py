"""Facts of servers as `replica.info` tells them, to be varied."""


def channel(**other):
    return {
        "name": "", "primary": "10.0.0.1", "port": 3306, "primary_id": 1, "user": "repl", "io": "Yes", "sql": "Yes",
        "lag": 0, "using_gtid": "Slave_Pos", "delay": 0, "io_errno": 0, "io_error": "", "sql_errno": 0, "sql_error": "",
        "filters": {}, **other,
    }


def unit(active="inactive", masked=False):
    """The unit as systemd knows it; one that is active has a process."""
    runs = 77 if active == "active" else 0
    return {"name": "mariadb.service", "active": active, "pid": runs, "masked": masked}


def files(**other):
    """What those in a data directory tell of its server."""
    return {"schemas": 1, "channels": 0, "galera": False, "elsewhere": [], **other}


def server(number=1, variables=None, **other):
    """A primary that runs and holds data."""
    known = {
        "server_id": number, "read_only": "OFF", "log_bin": "ON", "port": 3306, "gtid_binlog_state": "",
        "gtid_slave_pos": "", "innodb_page_size": 16384, "lower_case_table_names": 0, "event_scheduler": "OFF",
    }
    return {
        "vendor": "mariadb", "version": "10.11.6-MariaDB", "running": True, "datadir": "/srv/mysql",
        "datadir_exists": True, "datadir_is_mount": False, "role": "primary", "channels": [], "replicas": [],
        "clients": 0, "galera": False, "schemas": ["shop"], "size": {"bytes": 1000}, "plugins": [], "networks":
        [f"10.0.0.{number}/24"], "socket": "/run/s.sock", "tools": {"mariabackup": "10.11.6"},
        "unit": unit("active"), "processes": [77], "options_known": True, "files": files(),
        "variables": {**known, **(variables or {})}, **other,
    }


def replica(number=2, variables=None, **other):
    """A healthy replica of the server above."""
    told = {"role": "replica", "channels": [channel()], "files": files(channels=1), **other}
    return server(number, {"read_only": "ON", **(variables or {})}, **told)


ASKED = ("galera", "schemas", "size", "plugins", "binlog", "binlog_filters")
"""What is told of a server that runs alone."""


def down(told, active="inactive", **other):
    """The same server, when it cannot be asked: only what its files and its unit tell."""
    told = {name: value for name, value in told.items() if name not in ASKED}
    return {**told, "running": False, "role": "down", "channels": [], "replicas": [], "clients": 0,
            "unit": unit(active), "processes": [], **other}


BACKUP = {
    "path": "/srv/mysql.incoming", "prepared": True, "schemas": ["shop"], "server_version": "10.11.6-MariaDB-log",
    "channels": 0, "coordinates": {"file": "b.1", "position": 4, "gtid": "0-1-7"},
    "upstream": {"file": "", "position": 0, "gtid": ""},
}


def log(**other):
    """A log outside of the data directory, which can be moved aside."""
    return {
        "kind": "binary log", "base": "/var/log/mysql/bin", "files": 1, "bytes": 100, "directory_exists": True,
        "directory_is": "/var/log/mysql", "writable": True, "strange": [], "open_by": [], **other,
    }
