"""One connection, plain or TLS, whose waits end with the work or with its patience.

One thread may send while another one receives. TLS runs over memory buffers instead of the socket: a whole piece is
encrypted by one call and leaves by one system call, and what arrives is taken from the kernel in large portions; both
cost fewer processor seconds than a record at a time.
"""

import errno
import fcntl
import select
import socket
import ssl
import struct
import sys
import termios
import threading
import time
from contextlib import contextmanager

from ..errors import ConnectionLost
from .pulse import is_silent, pushed_back
from .stages import Timesheet
from .stop import wait_ready

PORTION = 512 * 1024
"""How much is taken from the kernel at once on a bulk connection; control needs less."""
SMALL_PORTION = 32 * 1024
_UNSENT_BYTES = 0x894B  # SIOCOUTQNSD
LOOK = 1.0
"""Seconds after which who waits on a connection looks whether the other host still answers, and takes what is here."""
LOW_WATER = 512 * 1024
"""Who waits for many bytes is not woken for fewer than these: at 500 Mbit/s it would be for every 64 KiB."""


class EndOfStream(Exception):
    """The other end closed the connection. Never how a healthy conversation ends."""


@contextmanager
def losing(host, what):
    """Whatever breaks a connection in here is told as the loss of `what` (such as "control") to this host."""
    try:
        yield
    except (EndOfStream, OSError) as error:
        text = f"the {what} connection to {host} broke: {reason_of(error)}"
        raise ConnectionLost(text, host=host, connection=what) from error


def reason_of(error):
    """Words for what OpenSSL or the kernel says, or for the end of a stream."""
    said = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return said or "the other end closed it"


