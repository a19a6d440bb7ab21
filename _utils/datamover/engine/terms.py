"""What both ends of a transfer agreed on before they met: the terms (from the spec) and the roster, as typed values."""

from dataclasses import dataclass
from functools import cached_property

from .. import codecs, wire
from ..errors import LocalError
from ..wire import protocol
from . import sealing
from .channel import der
from .compressing import feature

LONGEST_SILENCE = 20.0
CHAIN = "chain"
LONGEST_PATIENCE, LONGEST_QUIET = 10.0, 30.0


@dataclass(frozen=True)
class Terms:
    """What one end was told to do, as far as the engine cares."""

    transfer: str
    attempt: int
    dataset: str
    generation: int
    epoch: int
    leaf: int
    host: str
    role: str
    algorithm: str
    level: str
    encrypt: bool
    streams: int
    compress: str
    limit: int
    block_size: int
    stall_timeout: float
    lease: float
    compare: str | None = None
    """How what stands at the destinations is compared, if that is to be updated."""
    stream: str = ""
    """The type of what a producer makes and a consumer takes; empty for files that are read."""
    chain: bool = False
    """Whether there are several destinations, each of which passes on to the next."""

    @classmethod
    def of(cls, spec):
        same = ("transfer", "attempt", "dataset", "generation", "epoch", "host", "role")
        settings, chain = spec["settings"], spec.get("fanout") == CHAIN
        return cls(
            **{name: spec[name] for name in same},
            leaf=0 if chain else spec["leaf"],
            chain=chain,
            algorithm=settings["digest"],
            level=settings["verify"],
            encrypt=settings["encrypt"],
            streams=settings["streams"],
            compress=settings["compress"],
            limit=settings["limit"],
            block_size=settings["block_size"],
            stall_timeout=settings["stall_timeout"],
            lease=settings["lease"],
            compare=compared(settings, chain),
            stream=(spec.get("stream") or {}).get("type", ""),
        )

    @property
    def silence(self):
        """Seconds without any acknowledgement of what was sent after which a bulk connection counts as lost."""
        return min(LONGEST_SILENCE, self.stall_timeout / 8)

    @property
    def patience(self):
        """Seconds after which a host of a chain that has nobody before it lets in those farther up.

        Who comes before it tries twice as long to reach it.
        """
        return min(LONGEST_PATIENCE, self.lease / 6, self.stall_timeout / 8)

    @property
    def quiet(self):
        """Seconds without a word, heartbeats included, after which a neighbour in a chain counts as lost."""
        return min(LONGEST_QUIET, self.stall_timeout / 2)

    @property
    def considers(self):
        """Whether the destination looks at what it has already and tells it, and the source waits for that."""
        return self.attempt > 1 or self.compare is not None

    @property
    def trusts(self):
        """Whether the destination may keep files unread that are equal in size and time."""
        return self.compare == "time"

    @property
    def features(self):
        """What the other end must have been told too, or nothing would fit."""
        bulk = "bulk-tls" if self.encrypt else "bulk-plain"
        words = (bulk, f"digest-{self.algorithm}", f"verify-{self.level}")
        update = (f"update-{self.compare}",) if self.compare else ()
        stream = (f"stream-{self.stream}",) if self.stream else ()
        chain = (CHAIN,) if self.chain else ()
        sizes = (f"block-{self.block_size}", f"streams-{self.streams}")
        return tuple(sorted((*words, *update, *stream, *chain, *sizes, *self._codec)))

    @property
    def _codec(self):
        """The codec that was asked for, as a feature; nothing for auto, which takes what there is."""
        name = self.compress.partition(":")[0]
        return () if name in ("auto", "none") else (feature(name),)

    @property
    def options(self):
        """What is used if the other end has it too."""
        sealed = (sealing.FEATURE,) if self.encrypt and sealing.available() else ()
        return (*sealed, *(map(feature, codecs.available()) if self.compress == "auto" else ()))

    @property
    def edition(self):
        """The fields that say which edition of the dataset a message speaks of."""
        return {"dataset": self.dataset, "generation": self.generation, "leaf": self.leaf}

    def hello(self, roster, role="control", stream=0, token=wire.NO_TOKEN):
        return wire.Hello(
            transfer=self.transfer,
            attempt=self.attempt,
            epoch=self.epoch,
            roster=roster.digest,
            host=self.host,
            role=role,
            stream=stream,
            token=token,
            required=self.features,
            optional=self.options,
            **self.edition,
        )


def compared(settings, chain):
    """How an update compares: None for what is no update.

    All of a chain do it alike, those too where nothing stands yet. What each would keep unread by its time differs, and
    there is one seal for all of them, so there everything is read.
    """
    if chain:
        return "digest" if settings["update"] else None
    return settings["compare"] if settings["in_place"] else None


@dataclass(frozen=True)
class Member:
    """One end of the transfer; `certificate` is PEM, `port` is None for who does not listen."""

    host: str
    role: str
    addresses: tuple[str, ...]
    port: int | None
    certificate: str
    origins: tuple[tuple[str, str], ...] = ()
    """(host, the address from which this member comes to it) each; where nothing is said it is one of its own."""

    @cached_property
    def der(self):
        return der(self.certificate)

    def origins_towards(self, host):
        """The addresses from which this member comes to `host`."""
        told = tuple(address for towards, address in self.origins if towards == host)
        return told or self.addresses


class Roster:
    """Who takes part, as every member was told it."""

    def __init__(self, document):
        self.digest = protocol.roster_digest(document)
        self.members = tuple(
            Member(
                *(each["host"], each["role"], tuple(each["addresses"]), each["port"], each["certificate"]),
                tuple(each.get("origins", {}).items()),
            )
            for each in document["members"]
        )

    @property
    def certificates(self):
        return [member.certificate for member in self.members]

    @property
    def source(self):
        return self._only("source")

    @property
    def destination(self):
        return self._only("destination")

    def member(self, host):
        """The member of this host; where it is both ends, its destination."""
        return {member.host: member for member in self.members}[host]

    @property
    def addresses(self):
        """All addresses from which a member may come."""
        own = {address for member in self.members for address in member.addresses}
        return own | {address for member in self.members for _, address in member.origins}

    def owner_of(self, shown_der):
        """The member that owns a certificate, or None."""
        return next((member for member in self.members if member.der == shown_der), None)

    def _only(self, role):
        found = [member for member in self.members if member.role == role]
        if len(found) != 1:
            raise LocalError(f"the roster has {len(found)} members with the role {role}, not 1")
        return found[0]
