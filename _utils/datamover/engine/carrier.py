"""Carries one bulk stream at the source over as many connections as it takes.

A connection that breaks, or cannot be made, ends nothing: the other end is asked to admit this stream again, and what
it did not take is sent again. Only who is refused gives up; for the rest the stall timeout decides.
"""

import logging

from ..errors import ConnectionLost, HandshakeRefused, PeerUnreachable
from ..wire import End, Lost, Mark, pack_count
from .link import losing
from .loads import Load
from .opening import is_passing
from .streams import Due

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
"""Seconds before a stream is tried again that got nowhere; each time twice as long."""

log = logging.getLogger(__name__)


class Carrier:
    """`connect(admit)` gives a Link, `reread(owed, buffer)` a Load, None for what is void."""

    def __init__(self, stream, streams, outlet, host, connect, reread, say, tell, stop):
        self._stream = stream
        self._streams = streams
        self._outlet = outlet
        self._host = host
        self._connect = connect
        self._reread = reread
        self._say = say
        self._tell = tell
        self._stop = stop

    def run(self):
        """Send all that is put on the stream, until the other end took its end."""
        with self._outlet.times.on("wait"):
            self._carry_all()

    def _carry_all(self):
        failures, taken = 0, 0
        while admit := self._stream.admission():
            failures = failures if self._stream.pieces == taken else 0
            taken = self._stream.pieces
            self._rest(failures)
            try:
                self._carry(admit)
            except (ConnectionLost, HandshakeRefused, PeerUnreachable) as trouble:
                if not is_passing(trouble):
                    raise
                failures += 1
                self._lose(admit, trouble)

    def _rest(self, failures):
        if failures and self._stop.wait(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1))):
            self._stop.check()

    def _lose(self, admit, trouble):
        log.warning("stream %d lost its connection %d: %s", admit.stream, admit.connection, trouble.text)
        self._stream.lose(trouble)
        self._tell("stream-lost", stream=admit.stream, why=trouble.text)
        self._say(Lost(stream=admit.stream, connection=admit.connection))

    def _carry(self, admit):
        link = self._connect(admit)
        try:
            self._stream.begin(link)
            with losing(self._host, f"bulk (stream {admit.stream})"):
                while (due := self._stream.next()) is not Due.LEAVE:
                    self._do(due, link)
        finally:
            link.close() if self._stream.ended else link.abort()

    def _do(self, due, link):
        match due:
            case Due.MARK:
                link.send(pack_count(self._stream.count(Mark)))
            case Due.END:
                link.send(pack_count(self._stream.count(End)))
            case Due.PULSE:
                link.check_alive()
            case Load():
                self._send(due, link)
            case _:
                self._send_again(due, link)

    def _send(self, load, link):
        try:
            piece, data = self._outlet.smaller(load)
            self._stream.sending(piece.payload, load.piece.moved)
            self._outlet.send(link, data, load.piece.payload)
        finally:
            self._streams.release(load.buffer)

    def _send_again(self, owed, link):
        buffer = self._streams.buffer()
        load = self._reread(owed, buffer)
        if load is None:
            self._streams.release(buffer)
            self._stream.skip()
        else:
            self._send(load, link)
