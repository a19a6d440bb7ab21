"""How a worker tells whoever started it that it is ready and alive: systemd's datagrams, or a pipe to the starter."""

import contextlib
import logging
import os
import socket

READY = b"READY=1\n"
NOTIFY_SOCKET = "NOTIFY_SOCKET"

log = logging.getLogger(__name__)


class Systemd:
    """systemd's protocol (sd_notify, Type=notify) without its library."""

    def __init__(self, environment):
        address = environment[NOTIFY_SOCKET]
        # A leading @ stands for the NUL of the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self):
        self._send(b"READY=1")

    def alive(self):
        self._send(b"WATCHDOG=1")

    def stopping(self):
        self._send(b"STOPPING=1")

    def _send(self, message):
        # systemd may be re-executing itself just now; that is no reason to end, or to wait.
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.sendto(message, socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            log.warning("systemd could not be told %s: %s", message.decode(), error)


class Nobody:
    """Started by hand: there is nobody to tell."""

    def ready(self):
        """Nobody waits."""

    def alive(self):
        """Nobody watches."""

    def stopping(self):
        """Nobody watches."""


class Pipe(Nobody):
    """A pipe whose other end the starter reads: a word when ready, the end of the stream if that never happens."""

    def __init__(self, descriptor):
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor

    def ready(self):
        # Whoever started us may be gone; the lease then decides.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._descriptor, READY)
        os.close(self._descriptor)


def notifier(environment, descriptor=None):
    """The way to tell that fits how this process was started."""
    if NOTIFY_SOCKET in environment:
        return Systemd(environment)
    return Nobody() if descriptor is None else Pipe(descriptor)
