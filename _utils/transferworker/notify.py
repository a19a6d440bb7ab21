"""How a worker tells whoever watches over it that it is ready and alive: systemd's datagrams, or a guardian's pipe."""

import contextlib
import logging
import os
import socket

READY, ALIVE = b"READY=1\n", b"WATCHDOG=1\n"
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


class Pipe:
    """A pipe that the guardian reads: words while the worker lives, the end of the stream when it does not."""

    def __init__(self, descriptor):
        os.set_inheritable(descriptor, False)
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    def ready(self):
        self._tell(READY)

    def alive(self):
        self._tell(ALIVE)

    def _tell(self, word):
        # The guardian may be gone, or stopped until the pipe is full: the lease then decides.
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._descriptor, word)


def notifier(environment, descriptor=None):
    """The way to tell that fits how this process was started."""
    if NOTIFY_SOCKET in environment:
        return Systemd(environment)
    return Nobody() if descriptor is None else Pipe(descriptor)
