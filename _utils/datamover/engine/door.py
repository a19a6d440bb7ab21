"""Accepts connections and finds out who they are, without letting strangers get in anybody's way.

Every connection is greeted in a thread of its own and within a time. How many may be in that state at once is bounded,
apart for addresses of the roster and for all others, so that no number of strangers keeps a member out.
"""

import errno
import select
import threading

from ..errors import MoverError
from ..wire import Type
from .link import PORTION, EndOfStream, Link, TlsLink
from .opening import PATIENCE
from .stop import Countdown, Stopped, wait_ready

SEATS_FOR_MEMBERS = 80
SEATS_FOR_STRANGERS = 8
STRANGERS_TOLD = 20
PAUSE = 0.2
"""Seconds until accepting is tried again where this host had no room for one more connection."""
_SHORT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_TLS_RECORD = b"\x16"
_KNOCK = bytes((Type.KNOCK,))


class Door:
    """Calls `receive(link, member)` for each connection; `member` is None where nobody was proved, on plain TCP.

    `receive` owns the link unless it raises. `unsealed(link)` gives link and member for who knocks on a plain one.
    Nothing that a connection does ends more than this connection.
    """

    def __init__(self, listener, context, roster, plain_too, unsealed, receive, tell, stop):
        listener.setblocking(False)
        self._listener = listener
        self._context = context
        self._roster = roster
        self._plain_too = plain_too
        self._unsealed = unsealed
        self._receive = receive
        self._tell = tell
        self._stop = stop
        self._strangers = 0
        self._known = roster.addresses
        self._seats = {
            True: threading.BoundedSemaphore(SEATS_FOR_MEMBERS),
            False: threading.BoundedSemaphore(SEATS_FOR_STRANGERS),
        }

    def run(self):
        """Accept until the work ends."""
        while True:
            wait_ready(self._listener.fileno(), select.POLLIN, None, self._stop)
            try:
                self._seat(*self._listener.accept())
            except (BlockingIOError, ConnectionError):
                pass  # A connection may be gone again before it is taken.
            except OSError as error:
                if error.errno not in _SHORT_OF:
                    raise
                # It stays in the kernel's queue, and may be taken when this host has room again.
                self._stop.wait(PAUSE)

    def _seat(self, sock, address):
        seats = self._seats[address[0] in self._known]
        if not seats.acquire(blocking=False):
            sock.close()
            return
        greeting = threading.Thread(target=self._greet, args=(sock, address[0], seats), name="greeting", daemon=True)
        try:
            greeting.start()
        except RuntimeError as error:  # no more threads for now
            sock.close()
            seats.release()
            self._tell_of(address[0], str(error))

    def _greet(self, sock, address, seats):
        try:
            self._open(sock)
        except Stopped:
            pass
        except MoverError as error:
            self._tell_of(address, error.text)
        except (EndOfStream, OSError) as error:
            self._tell_of(address, str(error) or "no TLS and no Hello in time")
        finally:
            seats.release()

    def _tell_of(self, address, why):
        """The first few only: a flood of strangers must not become a flood of events."""
        self._strangers += 1
        if self._strangers <= STRANGERS_TOLD:
            self._tell("stranger", address=address, why=why)

    def _open(self, sock):
        try:
            link, member = self._prove(Link(sock, self._stop, Countdown(PATIENCE)))
            self._receive(link, member)
        except BaseException:
            sock.close()
            raise

    def _prove(self, link):
        """TLS, and whose certificate it showed; a plain connection as it is, where those are expected."""
        first = link.peek()
        if first == _KNOCK:
            return self._unsealed(link)
        if self._plain_too and first != _TLS_RECORD:
            return link, None
        secure = TlsLink(link.socket, self._context, True, self._stop, link.patience, PORTION)
        secure.handshake()
        return secure, self._roster.owner_of(secure.peer_der)
