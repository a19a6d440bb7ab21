"""The destination's bulk connections: pieces are checked and written; a file that is complete goes to be verified."""

import threading

from .. import digests
from ..blocks import Content, ContentBuilder, content_of
from ..errors import ProtocolError
from ..wire import PIECE_PREFIX, Count, Piece, PieceKind, unpack_held, unpack_piece, unpack_table
from ..wire.protocol import Tally
from .compressing import Expander


class Intake:
    """Tells `verifier` what is there to be read back. On level `flight` nothing is: then the digests are made here, of
    what is given to the kernel, and `found` gets them as a list of (number, try, Content). `agreed` are the features
    that both ends have.
    """

    def __init__(self, terms, staging, ledger, holdings, progress, verifier, found, times):
        self.sparse_bytes = 0
        self.held_bytes = 0
        self.resent_bytes = 0
        self.agreed = ()
        self.times = times
        self._terms = terms
        self._staging = staging
        self._ledger = ledger
        self._holdings = holdings
        self._counting = threading.Lock()
        self._progress = progress
        self._verifier = verifier
        self._found = found
        self._new_hasher = times.hashing(digests.constructor(terms.algorithm))
        self._in_flight = terms.level == "flight"

    def take_all(self, tally: Tally, take, tell):
        """Take every piece of one bulk connection up to the stream's authenticated end.

        `take(size)` gives the next bytes, `tell()` answers a Mark or End. When either raises, all that was counted was
        taken, and nothing else.
        """
        expander = Expander(self.agreed, self.times)
        while not tally.ended:
            piece = unpack_piece(take(PIECE_PREFIX))
            if isinstance(piece, Count):
                tally.check(piece)
                tell()
            else:
                payload = take(piece.payload)
                tally.piece(piece)
                with self.times.on("write"):
                    self.take(piece, expander.whole(piece, payload))

    def take(self, piece, payload):
        """Write one piece, or what it packs."""
        if piece.leaf != self._terms.leaf:
            raise ProtocolError(f"{piece} is of leaf {piece.leaf}; this transfer carries leaf {self._terms.leaf}")
        if piece.kind == PieceKind.PACKED:
            self._take_pack(payload)
        elif piece.kind == PieceKind.HELD_PACK:
            for number, try_, length in unpack_held(payload):
                self._take_held(number, try_, length)
        elif self._ledger.await_try(piece.entry, piece.try_):
            self._take_part(piece, payload)

    # Small files, whole

    def _take_pack(self, payload):
        written = self._staging.put_pack(self._ledger.awaited(unpack_table(payload)))
        self._count_pack_again(written)
        landed = self._ledger.landed(written)
        self._progress.add(bytes_done=sum(len(view) for _, _, view in landed), files_done=len(landed))
        if self._in_flight:
            self._found([(number, try_, self._digest(view)) for number, try_, view in landed])
        else:
            self._verifier.complete([(number, try_) for number, try_, _ in landed])

    def _count_pack_again(self, files):
        if self._terms.attempt > 1:
            for number, _, view in files:
                self._count_again(number, 0, len(view))

    def _digest(self, view) -> Content:
        return content_of(view, self._new_hasher, self._terms.block_size)

    def _take_held(self, number, try_, length):
        """A whole small file stays as it is on the disk."""
        if self._ledger.await_try(number, try_):
            self._take_part(Piece(number, try_, 0, length, 0, PieceKind.HELD), None)

    # Large files, in pieces

    def _take_part(self, piece, payload):
        landing = self._ledger.landing(piece, self._maybe_builder)
        if landing and self._write(landing, piece, payload) and self._ledger.add(landing, piece):
            self._progress.add(bytes_done=piece.length)
            if landing.complete:
                self._complete(landing)
            elif not self._in_flight:
                self._verifier.reach(landing)

    def _write(self, landing, piece, payload):
        """Write a piece or its hole, and digest it if that is done here; False if its try became void."""
        if piece.kind == PieceKind.HELD:
            return self._keep(landing, piece)
        if piece.kind == PieceKind.HOLE:
            self.sparse_bytes += piece.length
            if landing.builder:
                landing.builder.hole(piece.length)
            return self._staging.hole(piece.entry, piece.try_, piece.offset, piece.length)
        self._count_again(piece.entry, piece.offset, piece.length)
        written = self._staging.write(piece.entry, piece.try_, piece.offset, payload)
        if written and landing.builder:
            landing.builder.update(payload)
        return written

    def _keep(self, landing, piece):
        """A block stays as it is on the disk."""
        kept = self._staging.keep(piece.entry, piece.try_, piece.offset, piece.length)
        if kept and landing.builder:
            self._staging.feed_held(piece.entry, piece.offset, piece.length, landing.builder)
        with self._counting:
            self.held_bytes += piece.length
        return kept

    def _count_again(self, number, offset, length):
        if self._terms.attempt > 1 and offset < self._holdings.told(number):
            with self._counting:
                self.resent_bytes += length

    def _complete(self, landing):
        number, try_ = landing.entry.number, landing.try_
        with self._ledger.completing(number, try_) as current:
            if current:
                self._staging.finish(number)
        if current:
            self._progress.add(files_done=1)
            self._hand_on(landing)

    def _hand_on(self, landing):
        number, try_ = landing.entry.number, landing.try_
        if landing.builder:
            self._holdings.forget(number)
            self._found([(number, try_, landing.builder.finish())])
        else:
            self._verifier.complete([(number, try_)], landing.held)

    def _maybe_builder(self):
        return self._builder() if self._in_flight else None

    def _builder(self):
        return ContentBuilder(self._new_hasher, self._terms.block_size)
