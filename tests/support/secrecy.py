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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from datamover.wire import MAGIC, Hello
from tests.support.doorkeeper import Doorkeeper
from tests.support.waiting import eventually

IN_MEMORY = ("/run", "/dev/shm")
"""What is lost with the power."""
MOUNTED = ("/srv",)
"""Where tests mount file systems."""
SALTS_OWN_KEYS = "/etc/salt/pki/"
JOURNAL = ["journalctl", "--no-pager", "--all", "--output=export"]
LOOK_EVERY = 0.5
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
        self._threads = ThreadPoolExecutor(1 + 2 * len(lab.machines))
        self._listeners = []
        self._at_their_doors = threading.Barrier(1 + len(lab.machines))
        self._needles = set(marks())
        self._events, self._processes, self._found = [], {}, set()

    def __enter__(self):
        self._bus.__enter__()
        self._listen(self._follow_the_bus)
        for machine in self._lab.machines.values():
            self._listen(self._watch_the_door, machine)
            self._listen(self._watch_processes, machine)
        try:
            self._at_their_doors.wait(SILENCE)
        except threading.BrokenBarrierError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._threads.shutdown()
        self._bus.__exit__()
        self._assert_not_deaf()

    def learn(self, *secrets):
        """Listen for these too, and look for them at once: a file, or a machine's memory, may be gone later."""
        self._needles |= {spelling for secret in secrets for spelling in spellings(secret)}
        self._look_through(self._what_lies_about())

    def heard(self, *secrets, told="", entitled=()):
        """Sentences about where any of these, or a private key, could be read; `told` is what a command printed.

        `entitled` are the places, named as here or by how they begin, where that is as it must be.
        """
        self._await_all_events()
        self._assert_not_deaf()
        self.learn(*secrets)
        self._look_through([("the command's output", told.encode()), *self._events, *list(self._processes.items())])
        return sorted(place for place in self._found if not place.startswith(tuple(entitled)))

    def _look_through(self, places):
        self._found |= {place for place, content in places if any(needle in content for needle in self._needles)}

    def _what_lies_about(self):
        for machine in self._lab.machines.values():
            yield f"{machine.name}: the journal", machine.run(JOURNAL, text=False).stdout
            yield from files(machine)

    # What passes by

    def _listen(self, listener, *arguments):
        self._listeners.append(self._threads.submit(listener, *arguments))

    def _assert_not_deaf(self):
        for listener in self._listeners:
            if listener.done():
                listener.result()

    def _follow_the_bus(self):
        while not self._stop.is_set():
            for tag, data in self._bus.events(LOOK_EVERY):
                self._events.append((f"the bus: {tag}", json.dumps(data).encode()))

    def _await_all_events(self):
        """Return when all that was on the bus until now has been heard."""
        before = len(self._events)
        self._lab.run_runner("event.send", NOW)
        assert eventually(lambda: any(tag == f"the bus: {NOW}" for tag, _ in self._events[before:])), "deaf to the bus"

    def _watch_the_door(self, machine):
        with Doorkeeper(machine) as doorkeeper:
            self._at_their_doors.wait(SILENCE)
            while not self._stop.is_set():
                for pid in doorkeeper.come_in(LOOK_EVERY):
                    self._note_process(machine, Path("/proc", str(pid)))

    def _watch_processes(self, machine):
        while not self._stop.wait(LOOK_EVERY):
            with suppress(FileNotFoundError):  # it has no power
                for process in machine.path("/proc").glob("[0-9]*"):
                    self._note_process(machine, process)

    def _note_process(self, machine, process):
        """Its command line and its environment."""
        for what in ("cmdline", "environ"):
            with suppress(OSError):
                content = (process / what).read_bytes()
                self._processes[f"{machine.name}: {what} of process {process.name}: {content[:80]!r}"] = content


def files(machine):
    """(what, bytes) of every file that the machine has ever written, on its disk and in its memory, each once."""
    seen = set()
    places = {machine.home / part: "" for part in ("upper", "disk")}
    places |= {machine.path(path): path for path in IN_MEMORY + MOUNTED}
    for place, inside in places.items():
        for path, identity in regular_files(place):
            named = f"{inside}/{path.relative_to(place)}"
            if identity not in seen and not named.startswith(SALTS_OWN_KEYS):
                seen.add(identity)
                with suppress(FileNotFoundError):
                    yield f"{machine.name}: {named}", path.read_bytes()


def regular_files(place):
    """(path, what it is the same file by) of each below a directory."""
    for directory, _, names in os.walk(place):
        for path in (Path(directory, name) for name in names):
            with suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    yield path, (status.st_dev, status.st_ino)