class Link:
    """A connected socket that is owned: close() closes it.

    `patience` is a Countdown for every wait from now on, or None to wait as long as the work goes on. `silence` is how
    many seconds the other host's kernel may acknowledge nothing of what was sent, or None for as long as ours bears it.
    `held` are the seconds that it waited for the other end or the way to it; `times` gets what is spent on it.
    """

    def __init__(self, sock, stop, patience=None):
        sock.setblocking(False)
        self.socket = sock
        self.stop = stop
        self.patience = patience
        self.silence = None
        self.sent = self.received = 0
        self.held = 0.0
        self.times = Timesheet()
        self._unsent = b""
        self._taken = memoryview(b"")
        self._low_water = 1
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def peer_address(self):
        return self.socket.getpeername()[0]

    def send(self, data):
        """Send all of `data` (bytes-like)."""
        with self.times.on("network"):
            self._flush()
            self._unsent = data
            self._flush()

    def receive_into(self, view, wanted=1):
        """Receive at least one byte into a writable view; return how many. If it has to wait, it rather waits for as
        many as are `wanted`, for a moment.
        """
        with self.times.on("network"):
            count = self._receive(view, wanted)
        self.received += count
        if not count:
            raise EndOfStream
        return count

    def _receive(self, view, wanted):
        while True:
            try:
                return self.socket.recv_into(view)
            except BlockingIOError:
                self._set_low_water(min(wanted, LOW_WATER))
                self._wait(select.POLLIN)

    def _set_low_water(self, count):
        """How many bytes have to be there for a wait to end."""
        if count != self._low_water:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
            self._low_water = count

    @property
    def backlog(self):
        """Bytes that the kernel took of us and has not sent yet."""
        return self._count(_UNSENT_BYTES)

    def _count(self, request):
        return int.from_bytes(fcntl.ioctl(self.socket, request, bytes(4)), sys.byteorder)

    @property
    def in_flight(self):
        """Bytes that the kernel took of us and the other end's kernel has not acknowledged yet."""
        return self._count(termios.TIOCOUTQ)

    @property
    def pushed_back(self):
        """Seconds for which the other end took less than our kernel had for it."""
        return pushed_back(self.socket)

    def fill(self, view):
        """Receive until the writable view is full."""
        at = 0
        while at < len(view):
            at += self.receive_into(view[at:], len(view) - at)

    def take(self, size):
        """The next bytes, where the next call will put others."""
        if size > len(self._taken):
            self._taken = memoryview(bytearray(size))
        taken = self._taken[:size]
        self.fill(taken)
        return taken

    def peek(self):
        """The first byte that waits to be received."""
        self._set_low_water(1)
        self._wait(select.POLLIN)
        return self.socket.recv(1, socket.MSG_PEEK)

    def check_alive(self):
        """TimeoutError when the other host has been silent for too long; EndOfStream when it closed a one-way link."""
        if self.silence is None:
            return
        if is_silent(self.socket, self.silence):
            raise TimeoutError(errno.ETIMEDOUT, f"nothing that was sent was acknowledged for {self.silence:g} s")
        if self._closed():
            raise EndOfStream

    def _closed(self):
        """Whether the other end, which says nothing on this connection, has closed it."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False

    def _check(self):
        """Stopped when the work has ended, TimeoutError when patience has."""
        self.stop.check()
        if self.patience is not None and not self.patience.left():
            raise TimeoutError

    def break_off(self):
        """From any thread: whoever waits on this link finds it at its end."""
        self.socket.shutdown(socket.SHUT_RDWR)

    def finish_sending(self):
        """Tell the other end that nothing more comes."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def abort(self):
        """Close, and drop what is still on its way: else the kernel goes on offering it to a host that may be dead."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _flush(self):
        """Give to the kernel what is left of the last send, which a stop or a timeout may have interrupted."""
        unsent = memoryview(self._unsent)
        try:
            while len(unsent):
                try:
                    count = self.socket.send(unsent)
                except BlockingIOError:
                    self._wait(select.POLLOUT)
                    continue
                self.sent += count
                unsent = unsent[count:]
        finally:
            self._unsent = unsent

    def _wait(self, events):
        began = time.monotonic()
        try:
            self._await(events)
        finally:
            self.held += time.monotonic() - began

    def _await(self, events):
        while not wait_ready(self.socket.fileno(), events, self._moment(), self.stop):
            if self.silence is not None:
                self.check_alive()
            elif self.patience is not None and not self.patience.left():
                raise TimeoutError
            if events == select.POLLIN and self._low_water > 1:
                return  # What trickles in is taken now and then: that it comes must be seen.

    def _moment(self):
        """Seconds to wait before looking after anything else; None if there is nothing else."""
        left = None if self.patience is None else self.patience.left()
        if self.silence is None and self._low_water == 1:
            return left
        return LOOK if left is None else min(left, LOOK)


class TlsLink(Link):
    """A Link whose bytes travel in TLS. handshake() comes first."""

    def __init__(self, sock, context, server_side, stop, patience=None, portion=PORTION):
        super().__init__(sock, stop, patience)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self._lock = threading.Lock()  # one TLS state for both directions; held only while computing
        self._raw = memoryview(bytearray(portion))

    @property
    def peer_der(self):
        """The certificate that the other end proved to own."""
        return self._tls.getpeercert(binary_form=True)

    def handshake(self):
        while not self._handshake_step():
            self._check()
            self._take_portion()

    def _handshake_step(self):
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            super().send(self._outgoing.read())
        return True

    def send(self, data):
        with self._lock, self.times.on("encrypt"):
            self._tls.write(data)
            cipher = self._outgoing.read()
        super().send(cipher)

    def receive_into(self, view, _wanted=1):
        """What is here already is taken also when the work has ended: it may be the other end's last word."""
        if count := self._decrypt(view):
            return count
        self._take_portion()
        while not (count := self._decrypt(view)):
            self._check()  # Tickets and other records that carry nothing may come so fast that it never has to wait.
            self._take_portion()
        return count

    def _decrypt(self, view):
        """Decrypt what has been taken into the view, as far as it goes; return how many bytes."""
        at, size, read = 0, len(view), self._tls.read
        try:
            with self._lock, self.times.on("decrypt"):
                while at < size and (count := read(size - at, view[at:])):
                    at += count
        except ssl.SSLWantReadError:
            return at
        # Full, or the other end said farewell: what it sends after that would only pile up.
        if size and not at:
            raise EndOfStream
        return at

    def _take_portion(self):
        count = super().receive_into(self._raw)
        with self._lock:
            self._incoming.write(self._raw[:count])
