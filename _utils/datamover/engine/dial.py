"""Connecting to a member of the roster, and words for the ways in which that fails."""

import errno
import os
import select
import socket

from ..errors import PeerUnreachable
from .channel import family_of, place
from .stop import Countdown, wait_ready

BUDGET = 20.0
"""Seconds for connecting, over all addresses of a member."""
SHARE = 2 / 3
"""And at most this part of the lease: whom nobody can reach is told before the other end gives up waiting."""

_WORDS = {
    errno.ECONNREFUSED: "refused the connection: nothing listens, or a firewall (perhaps of this host) rejects it",
    errno.EHOSTUNREACH: "cannot be reached: the host is down, or a firewall (perhaps of this host) rejects it",
    errno.ENETUNREACH: "cannot be reached: this host has no route to it, or a firewall says so",
    errno.EPERM: "may not be reached: the firewall of this host forbids what goes out to it",
    errno.EACCES: "may not be reached: the firewall or the security module of this host forbids it",
    errno.EADDRNOTAVAIL: "cannot be reached: this host has no free local port or no address of that family",
}
_SILENCE = "did not answer within {seconds:.1f} s: a firewall on either host or between them may drop the connection"


def connect(member, stop, budget=BUDGET):
    """A connected socket to the first address of `member` that answers; PeerUnreachable with what each of them did."""
    countdown, troubles = Countdown(budget), []
    for left, address in zip(range(len(member.addresses), 0, -1), member.addresses, strict=True):
        share = countdown.left() / left
        try:
            return _connect(address, member.port, share, stop)
        except OSError as error:
            troubles.append(f"{place(address, member.port)} {_words(error, share)}")
    raise PeerUnreachable(
        f"no connection to {member.host}: {'; '.join(troubles)}",
        host=member.host,
        addresses=list(member.addresses),
        port=member.port,
    )


def _connect(address, port, seconds, stop):
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        _complete(sock, sock.connect_ex((address, port)), seconds, stop)
    except BaseException:
        sock.close()
        raise
    return sock


def _complete(sock, status, seconds, stop):
    if status == errno.EINPROGRESS:
        if not wait_ready(sock.fileno(), select.POLLOUT, seconds, stop):
            raise TimeoutError
        status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if status:
        raise OSError(status, os.strerror(status))


def _words(error, seconds):
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return _SILENCE.format(seconds=seconds)
    return f"{_WORDS.get(error.errno, 'cannot be reached')} ({error.strerror}, errno {error.errno})"
