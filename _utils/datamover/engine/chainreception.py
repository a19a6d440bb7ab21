"""Who may come in at a destination of a chain: one member before it at a time, another one only with a higher epoch.

Nothing that a member does here ends more than its own connection: there are others that may serve this host.
"""

from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..errors import MoverError, NotAPeer, Superseded
from ..wire import Failed, Hello
from .link import Link, TlsLink
from .opening import read_message
from .reception import Reception
from .stop import Lane
from .terms import Member

COMING = 16


@dataclass(frozen=True)
class Coming:
    """A control connection that was let in."""

    link: Link
    opening: list
    member: Member
    epoch: int


class ChainReception(Reception):
    """`control` gives a Coming for each link that was let in; `give_way()` ends the one before it."""

    def __init__(self, terms, roster, order, give_way, stop):
        super().__init__(terms, roster, stop)
        self.control = Lane(COMING, stop)
        self._order = order
        self._give_way = give_way
        self._epoch = 0
        self._present = roster.source

    def unsealed(self, link):
        return super().unsealed(link)[0], self._present

    def receive(self, link, member):
        if isinstance(link, TlsLink) and not self._may_come(member):
            raise NotAPeer(f"a connection from {link.peer_address} has the credentials of {member and member.host}")
        with self._blaming(link, member):
            hello = read_message(link, Hello)
            if hello.role == "control":
                self._let_in(link, hello, member)
                return
            self._refuse_late(hello)
        take = self._use_token(link, hello)
        with self._blaming(link, member), self._lock:
            self._refuse_late(hello)
            self._welcome(link, hello)
        take(link)

    def close(self):
        for coming in self.control.rest():
            coming.link.abort()

    def _may_come(self, member):
        return member is not None and member.host in self._order.before

    @contextmanager
    def _blaming(self, link, member):
        """Who is proved to be a member is told what was wrong."""
        try:
            yield
        except MoverError as error:
            if member is not None:
                link.send(Failed.of(error).encode())
            raise

    def _let_in(self, link, hello, member):
        """Take a link in the place of the one that there is, or say why not."""
        if member is None:
            raise NotAPeer(f"{link.peer_address} asked for a control connection without TLS")
        with self._lock:
            if not self._order.lets_in(member.host, hello.epoch, self._epoch):
                raise self._refusal(hello)
            before, self._epoch, self._present = (self._epoch, self._present), hello.epoch, member
            try:
                welcome = self._welcome(link, hello)
            except BaseException:
                self._epoch, self._present = before
                raise
        self._give_way(member)
        self.control.put(Coming(link, [(hello, False), (welcome, True)], member, hello.epoch))

    def _refuse_late(self, hello):
        """A bulk connection of a link whose place another one has taken was on its way."""
        if hello.epoch < self._epoch:
            raise self._refusal(hello)

    def _refusal(self, hello):
        text = f"{self._terms.host} is served by {self._present.host} (epoch {self._epoch}), not by {hello.host}"
        return Superseded(f"{text} with epoch {hello.epoch}")

    def _expected_of(self, hello):
        terms = replace(self._terms, epoch=self._epoch)
        return terms.hello(self._roster), hello, self._present.host

    def _take_control(self, link):
        self._address = link.peer_address
