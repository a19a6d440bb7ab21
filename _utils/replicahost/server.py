"""A database server of this host, spoken to through its own client."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from datamover.host import process
from hosttools import sql
from replicaplan.errors import DatabaseRefuses, DatabaseSilent, NoDatabase

PATIENCE = 60.0
# Numbers by which the client says that nobody is there; below 2000 it is the server that speaks.
SILENT = frozenset({2002, 2003, 2006, 2013, 2026})
HIDDEN = "***"


def find_tool(names, what):
    """The first of these programs that is installed; NoDatabase names all if none is."""
    path = process.ENVIRONMENT["PATH"]
    found = next((name for name in names if shutil.which(name, path=path)), None)
    if found is None:
        raise NoDatabase(f"This host has no {what}: none of {', '.join(names)} is installed.")
    return found


@dataclass(frozen=True)
class Server:
    """How to log in: a socket, a user, perhaps a password, beside what the administrator's own defaults file says.

    The user root counts only where that file names no other, and the socket as well unless it is `sure`.
    """

    socket: str
    user: str = "root"
    password: str = field(default="", repr=False)
    defaults_file: str = ""
    host: str = ""
    port: int = 0
    sure: bool = True
    options: Mapping = field(default_factory=dict)

    def rows(self, query, patience=PATIENCE):
        """The rows of one query, as dicts of words."""
        return sql.rows(self._said(query, patience))

    def documents(self, queries, patience=PATIENCE):
        """The JSON documents that queries give, one a row."""
        return list(sql.documents(self._said(queries, patience, raw=True)))

    def document(self, query, patience=PATIENCE):
        """The one document of a query."""
        return self.documents(query, patience)[0]

    def do(self, statements, patience=PATIENCE, secrets=()):
        """Run statements that give nothing. What is among `secrets` appears in no error."""
        self._said(statements, patience, secrets=secrets)

    def _said(self, statements, patience, raw=False, secrets=()):
        tool = find_tool(sql.CLIENTS, "client of MariaDB or MySQL")
        with self.login() as (path, descriptors):
            result = run(sql.client(tool, path, statements, raw), patience, descriptors)
        if result.status != 0:
            raise self._failure(result, (*secrets, self.password))
        return result.stdout

    @property
    def _options(self):
        """The text of a defaults file; what comes later in it counts."""
        there = {"host": self.host, "port": self.port, "protocol": "tcp"} if self.host else {"socket": self.socket}
        if not self.defaults_file:
            return sql.defaults({**there, "user": self.user, "password": self.password, **self.options})
        named = {**(there if self.sure else {}), "user": "" if self.user == "root" else self.user}
        included = f"!include {self.defaults_file}\n"
        return f"{sql.defaults(there)}{included}{sql.defaults({**named, 'password': self.password})}"

    @property
    def where(self):
        return f"{self.host}:{self.port}" if self.host else self.socket

    @contextlib.contextmanager
    def login(self):
        """A defaults file in memory only: no other process can open it, and it is gone with this one."""
        if self.defaults_file and not os.path.isfile(self.defaults_file):
            raise NoDatabase(f"replica:defaults_file names {self.defaults_file}, which is no file of this host.")
        descriptor = os.memfd_create("login")
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, self._options.encode())
            yield f"/proc/self/fd/{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)

    def _failure(self, result, secrets):
        number, words = sql.trouble(result.stderr)
        for secret in filter(None, secrets):
            words = words.replace(secret, HIDDEN)
        if result.status == process.TIMED_OUT:
            return DatabaseSilent(f"The database at {self.where} did not answer in time.")
        if number in SILENT:
            return DatabaseSilent(f"The database at {self.where} does not answer: {words}", number=number)
        return DatabaseRefuses(f"The database at {self.where} refuses: {words} (error {number})", number=number)


def run(command, patience, descriptors=()):
    """Run a command that inherits these descriptors; its Result."""
    try:
        done = subprocess.run(
            command.argv, input=command.stdin, capture_output=True, timeout=patience, env=process.ENVIRONMENT,
            pass_fds=descriptors, check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return process.Result(process.TIMED_OUT, expired.stdout or b"", b"")
    return process.Result(done.returncode, done.stdout, done.stderr)
