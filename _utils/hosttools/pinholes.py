"""The words all firewall backends share: the chain that decides, the pinhole, and what of it the firewall shows."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .errors import BadPinhole, PinholeGone

PREFIX = "salt-transfer:"
LONGEST_LEASE = 86400
FAMILIES = ("ip", "ip6")

_TAG = re.compile(r"salt-transfer:[0-9A-Za-z_-]{1,64}:[0-9A-Za-z_-]{1,16}")


@dataclass(frozen=True)
class Chain:
    """A chain that decides about inbound packets, and the backend that can write into it."""

    backend: str
    variant: str
    family: str
    table: str
    chain: str
    policy: str = "accept"

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Chain:
        return cls(**{name: known[name] for name in cls.__dataclass_fields__ if name in known})

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.backend} {self.family} {self.table} {self.chain}"

    def admits(self) -> tuple[str, ...]:
        """The address families this chain sees."""
        return FAMILIES if self.family == "inet" else (self.family,)


@dataclass(frozen=True)
class Pinhole:
    """An opening for some addresses to one tcp port. The tag is the exact comment of its rules.

    `address` is where the listener is bound; no rule repeats it, because the listener answers nowhere else.
    """

    tag: str
    sources: tuple[str, ...]
    address: str
    port: int
    protocol: str = "tcp"
    chains: tuple[Chain, ...] = ()

    def __post_init__(self):
        check_tag(self.tag)
        object.__setattr__(self, "sources", tuple(dict.fromkeys(plain_address(source) for source in self.sources)))
        _check(bool(self.sources), "A pinhole needs at least one source address.")
        _check(self.protocol == "tcp", f"A pinhole is for tcp, not for {self.protocol!r}.")
        _check(_is_int(self.port) and 1 <= self.port <= 65535, f"{self.port!r} is no port: 1 to 65535 are.")

    def sources_of(self, family: str) -> tuple[str, ...]:
        return tuple(source for source in self.sources if family_of(source) == family)

    def families(self, chain: Chain) -> tuple[str, ...]:
        """The address families for which this pinhole needs a rule in the chain."""
        return tuple(family for family in chain.admits() if self.sources_of(family))


@dataclass(frozen=True)
class Opening:
    """What a firewall shows of a pinhole: one row for each chain and source.

    Without a source the rule is there and admits nobody. `remaining` is None where the firewall does not tell.
    `expiry` says who ends it when its lease is over: the kernel, or a daemon that must live for that.
    """

    tag: str
    chain: Chain
    port: int | None
    source: str | None
    remaining: float | None
    expiry: str = "kernel"

    @property
    def expired(self) -> bool:
        return self.source is None

    def as_dict(self) -> dict[str, Any]:
        row = {"tag": self.tag, "source": self.source, "port": self.port}
        chain = {key: value for key, value in self.chain.as_dict().items() if key != "policy"}
        return {**row, "remaining": self.remaining, "expiry": self.expiry, **chain}


def tag(transfer: str, attempt: int | str) -> str:
    return check_tag(f"{PREFIX}{transfer}:{attempt}")


def transfer_of(tag: str) -> str:
    return tag.split(":")[1]


def is_tag(text: Any) -> bool:
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


def check_tag(text: str) -> str:
    _check(is_tag(text), f"{text!r} is no tag of a pinhole: salt-transfer:TRANSFER:ATTEMPT is.")
    return text


def check_lease(lease: Any) -> int:
    """A lease in whole seconds, rounded up: the firewalls know no finer."""
    is_number = isinstance(lease, (int, float)) and not isinstance(lease, bool)
    _check(
        is_number and 0 < lease <= LONGEST_LEASE,
        f"{lease!r} is no lease: more than 0 and at most {LONGEST_LEASE} seconds are.",
    )
    return math.ceil(lease)


def gone(pinhole: Pinhole, missing: list[str]) -> PinholeGone:
    """The sentence for a pinhole that somebody took away."""
    return PinholeGone(
        f"The pinhole for port {pinhole.port} on {pinhole.address} is gone, others changed the firewall: "
        + "; ".join(missing),
        missing=missing,
    )


def plain_address(text: str) -> str:
    """An address as firewalls write it; an IPv4 address in IPv6 clothes becomes plain."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadPinhole(f"{text!r} is no IP address; a pinhole admits addresses, not names or networks.") from None
    _check(not getattr(address, "scope_id", None), f"{text!r} is valid on one link only; a pinhole cannot name a link.")
    return str(getattr(address, "ipv4_mapped", None) or address)


def family_of(address: str) -> str:
    return "ip6" if ":" in address else "ip"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check(fine: bool, sentence: str) -> None:
    if not fine:
        raise BadPinhole(sentence)
