"""How this host's own configuration says that its database is reached, and with what it replicates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hosttools import ownsection
from replicaplan.errors import ReplicaRefused
from replicaplan.settings import HOST, REPLICATION

UNITS = ("mariadb.service", "mysql.service", "mysqld.service", "mysqld-server.service")
DEFAULTS, LOGIN = HOST.table.defaults, REPLICATION.defaults


@dataclass(frozen=True)
class Replication:
    """With what a replica logs in at its primary."""

    user: str = LOGIN["user"]
    password: str = field(default=LOGIN["password"], repr=False)
    ssl: bool | None = LOGIN["ssl"]
    ssl_ca: str = LOGIN["ssl_ca"]
    ssl_verify: bool | None = LOGIN["ssl_verify"]


@dataclass(frozen=True)
class Settings:
    """The part `replica` of a minion's configuration or pillar."""

    unit: str = DEFAULTS["unit"]
    socket: str = DEFAULTS["socket"]
    user: str = DEFAULTS["user"]
    password: str = field(default=DEFAULTS["password"], repr=False)
    defaults_file: str = DEFAULTS["defaults_file"]
    open_files: int = DEFAULTS["open_files"]
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
    if isinstance(known.get("replication"), Mapping):
        known["replication"] = _said(known["replication"])
    if reasons := HOST.against(known):
        raise ReplicaRefused(reasons)
    return Settings(**{**known, "replication": Replication(**known.get("replication", {}))})


def _said(found):
    """What is more than an empty place. An empty text says none where a text belongs, and is refused as a truth: a
    template may have made it of what was to encrypt.
    """
    return {name: value for name, value in found.items() if value is not None}
