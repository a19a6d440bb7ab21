"""What one bulk stream owes the other end, counted without a thread or a socket: a piece sent is not a piece taken."""

from collections import deque
from itertools import islice

from ..errors import ProtocolError


class Account:
    """What one stream owes, oldest first. The first of it were sent on the present connection, in this order.

    `bytes` are those of the payloads that were taken as they travelled, `raw` what they were before.
    """

    def __init__(self, stream):
        self.pieces = self.bytes = self.raw = 0
        self._stream = stream
        self._owed = deque()
        self._sent = deque()
        self._sent_raw = deque()
        self._sent_bytes = 0

    def __len__(self):
        return len(self._owed)

    def owe(self, owed):
        self._owed.append(owed)

    @property
    def unsent(self):
        """The first that is owed and was not sent on this connection, or None."""
        return self._owed[len(self._sent)] if len(self._sent) < len(self._owed) else None

    def sending(self, payload, raw):
        """The first unsent one is being sent, with so many payload bytes, which stand for `raw` ones."""
        self._sent.append(payload)
        self._sent_raw.append(raw)
        self._sent_bytes += payload

    def skip(self):
        """The first unsent one is void: it need not be sent any more."""
        del self._owed[len(self._sent)]

    def taken(self, pieces, payload):
        """The other end took so much in all; what that is of what was owed. ProtocolError if it cannot be."""
        count = pieces - self.pieces
        sound = 0 <= count <= len(self._sent) and self.bytes + sum(islice(self._sent, max(count, 0))) == payload
        if not sound:
            raise ProtocolError(
                f"{pieces} pieces with {payload} bytes were said to be taken of stream {self._stream}; {self.pieces} "
                f"pieces with {self.bytes} bytes were before, and {len(self._sent)} more were sent"
            )
        taken = [self._owed.popleft() for _ in range(count)]
        for _ in taken:
            self._sent_bytes -= self._sent.popleft()
            self.raw += self._sent_raw.popleft()
        self.pieces, self.bytes = pieces, payload
        return taken

    def begin(self):
        """A new connection, on which nothing was sent yet."""
        self._sent.clear()
        self._sent_raw.clear()
        self._sent_bytes = 0

    @property
    def sent(self):
        """(pieces, payload bytes) that were taken or sent on this connection."""
        return self.pieces + len(self._sent), self.bytes + self._sent_bytes
