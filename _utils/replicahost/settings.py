"""How this host's own configuration says that its database is reached, and with what it replicates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hosttools import ownsection
from replicaplan.errors import ReplicaRefused

WHERE = "in this minion's configuration or pillar"
TEXTS = ("unit", "socket", "user", "password", "defaults_file")
UNITS = ("mariadb.service", "mysql.service", "mysqld.service", "mysqld-server.service")


@dataclass(frozen=True)
class Replication:
    """With what a replica logs in at its primary."""

    user: str = ""
    password: str = field(default="", repr=False)
    ssl: bool | None = None
    ssl_ca: str = ""
    ssl_verify: bool | None = None


@dataclass(frozen=True)
class Settings:
    """The part `replica` of a minion's configuration or pillar."""

    unit: str = ""
    socket: str = ""
    user: str = "root"
    password: str = field(default="", repr=False)
    defaults_file: str = ""
    open_files: int = 1_000_000
    replication: Replication = Replication()

    @property
    def units(self):
        return (self.unit,) if self.unit else UNITS


def read(*layers):
    """The settings in these mappings, the first that has one wins; ReplicaRefused names everything that is none."""
    try:
        known = ownsection.read(*layers)
    except ValueError as error:
        raise ReplicaRefused([str(error)]) from error
    replication = known.pop("replication", {})
    reasons = [*_strange(Settings, known, "replica"), *_strange(Replication, replication, "replica:replication")]
    reasons += _against_open_files(known)
    reasons = reasons or _against_encryption(replication)
    if reasons:
        raise ReplicaRefused(reasons)
    return Settings(**known, replication=Replication(**replication))


def _against_open_files(known):
    number = known.get("open_files", 1)
    if isinstance(number, int) and not isinstance(number, bool) and number > 0:
        return []
    return [f"replica:open_files {WHERE} has to be a whole number above 0, not {number!r}."]


def _against_encryption(replication):
    """What is said of encryption and cannot be meant."""
    found = [
        f"replica:replication:{name} in this minion's configuration is true or false, not {replication[name]!r}."
        for name in ("ssl", "ssl_verify")
        if replication.get(name) is not None and not isinstance(replication[name], bool)
    ]
    authority = replication.get("ssl_ca") or ""
    if not isinstance(authority, str) or (authority and not authority.startswith("/")):
        found.append(f"replica:replication:ssl_ca has to be the absolute path of a file, not {authority!r}.")
    if replication.get("ssl") is False and (authority or replication.get("ssl_verify")):
        found.append("replica:replication has ssl: false beside ssl_ca or ssl_verify: one of them is not meant.")
    return found


def _strange(kind, found, where):
    if not isinstance(found, Mapping):
        return [f"{where} {WHERE} is no mapping."]
    known = [name for name in kind.__dataclass_fields__ if name != "replication"]
    unknown = [f"{where}:{name} is no setting; there are {', '.join(known)}." for name in found if name not in known]
    wrong = [name for name in known if name in TEXTS and not _is_line(found.get(name))]
    # What it is instead may be a password, which nobody shows.
    return unknown + [f"{where}:{name} {WHERE} has to be text of one line, in quotes." for name in wrong]


def _is_line(value):
    return value is None or (isinstance(value, str) and "\n" not in value)
