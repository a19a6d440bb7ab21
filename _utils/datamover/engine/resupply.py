"""The source's files as pieces for a destination of a chain that may have some of them already, from others."""

from dataclasses import replace

from ..blocks import content_of
from ..errors import SourceChanged
from ..wire import PIECE_PREFIX, PieceKind, pack_piece_into
from .loads import Load
from .standings import Standing
from .supply import Supply


class Resupply(Supply):
    """`standing` is what the destination has; what that has is read only where its digests are not known.

    `origin` knows what was read before, on other links.
    """

    def __init__(self, *how, origin):
        super().__init__(*how)
        self.standing = Standing(self._terms.block_size)
        self._origin = origin
        self._rereads = False

    def send(self, entry, try_=1):
        was_read = self._origin.has_read(entry.number)
        known = self._journal.content(entry.number) if was_read else None
        if known and self.standing.has_all(entry.number, try_):
            self._record(entry.number, try_, known)
            self._progress.add(bytes_done=entry.size, files_done=1)
            return entry
        self._origin.read(entry.number)
        self._rereads = was_read
        return self._send_again(entry, try_) if was_read else super().send(entry, try_)

    def _send_again(self, entry, try_):
        """Read for this link what was read before. What is kept of a stream is not read from anywhere."""
        if not self._terms.stream:
            self.reread_bytes += entry.size
            return super().send(entry, try_)
        read = self.read_bytes
        super().send(entry, try_)
        self.read_bytes = read
        return entry

    def begin_again(self, entry):
        """As ever, unless others have it already as it was: then only who lacks it here gives up."""
        with self._origin.unsealed(self._rereads) as is_unsealed:
            if is_unsealed:
                return super().begin_again(entry)
        text = "the source changed after others had all of this: resume who lacks it from a host that has it"
        raise SourceChanged(text, path=self._journal.path(entry.number), entry=entry.number, late=True)

    def _send_packed(self, entry, try_, asked):
        if not self.standing.has_all(entry.number, try_):
            return super()._send_packed(entry, try_, asked)
        view = memoryview(bytearray(entry.size))
        self._tree.read_small(entry, view)
        self.read_bytes += entry.size
        self._progress.add(bytes_done=entry.size, files_done=1)
        return content_of(view, self._new_hasher, self._terms.block_size)

    def held_whole(self, entry):
        if self.standing.has_all(entry.number, 1):
            self._progress.add(bytes_done=entry.size, files_done=1)
        else:
            super().held_whole(entry)

    def _put(self, piece, buffer=None):
        """Queue what the destination lacks of a piece."""
        there = self._there(piece)
        if there >= piece.length:
            self._leave_out(piece, buffer)
        elif there:
            self._put_rest(piece, buffer, there)
        else:
            super()._put(piece, buffer)

    def _there(self, piece):
        """How much of a piece's beginning the destination has."""
        if self.standing.has_all(piece.entry, piece.try_):
            return piece.length
        block = piece.offset - piece.offset % self._terms.block_size
        return max(0, self.standing.filled(piece.entry, piece.try_, block) - (piece.offset - block))

    def _leave_out(self, piece, buffer):
        if buffer is not None:
            self._streams.release(buffer)
        self._queued += piece.length
        self._progress.add(bytes_done=piece.length)

    def _put_rest(self, piece, buffer, there):
        self._progress.add(bytes_done=there)
        self._queued += there
        rest = replace(piece, offset=piece.offset + there, length=piece.length - there)
        if piece.kind != PieceKind.DATA:
            super()._put(rest, buffer)
            return
        rest = replace(rest, payload=rest.length)
        pack_piece_into(buffer, there, rest)
        with self._times.on("wait"):
            self._streams.put(Load(rest, memoryview(buffer)[there : there + PIECE_PREFIX + rest.payload], buffer))
        self._queued += rest.length
        self._progress.add(bytes_done=rest.length)
