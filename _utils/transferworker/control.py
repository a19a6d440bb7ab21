"""The worker's control socket, both ends: one JSON line asks, one JSON line answers, each on a connection of its own.

The socket lies in the run directory, which only root enters. It is reached through a descriptor of that directory,
because the path of a unix socket may have 107 bytes only.
"""

import contextlib
import json
import logging
import os
import socket
import threading
from pathlib import Path

from datamover.errors import LocalError, MoverError, Stalled

from . import bounds

NAME = "control"
LONGEST_LINE = 1 << 20
BACKLOG = 64
MOMENT = 1.0

log = logging.getLogger(__name__)


class NobodyThere(Exception):
    """No worker listens in this run directory (any more)."""


class Refusal(MoverError):
    """An error that the worker told over its socket, raised again with its own code and words."""

    def __init__(self, told):
        super().__init__(told["text"], **told["evidence"])
        self.code, self.name, self.retryable = told["code"], told["name"], told["retryable"]


@contextlib.contextmanager
def _short_path(directory):
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


class Server:
    """Answers with `answer(request) -> payload`, each request in a thread of its own."""

    def __init__(self, directory, answer):
        self._directory = directory
        self._answer = answer
        self._threads = []
        self._closing = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)

    def start(self):
        remove(self._directory)
        with _short_path(self._directory) as path:
            self._socket.bind(path)
            os.chmod(path, 0o600)
        self._socket.listen(BACKLOG)
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def close(self, patience):
        """Take no more requests; let those under way be answered, each for at most `patience` seconds."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(patience)

    def _accept(self):
        while not self._closing.is_set():
            try:
                self._take(self._socket.accept()[0])
            except (OSError, RuntimeError) as error:  # descriptors or threads are scarce, or `close` was called
                if not self._closing.wait(MOMENT):
                    log.warning("a request could not be taken: %s", error)

    def _take(self, connection):
        thread = threading.Thread(target=self._serve, args=(connection,), name="control answer", daemon=True)
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()

    def _serve(self, connection):
        # A client that went away needs no answer.
        with connection, contextlib.suppress(OSError):
            connection.sendall(json.dumps(self._reply(connection), default=str).encode() + b"\n")

    def _reply(self, connection):
        try:
            return {"answer": self._answer(_read_line(connection))}
        except Exception as error:
            return {"error": as_dict(error)}


def as_dict(error):
    """An error as it is told; one that nobody foresaw is told as ours."""
    if hasattr(error, "as_dict"):
        return bounds.error(error.as_dict())
    return {"code": 61, "name": "internal-error", "retryable": False, "text": bounds.short(repr(error)), "evidence": {}}


def ask(directory, request, timeout):
    """The worker's answer to `request`; raises NobodyThere, or the error that it told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(timeout)
        try:
            with _short_path(directory) as path:
                connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            reply = _read_line(connection)
        except TimeoutError as error:
            raise Stalled(f"the worker in {directory} has not answered within {timeout:g} s; see its log") from error
        except (FileNotFoundError, ConnectionError, EOFError) as error:
            raise NobodyThere(str(error)) from error
    if "error" in reply:
        raise Refusal(reply["error"])
    return reply["answer"]


def remove(directory):
    """Remove the socket that a worker left behind."""
    (Path(directory) / NAME).unlink(missing_ok=True)


def _read_line(connection):
    with connection.makefile("rb") as stream:
        line = stream.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise EOFError("the connection ended in the middle of a line")
    return parse(line)


def parse(line):
    """The document in one line; LocalError if it holds none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LocalError(f"what came over the control socket is no JSON: {error}") from error
