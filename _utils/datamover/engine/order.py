"""Who comes before whom in a chain of hosts, and who may take another's place: decided from the roster alone.

The epoch of a link says how far apart its ends stand, and how often it was made. So everyone farther up has a higher
epoch than those nearer, whatever has happened meanwhile, and nobody needs to be asked for a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..wire import NOT_REACHED

TIMES = 65536
"""Links between the same two hosts that can be told apart."""


@dataclass(frozen=True)
class Order:
    """The hosts of a chain, the source first, as `host` sees them."""

    hosts: Sequence[str]
    host: str

    @property
    def place(self):
        return self.hosts.index(self.host)

    @property
    def before(self):
        """Who may serve this host, the nearest first."""
        return tuple(reversed(self.hosts[: self.place]))

    @property
    def after(self):
        """Whom this host may serve, the nearest first."""
        return tuple(self.hosts[self.place + 1 :])

    def epoch(self, target, times):
        """That of the link to `target` that this host opens for the `times`-th time."""
        return (self.hosts.index(target) - self.place - 1) * TIMES + times

    def lets_in(self, who, epoch, present):
        """Whether a link of this epoch, which `who` opens, may take the place of the one of the epoch `present`
        (0: none yet).
        """
        return who in self.before and epoch > present and epoch // TIMES == self.before.index(who)


class Succession:
    """Whom one host serves, and what became of those behind it.

    It serves the nearest that is neither lost nor set aside; those beyond are served by that one. `lost` are hosts that
    it could not reach or that gave up, in their order; `ends` is how each ended, as far as it was told: (result, text).
    """

    def __init__(self, order: Order):
        self._order = order
        self._passed: set[str] = set()
        self._times = dict.fromkeys(order.after, 0)
        self._over = False
        self.ends: dict[str, tuple[str, str]] = {}

    @property
    def target(self):
        """Who is to be served now; None if there is nobody, or they are served by others."""
        if self._over or self.ends.keys() == self._times.keys():
            return None
        return next((host for host in self._order.after if host not in self._passed), None)

    def open(self, host):
        """The epoch of the next link to this host."""
        self._times[host] += 1
        return self._order.epoch(host, self._times[host])

    def opened(self, host):
        """How many links to it there were."""
        return self._times[host]

    def tell(self, host, result, text=""):
        """How a host behind this one ended; a later word counts more, unless the earlier is that it has published.

        False if that was known.
        """
        if host not in self._times or self.ends.get(host, ("", ""))[0] in (result, "published"):
            return False
        self.ends[host] = result, text
        return True

    def lose(self, host, result=NOT_REACHED, text=""):
        """It cannot be served any more: the next one is."""
        self._passed.add(host)
        self.tell(host, result, text)

    def may_set_aside(self, host):
        """Whether others would be served in its place."""
        return host == self.target and any(each not in self._passed | self.ends.keys() for each in self._after(host))

    def _after(self, host):
        return self._order.after[self._order.after.index(host) + 1 :]

    def is_next(self, host):
        """Whether nobody comes between this host and that one."""
        return host == self._order.after[0]

    def set_aside(self, host):
        """It is served on, but the next one is served too, not by it. False if that was so before."""
        if host in self._passed:
            return False
        self._passed.add(host)
        return True

    def take(self, host):
        """One that was left to those behind is served too. False if it is or was served from here, or has ended."""
        if host not in self._times or host == self.target or host in self._passed | self.ends.keys():
            return False
        self._passed.add(host)
        return True

    def finish(self):
        """Those that are left are done, or in other hands."""
        self._over = True

    @property
    def lost(self):
        ends = {host: end[0] for host, end in self.ends.items()}
        return tuple(host for host in self._order.after if ends.get(host) in (NOT_REACHED, "failed"))
