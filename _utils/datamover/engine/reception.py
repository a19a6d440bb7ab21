"""Who may come in at the destination: one control connection of the source, then its bulk connections, each by a token.

A token is told over the control connection, holds for one stream and is used up by its first use. On plain TCP it is
all that a connection shows, and there it counts only from the address that the control connection came from.
"""

import hmac
import secrets
import threading

from ..errors import MoverError, NotAPeer
from ..wire import Admit, Failed, Hello, protocol
from .link import TlsLink
from .opening import read_message
from .stop import Lane


class Reception:
    """`control` gives (link, opening) once, `bulk` gives (stream, link) for each bulk connection."""

    def __init__(self, terms, roster, stop):
        self.control = Lane(1, stop)
        self.bulk = Lane(terms.streams, stop)
        self._terms = terms
        self._roster = roster
        self._stop = stop
        self._lock = threading.Lock()
        self._address = None
        self._tokens = {}

    def admissions(self):
        """What to tell the source so that it can open its bulk connections."""
        self._tokens = {stream: secrets.token_bytes(32) for stream in range(1, self._terms.streams + 1)}
        return [Admit(stream=stream, token=token) for stream, token in self._tokens.items()]

    def receive(self, link, member):
        """Take a connection that the door accepted. What the source itself does wrong ends the transfer."""
        source = self._roster.source
        if isinstance(link, TlsLink) and member != source:
            raise NotAPeer(f"a connection from {link.peer_address} has the credentials of {member and member.host}")
        try:
            self._admit(link, read_message(link, Hello), source)
        except MoverError as error:
            if member == source:
                link.send(Failed.of(error).encode())
                self._stop.set(error)
            raise

    def close(self):
        """Close what came in and was never taken."""
        for link, _ in self.control.rest():
            link.abort()
        for _, link in self.bulk.rest():
            link.abort()

    def _admit(self, link, hello, source):
        if hello.role == "bulk":
            self._check_token(link, hello)
        elif not isinstance(link, TlsLink):
            raise NotAPeer(f"{link.peer_address} asked for a control connection without TLS")
        welcome = protocol.answer(self._terms.hello(self._roster), hello, source.host)
        if hello.role == "control":
            self._take_control(link)
        link.send(welcome.encode())
        link.patience = None
        if hello.role == "control":
            self.control.put((link, [(hello, False), (welcome, True)]))
        else:
            self.bulk.put((hello.stream, link))

    def _take_control(self, link):
        with self._lock:
            if self._address is not None:
                raise NotAPeer("a second control connection came while the first one is open")
            self._address = link.peer_address

    def _check_token(self, link, hello):
        plain = not isinstance(link, TlsLink)
        with self._lock:
            token = self._tokens.get(hello.stream)
            fits = token is not None and hmac.compare_digest(token, hello.token)
            if not fits or (plain and link.peer_address != self._address):
                raise NotAPeer(f"{link.peer_address} showed no valid token for stream {hello.stream}")
            del self._tokens[hello.stream]
