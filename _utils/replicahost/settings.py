"""How this host's own configuration says that its database is reached, and with what it replicates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from replicaplan.errors import ReplicaRefused

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
    known = {name: value for layer in reversed(layers) for name, value in (layer or {}).items()}
    replication = known.pop("replication", None) or {}
    for_other_systems = known.pop("repair", None)  # what a master reads of a shared pillar
    del for_other_systems
    reasons = [*_strange(Settings, known, "replica"), *_strange(Replication, replication, "replica:replication")]
    reasons = reasons or _against_encryption(replication)
    if reasons:
        raise ReplicaRefused(reasons)
    return Settings(**known, replication=Replication(**replication))


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
        return [f"{where} in this minion's configuration is no mapping."]
    known = [name for name in kind.__dataclass_fields__ if name != "replication"]
    return [f"{where}:{name} is no setting; there are {', '.join(known)}." for name in found if name not in known]
