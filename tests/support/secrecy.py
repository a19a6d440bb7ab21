"""Who could overhear a secret: everything that a lab shows while a transfer lasts, and leaves when it is over.

The secrets themselves are taken from where they must be: a private key from the memory of its worker, a token from the
wire on which it travels in clear when encryption is off.
"""

import base64
import json
import os
import socket
import stat
import threading
from concurrent.futures import Future
from contextlib import suppress

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from datamover.wire import MAGIC, Hello
from tests.conftest import CHECKOUT

PLACES = (
    "/var/lib/salt-transfer",
    "/var/cache/salt",
    "/var/log",
    "/run/salt",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/root",
    "/srv",
)
JOURNAL = ["journalctl", "--no-pager", "--all", "--output=cat"]
LOOK_EVERY = 0.1
NOW = "tests/now"
HEADER = 12
EVERY_PROTOCOL = 3
SILENCE = 60


# --- secrets ----------------------------------------------------------------------------------------------------------


def key_of(machine, pid):
    """The private number of the key that a worker holds in its memory, as 32 bytes."""
    for descriptor in machine.path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(descriptor).startswith("/memfd:identity"):
            key = serialization.load_pem_private_key(descriptor.read_bytes(), password=None)
            return key.private_numbers().private_value.to_bytes(32, "big")
    raise AssertionError(f"process {pid} of {machine.name} holds no key")


class Wiretap:
    """Listens on a link, from the first line of the `with`, for the first Hello in clear."""

    def __init__(self, link):
        self._link = link
        self._hello = Future()

    def __enter__(self):
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
        self._socket.settimeout(SILENCE)
        self._socket.bind((self._link.name, 0))
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _listen(self):
        with suppress(OSError):
            while not self._hello.done():
                packet = self._socket.recv(1 << 16)
                start = packet.find(MAGIC)
                if start >= HEADER:
                    length = int.from_bytes(packet[start - HEADER + 4 : start - HEADER + 8], "big")
                    self._hello.set_result(Hello.decode(packet[start : start + length]))

    def token(self):
        """The token that it showed."""
        return self._hello.result(SILENCE).token


def spellings(secret):
    """The ways in which bytes get into texts: as they are, in hex, in base64 at any offset."""
    yield from (secret, secret.hex().encode(), secret.hex().upper().encode())
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        yield encoded[4 if shift else 0 : -4]


def marks():
    """What begins or surrounds every private key of the kind that workers make."""
    yield b"PRIVATE KEY"
    some = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
        ders = [key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption()) for key in some]
        beginning = os.path.commonprefix(ders)
        yield from (beginning, beginning.hex().encode(), base64.b64encode(beginning)[: len(beginning) // 3 * 4])


# --- where they must not be -------------------------------------------------------------------------------------------


class Ears:
    """Listens in a lab for the length of a `with`; `heard` then tells who could have learned one of some secrets."""

    def __init__(self, lab):
        self._lab = lab
        self._bus = lab.bus()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch_processes, daemon=True)
        self._processes = {}

    def __enter__(self):
        self._bus.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._bus.__exit__()

    def heard(self, *secrets, told=""):
        """Sentences about where any of these, or a private key, can be read; `told` is what a command printed."""
        needles = {spelling for secret in secrets for spelling in spellings(secret)} | set(marks())
        found = []
        for place, content in self._everything(told):
            found += [place for needle in needles if needle in content][:1]
        return sorted(set(found))

    def _everything(self, told):
        yield "the command's output", told.encode()
        yield from self._events()
        yield from list(self._processes.items())
        for machine in self._lab.machines.values():
            yield f"{machine.name}: the journal", machine.run(JOURNAL).stdout.encode()
            yield from files(machine)

    def _events(self):
        """All that was on the bus until now."""
        self._lab.run_runner("event.send", NOW)
        for tag, data in self._bus.events(SILENCE):
            if tag == NOW:
                return
            yield f"the bus: {tag}", json.dumps(data).encode()

    def _watch_processes(self):
        while not self._stop.wait(LOOK_EVERY):
            for machine in self._lab.machines.values():
                self._processes.update(processes(machine))


def processes(machine):
    """{what: bytes} of the command line and the environment of every process."""
    found = {}
    for process in machine.path("/proc").glob("[0-9]*"):
        for what in ("cmdline", "environ"):
            with suppress(OSError):
                content = (process / what).read_bytes()
                found[f"{machine.name}: {what} of process {process.name}: {content[:80]!r}"] = content
    return found


def files(machine):
    """(what, bytes) of every file where ours or Salt's could be; the checkout, which machines can see, is neither."""
    checkout = os.fspath(machine.path(CHECKOUT))
    for place in PLACES:
        for directory, folders, names in os.walk(machine.path(place)):
            folders[:] = [name for name in folders if os.path.join(directory, name) != checkout]
            for name in names:
                path = os.path.join(directory, name)
                with suppress(FileNotFoundError):
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        with open(path, "rb") as file:
                            yield f"{machine.name}: {path.partition('/root')[2]}", file.read()
