"""With what this host logs in at its own database: from its configuration or pillar, to a file that only root reads.

    replica:
      user: backup
      password: secret
      defaults_file: /root/.my.cnf      # in place of the two, or beside them

What is not said is the account root by the server's socket, without a password.
"""

import os
from dataclasses import dataclass, field

from datamover.errors import SpecInvalid
from hosttools import ownsection, sql

KEYS = ("user", "password", "defaults_file")
NAME = "login.cnf"


@dataclass(frozen=True)
class Login:
    user: str = "root"
    password: str = field(default="", repr=False)
    defaults_file: str = ""

    @classmethod
    def read(cls, *layers):
        """From sections named `replica`, the first that says something wins."""
        try:
            section = ownsection.read(*layers)
        except ValueError as error:
            raise SpecInvalid(str(error)) from error
        known = {name: section[name] for name in KEYS if name in section}
        wrong = [name for name, value in known.items() if not isinstance(value, str) or "\n" in value]
        if wrong:
            named = " and ".join(f"replica:{name}" for name in wrong)
            raise SpecInvalid(f"{named} in this minion's configuration or pillar must be text of one line, in quotes")
        return cls(**known)

    def text(self, socket):
        """What a defaults file must hold; the socket is what counts, whatever else it includes."""
        included = f"!include {self.defaults_file}\n" if self.defaults_file else ""
        named = {} if self.defaults_file and self.user == "root" else {"user": self.user}
        return included + sql.defaults({**named, "password": self.password, "socket": socket})

    def write(self, path, socket):
        """Make the file; whoever made it sees to it that it goes."""
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as out:
            out.write(self.text(socket))


class InMemory:
    """The same file without a disk; a context that gives its path, which only programs of this user can open."""

    def __init__(self, login, socket):
        self._text = login.text(socket)
        self._descriptor = None

    def __enter__(self):
        self._descriptor = os.memfd_create("login", os.MFD_CLOEXEC)
        os.fchmod(self._descriptor, 0o600)
        os.write(self._descriptor, self._text.encode())
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def __exit__(self, *_exception):
        os.close(self._descriptor)
