"""The first words on a connection: TLS, Hello, Welcome. Nothing else is believed before they were exchanged.

In TLS 1.3 the handshake of whoever connects succeeds even when the other end refuses its certificate, so only the
Welcome proves the way.
"""

import ssl
from contextlib import contextmanager

from ..errors import HandshakeRefused, PeerUnreachable
from ..wire import Failed, Reader, Welcome, protocol
from . import sealing
from .link import PORTION, SMALL_PORTION, EndOfStream, Link, TlsLink, reason_of
from .sealedlink import SealedLink
from .stop import Countdown

PATIENCE = 20.0
"""Seconds for one handshake, from the first byte to the Welcome."""


def introduce(sock, context, hello, peer, stop, secret=None):
    """Say Hello on a connection that we made and get a Link with the member `peer`.

    It is sealed by the secret if there is one, else in TLS by the context; without either it is plain TCP.
    """
    link = _link(sock, context, hello.role, stop, secret)
    try:
        with _refusal(peer):
            _prove(link, peer, hello)
            link.send(hello.encode())
            answer = read_message(link, Welcome, Failed)
        if isinstance(answer, Failed):
            raise answer.as_error(peer.host)
        protocol.check_welcome(hello, answer, peer.host)
    except BaseException:
        link.close()
        raise
    link.patience = None
    return link, answer


def is_passing(error):
    """Whether an opening or a connection that failed like this may go well the next time: nobody was refused."""
    cause = error.__cause__
    broke = isinstance(cause, EndOfStream | OSError) and not isinstance(cause, ssl.SSLCertVerificationError)
    return broke or not isinstance(error, HandshakeRefused)


def _link(sock, context, role, stop, secret):
    patience = Countdown(PATIENCE)
    if secret is not None:
        return SealedLink(sock, secret, sealing.OUT, stop, patience)
    if context is None:
        return Link(sock, stop, patience)
    return TlsLink(sock, context, False, stop, patience, SMALL_PORTION if role == "control" else PORTION)


def _prove(link, peer, hello):
    """Make sure that TLS ends at this member and no other of the roster. A plain link has its token instead, and who
    can open a sealed one heard its secret on control.
    """
    if isinstance(link, SealedLink):
        link.knock(hello.token)
    if not isinstance(link, TlsLink):
        return
    link.handshake()
    if link.peer_der != peer.der:
        raise HandshakeRefused(
            f"who answers for {peer.host} showed the certificate of another member of this transfer", host=peer.host
        )


@contextmanager
def _refusal(peer):
    """Words for everything that can end an opening before the Welcome."""
    where = f"{peer.host} (port {peer.port})"
    try:
        yield
    except TimeoutError as error:
        text = f"{where} took the connection but did not complete the handshake within {PATIENCE:g} s"
        raise PeerUnreachable(f"{text}; look at its load and its log", host=peer.host) from error
    except ssl.SSLCertVerificationError as error:
        text = f"{where} showed a certificate that is not in the roster: is this port another program's, or a proxy's?"
        raise HandshakeRefused(text, host=peer.host) from error
    except (EndOfStream, OSError) as error:
        text = f"{where} refused the handshake: {reason_of(error)}. It does not know us, or is somebody else"
        raise HandshakeRefused(text, host=peer.host) from error


def read_message(link, *kinds):
    """The first message on a link, which must be one of these kinds; not a byte beyond it is taken."""
    reader = Reader(*kinds)
    while True:
        portion = bytearray(reader.wanted)
        link.fill(memoryview(portion))
        reader.feed(portion)
        for message in reader.messages():
            return message
