"""The bulk streams at the destination: each is admitted, taken, and admitted again when its connection is lost.

What was read whole from a connection is taken before its end is noticed, so the destination knows to the piece what it
has of a stream, and tells the source whenever it admits it: nothing is taken twice.
"""

import logging
import secrets
from contextlib import contextmanager, suppress

from ..errors import ConnectionLost, ProtocolError
from ..wire import NO_SECRET, Admit, Taken
from ..wire.protocol import Tally
from . import sealing
from .bulk import Bulk
from .link import losing
from .stop import Changes

log = logging.getLogger(__name__)


class Inlet:
    """One bulk stream. run() is for one thread, the rest for any."""

    def __init__(self, number, intake, expect, say, tell, stop):
        self.connections = 0
        self.trouble = None
        self._tally = Tally(number)
        self._intake = intake
        self._expect = expect
        self._say = say
        self._tell = tell
        self._stop = stop
        self._admitted = 0
        self._given_up = 0
        self._link = None
        self._reached = self._base = 0
        self._changed = Changes(stop)

    @property
    def figures(self):
        """What was taken, and over how many connections."""
        tally = self._tally
        told = {"bytes": tally.raw, "wire_bytes": tally.bytes, "pieces": tally.pieces}
        return {**told, "connections": self.connections}

    @property
    def reached(self):
        """Grows only when more bytes than ever before came on this stream, however often they come again."""
        with self._changed:
            return self._note_reach()

    def _note_reach(self):
        if self._link is not None:
            self._reached = max(self._reached, self._base + self._link.received)
        return self._reached

    def run(self, host):
        """Take everything of the stream, from as many connections of `host` as it takes."""
        what = f"bulk (stream {self._tally.stream})"
        while not self._tally.ended:
            self._admit()
            if link := self._next_link():
                link.times = self._intake.times
                with self._until_lost(link), losing(host, what):
                    self._intake.take_all(self._tally, link.take, self._tell_taken)

    def lost(self, connection):
        """The source lost this connection, or could not make it."""
        with self._changed:
            if connection > self._admitted:
                raise ProtocolError(
                    f"connection {connection} of stream {self._tally.stream} was said to be lost; {self._admitted} "
                    "were admitted"
                )
            if connection == self._admitted:
                self._given_up = connection
                self._break_off()
                self._changed.notify_all()

    def _admit(self):
        with self._changed:
            self._admitted += 1
            connection = self._admitted
        token = secrets.token_bytes(32)
        secret = secrets.token_bytes(32) if sealing.FEATURE in self._intake.agreed else NO_SECRET
        self._expect(self._tally.stream, token, secret, lambda link: self._come(connection, link))
        counts = {"pieces": self._tally.pieces, "bytes": self._tally.bytes}
        self._say(Admit(stream=self._tally.stream, connection=connection, token=token, secret=secret, **counts))

    def _come(self, connection, link):
        """The source opened this connection, for which this stream may have stopped waiting."""
        with self._changed:
            if self._given_up != connection and not self._stop.is_set():
                link.stop = self._stop
                self._link, self._base = link, self._tally.bytes
                self.connections += 1
                self.trouble = None
                self._changed.notify_all()
                return
        link.abort()

    def _next_link(self):
        """The connection that was admitted, when it comes; None if the source could not make it."""
        with self._changed:
            self._changed.until(lambda: self._link or self._given_up == self._admitted)
            return self._link

    def _tell_taken(self):
        tally = self._tally
        self._say(Taken(stream=tally.stream, pieces=tally.pieces, bytes=tally.bytes, ended=tally.ended))

    def close(self):
        """This connection is over."""
        with self._changed:
            self._note_reach()
            link, self._link = self._link, None
        if link:
            link.close() if self._tally.ended else link.abort()

    @contextmanager
    def _until_lost(self, link):
        try:
            yield
        except ConnectionLost as trouble:
            log.warning("stream %d lost its connection %d: %s", self._tally.stream, self._admitted, trouble.text)
            self.trouble = trouble
            self._tell("stream-lost", stream=self._tally.stream, why=trouble.text)
            self.close()

    def _break_off(self):
        if self._link is not None:
            with suppress(OSError):
                self._link.break_off()


class Inlets(Bulk):
    """All of them."""

    def __init__(self, count, intake, expect, say, tell, stop):
        super().__init__(Inlet(number, intake, expect, say, tell, stop) for number in range(1, count + 1))

    def close(self):
        for inlet in self:
            inlet.close()
