"""How a worker tells whoever started it that it is ready and alive: systemd's datagrams, or a pipe to the starter."""

import os
import socket

READY = b"READY=1\n"


class Systemd:
    """systemd's protocol (sd_notify, Type=notify) without its library."""

    def __init__(self, environment):
        address = environment["NOTIFY_SOCKET"]
        # A leading @ stands for the NUL of the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = int(environment.get("WATCHDOG_USEC", 0)) / 1e6

    def ready(self):
        self._send(b"READY=1")

    def alive(self):
        self._send(b"WATCHDOG=1")

    def stopping(self):
        self._send(b"STOPPING=1")

    def _send(self, message):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            notify.connect(self._address)
            notify.sendall(message)


class Pipe:
    """A pipe whose other end the starter reads: a word when ready, the end of the stream if that never happens."""

    watchdog = 0.0

    def __init__(self, descriptor):
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor

    def ready(self):
        os.write(self._descriptor, READY)
        os.close(self._descriptor)

    def alive(self):
        """Nobody watches."""

    def stopping(self):
        """Nobody watches."""


def notifier(environment, descriptor):
    """The way to tell that fits how this process was started."""
    return Systemd(environment) if "NOTIFY_SOCKET" in environment else Pipe(descriptor)
