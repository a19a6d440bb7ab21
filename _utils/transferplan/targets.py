"""Destinations that are named by a Salt target expression instead of one by one.

The type of an expression must be said, since `G@role:db` or `db1,db2` alone could be several things. A destination is
then the directory or final name that `dst` gives without a minion, on every minion that matches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import BadOption, BadPlace, Refused
from .paths import printable
from .request import MOST_DESTINATIONS

BY_NAME = ("glob", "list", "pcre")
BY_MINION = ("grain", "grain_pcre", "pillar", "pillar_pcre", "compound")
NODEGROUP = "nodegroup"
KINDS = (*BY_NAME, *BY_MINION, NODEGROUP)


def check(dst: Any, expression: Any, kind: Any) -> None:
    """Refused, with all that is wrong, unless these three name destinations together."""
    reasons = []
    if kind is None:
        reasons.append(BadOption.reason(f"targets needs a target_type: {', '.join(KINDS)}"))
    elif kind not in KINDS:
        reasons.append(BadOption.reason(f"target_type must be one of {', '.join(KINDS)}, not {ascii(kind)}"))
    if not isinstance(expression, str) or not expression.strip():
        reasons.append(BadOption.reason(f"targets must be a Salt target expression, not {ascii(expression)}"))
    if not isinstance(dst, str) or not dst.startswith("/"):
        reasons.append(
            BadPlace.reason(
                f"with targets, dst is a path alone, the same on every minion that matches, not {ascii(dst)}: "
                "write dst=/path or dst=/path/"
            )
        )
    if reasons:
        raise Refused(reasons)


def placed(dst: str, source_host: str, expression: str, hosts: Iterable[str]) -> list[str]:
    """The destinations on these hosts, in the order of their names; Refused where they cannot be meant."""
    found = sorted(set(hosts))
    shown = printable(expression)
    if not found:
        raise Refused([BadPlace.reason(f"targets={shown} matches no minion whose key this master has accepted")])
    if source_host in found:
        raise Refused(
            [
                BadPlace.reason(
                    f"targets={shown} matches {source_host} too, which is the source: write an expression without it, "
                    f"for example target_type=compound targets='... and not {source_host}'"
                )
            ]
        )
    if len(found) > MOST_DESTINATIONS:
        raise Refused(
            [BadPlace.reason(f"targets={shown} matches {len(found)} minions, at most {MOST_DESTINATIONS} go together")]
        )
    return [f"{host}:{dst}" for host in found]
