"""Who may come in at the destination: one control connection of the source, then its bulk connections, each by a token.

A token is told over the control connection, holds for one stream and is used up by its first use. On plain TCP it is
all that a connection shows, and there it counts only from the address that the control connection came from.
"""

import hmac
import threading
from contextlib import contextmanager

from ..errors import MoverError, NotAPeer
from ..wire import NO_SECRET, Failed, Hello, Knock, protocol
from . import sealing
from .link import TlsLink
from .opening import read_message
from .sealedlink import SealedLink
from .stop import Lane


class Reception:
    """`control` gives (link, opening) once; who waits for a bulk connection says so with expect()."""

    def __init__(self, terms, roster, stop):
        self.control = Lane(1, stop)
        self._terms = terms
        self._roster = roster
        self._stop = stop
        self._lock = threading.Lock()
        self._address = None
        self._expected = {}

    def expect(self, stream, token, secret, take):
        """Call `take(link)` for who shows this token for this stream. No other token of the stream holds any more."""
        with self._lock:
            self._expected[stream] = token, secret, take

    def unsealed(self, link):
        """The link of who knocks on this plain one: only the source can know by which secret the rest is sealed."""
        token = read_message(link, Knock).token
        with self._lock:
            known = [secret for other, secret, _ in self._expected.values() if hmac.compare_digest(other, token)]
        if not known or known[0] == NO_SECRET:
            raise NotAPeer(f"{link.peer_address} knocked with no valid token")
        return SealedLink(link.socket, known[0], sealing.BACK, link.stop, link.patience), self._roster.source

    def receive(self, link, member):
        """Take a connection that the door accepted. What the source itself does wrong ends the transfer; only a token
        that holds no more does not: it may belong to a connection that the source has given up meanwhile.
        """
        if isinstance(link, TlsLink) and not self._may_come(member):
            raise NotAPeer(f"a connection from {link.peer_address} has the credentials of {member and member.host}")
        with self._blaming(link, member):
            hello = read_message(link, Hello)
        take = self._use_token(link, hello) if hello.role == "bulk" else None
        with self._blaming(link, member):
            welcome = self._welcome(link, hello)
        if take:
            take(link)
        else:
            self.control.put((link, [(hello, False), (welcome, True)]))

    def _may_come(self, member):
        return member == self._roster.source

    @contextmanager
    def _blaming(self, link, member):
        """An error in here ends the transfer if it was proved to be the source that made it."""
        try:
            yield
        except MoverError as error:
            if member is not None:
                link.send(Failed.of(error).encode())
                self._stop.set(error)
            raise

    def close(self):
        """Close what came in and was never taken."""
        for link, _ in self.control.rest():
            link.abort()

    def _welcome(self, link, hello):
        if hello.role == "control" and not isinstance(link, TlsLink):
            raise NotAPeer(f"{link.peer_address} asked for a control connection without TLS")
        welcome = protocol.answer(*self._expected_of(hello))
        if hello.role == "control":
            self._take_control(link)
        link.send(welcome.encode())
        link.patience = None
        return welcome

    def _expected_of(self, hello):
        """(what we would have said, what was said, who should have)."""
        return self._terms.hello(self._roster), hello, self._roster.source.host

    def _take_control(self, link):
        with self._lock:
            if self._address is not None:
                raise NotAPeer("a second control connection came while the first one is open")
            self._address = link.peer_address

    def _use_token(self, link, hello):
        """Use up the token of a bulk connection; return who expects it."""
        plain = not isinstance(link, TlsLink | SealedLink)
        with self._lock:
            token, _, take = self._expected.get(hello.stream, (None, None, None))
            fits = token is not None and hmac.compare_digest(token, hello.token)
            if not fits or (plain and link.peer_address != self._address):
                raise NotAPeer(f"{link.peer_address} showed no valid token for stream {hello.stream}")
            del self._expected[hello.stream]
        return take
