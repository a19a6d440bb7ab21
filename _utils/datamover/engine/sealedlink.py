"""A bulk connection whose bytes travel in sealed records (see sealing), each taken and opened in one piece."""

from ..wire import Knock
from . import sealing
from .link import Link


class SealedLink(Link):
    """`out` is the way on which this end sends; the secret is that of the connection's Admit."""

    def __init__(self, sock, secret, out, stop, patience=None):
        super().__init__(sock, stop, patience)
        self._sealer = sealing.Sealer(secret, out)
        self._unsealer = sealing.Unsealer(secret, sealing.BACK if out == sealing.OUT else sealing.OUT)
        self._header = memoryview(bytearray(sealing.LENGTH))
        self._record = memoryview(b"")
        self._opened = memoryview(b"")

    def knock(self, token):
        """Tell, unsealed, by which secret the rest is sealed."""
        super().send(Knock(token=token).encode())

    def send(self, data):
        self._flush()  # What is left of the last record lies where the next one will.
        with self.times.on("encrypt"):
            record = self._sealer.seal(data)
        super().send(record)

    def receive_into(self, view, _wanted=1):
        count = min(len(view), len(self._opened) or self._next_record())
        view[:count], self._opened = self._opened[:count], self._opened[count:]
        return count

    def take(self, size):
        """Without a copy where a record holds it all."""
        if size > (len(self._opened) or self._next_record()):
            return super().take(size)
        taken, self._opened = self._opened[:size], self._opened[size:]
        return taken

    def _next_record(self):
        """Receive and open a record; return how many bytes it holds."""
        self._fill_raw(self._header)
        size = self._unsealer.size(self._header)
        if size > len(self._record):
            self._record = memoryview(bytearray(size))
        record = self._record[:size]
        self._fill_raw(record)
        with self.times.on("decrypt"):
            self._opened = self._unsealer.open(self._header, record)
        return len(self._opened)

    def _fill_raw(self, view):
        at = 0
        while at < len(view):
            at += super().receive_into(view[at:], len(view) - at)
