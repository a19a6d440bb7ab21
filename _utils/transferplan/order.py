"""In which order data passes the hosts of a chain.

`given` leaves it as it was asked for. `auto` goes from each host to the nearest one: a subnet that both share comes
first, so that a chain enters each network once. Of hosts that are equally near, those come first whose link is no
slower than that of who serves them and that have room and idle cores, and later those that a chain is most likely to
wait for or to lose: whoever comes last passes nothing on.
What is equal in all this stays as it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

AUTO, GIVEN = CHOICES = "auto", "given"
Host = TypeVar("Host")


def chain(first: Host, others: Sequence[Host], how: str, rank: Callable[[Host, Host], Any]) -> list[Host]:
    """All hosts in order; `rank` of two says how well the second follows on the first, the lowest does best."""
    ordered, rest = [first], list(others)
    if how == GIVEN:
        return [*ordered, *rest]
    while rest:
        following = min(rest, key=lambda each: rank(ordered[-1], each))
        rest.remove(following)
        ordered.append(following)
    return ordered
