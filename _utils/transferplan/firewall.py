"""How the destination's firewall lets the source in, decided from what was found out about it.

The backend `mixed` stands for several at once, which must all let a packet pass; each chain names its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import FirewallUnknown, FirewallUnsupported, PolicyForbids
from .facts import Facts
from .options import Settings

SUPPORTED = ("nft", "iptables", "firewalld", "mixed")


@dataclass(frozen=True)
class Opening:
    """Which backend opens which chains; `warning` says what the user must see to."""

    backend: str
    chains: tuple[Mapping[str, Any], ...] = ()
    warning: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"backend": self.backend, "chains": [dict(chain) for chain in self.chains]}

    def named(self) -> list[str]:
        """Where in the ruleset, as a person would look for it."""
        return [" ".join(str(chain[key]) for key in CHAIN_NAME if chain.get(key)) for chain in self.chains]


CHAIN_NAME = ("backend", "family", "table", "chain")
CLOSED = Opening("none")


def decide(facts: Facts, settings: Settings) -> Opening:
    """The opening, or FirewallUnknown, FirewallUnsupported or PolicyForbids in words."""
    found, host = facts.firewall, facts.host
    if settings.firewall == "none":
        return Opening("none", warning=_warning(facts) if found.drops else "")
    if found.trouble or found.backend not in (*SUPPORTED, "none"):
        why = "; ".join(found.trouble) or f"it reports {found.backend!r}"
        raise FirewallUnknown(
            f"{host}'s firewall could not be found out ({why}): "
            "repair that, or open the port yourself and give firewall=none"
        )
    if found.drops and settings.firewall not in ("auto", found.backend):
        decide = " and ".join(dict.fromkeys(str(chain["backend"]) for chain in found.chains))
        raise FirewallUnsupported(
            f"{host}'s packets are decided by {decide}, not by {settings.firewall}: "
            f"leave out firewall={settings.firewall}"
        )
    if found.drops and found.forbidden:
        why = " ".join(found.forbidden)
        raise PolicyForbids(f"{host}: {why} (salt {host} pinhole.lift permits it, firewall=none does without)")
    return Opening(found.backend, found.chains) if found.drops else CLOSED


def way_out(facts: Facts) -> str:
    """A warning if the source's own firewall drops what it sends, unless rules that nobody can foresee allow it."""
    chains = [" ".join(str(chain.get(key, "")) for key in CHAIN_NAME) for chain in facts.firewall.outbound]
    if not chains:
        return ""
    return f"{facts.host}'s firewall drops what no rule lets out ({', '.join(chains)}): the way out must be allowed"


def _warning(facts: Facts) -> str:
    return (
        f"{facts.host}'s firewall drops what is not allowed and firewall=none opens nothing: "
        "the port must be open already"
    )
