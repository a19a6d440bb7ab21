"""A real MariaDB on a machine of the lab, from Debian's packages: installed on the host they would start it there.

Its data lies in /srv/mysql, on a file system where directories can be renamed; nothing of ours knows that beforehand.
"""
from pathlib import Path

from .errors import LabError

TREE = Path(__file__).resolve().parent.parent / ".venv/trees/mariadb"
PORT = 3306
DATADIR = "/srv/mysql"
SOCKET = "/run/mysqld/mysqld.sock"
USER_ID = 970
REPLICATION_PASSWORD = "it's \"repl\\ication"

CONFIG = """\
[mariadbd]
datadir = {datadir}
bind-address = *
port = {port}
server_id = {server_id}
log_bin = {name}-bin
log_slave_updates = 1
gtid_domain_id = 0
gtid_strict_mode = 1
binlog_format = ROW
innodb_buffer_pool_size = 64M
innodb_log_file_size = 48M
skip_name_resolve = 1
performance_schema = 0
"""
INSTALL = (
    "mariadb-install-db", "--user=mysql", f"--datadir={DATADIR}", "--auth-root-authentication-method=socket",
    "--skip-test-db",
)


def tree():
    """Where the packages are unpacked."""
    if not TREE.is_dir():
        raise LabError(f"MariaDB is not unpacked in {TREE}: ./dev setup does it")
    return TREE


def install(machine, number):
    """What the packages would have made when they were installed, and a configuration."""
    for name, line in (("passwd", f"mysql:x:{USER_ID}:{USER_ID}::/nonexistent:/bin/false"),
                       ("group", f"mysql:x:{USER_ID}:")):
        machine.install(f"/etc/{name}", f"{Path('/etc', name).read_text()}{line}\n")
    machine.install_link("/etc/mysql/my.cnf", "mariadb.cnf")
    config = CONFIG.format(datadir=DATADIR, port=PORT, server_id=number, name=machine.name)
    machine.install("/etc/mysql/mariadb.conf.d/90-lab.cnf", config)


class Database:
    """The MariaDB of one machine, as its administrator handles it."""

    def __init__(self, machine):
        self.machine = machine

    def create(self):
        """Make an empty server and start it."""
        self.machine.run(INSTALL)
        self.start()

    def start(self):
        self.machine.run(["systemctl", "start", "mariadb"])

    def stop(self):
        self.machine.run(["systemctl", "stop", "mariadb"])

    def sql(self, text, database=""):
        """Run statements; returns the rows of all results as lists of words."""
        client = ["mariadb", "--batch", "--skip-column-names", *([database] if database else [])]
        printed = self.machine.run(client, input=text, timeout=300).stdout
        return [line.split("\t") for line in printed.splitlines()]

    def value(self, query, database=""):
        """The one value that a query gives."""
        return self.sql(query, database)[0][0]

    def allow_replication(self, user="repl", password=REPLICATION_PASSWORD):
        """Make the user with which replicas log in here."""
        quoted = password.replace("\\", "\\\\").replace("'", "\\'")
        self.sql(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{quoted}'; GRANT REPLICATION SLAVE ON *.* TO '{user}'@'%'")

    def follow(self, primary, user="repl", password=REPLICATION_PASSWORD):
        """Make this server a replica of another one, from its present position on."""
        quoted = password.replace("\\", "\\\\").replace("'", "\\'")
        self.sql(
            f"CHANGE MASTER TO MASTER_HOST='{primary.machine.ip}', MASTER_PORT={PORT}, MASTER_USER='{user}', "
            f"MASTER_PASSWORD='{quoted}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=2; "
            "START SLAVE; SET GLOBAL read_only=1"
        )
