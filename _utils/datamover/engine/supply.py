"""The source's files as pieces: read once, digested while they are in the cache, handed to the bulk connections.

Small files are packed together. Large ones leave in pieces that never cross a block; where a file has holes only their
extent travels. A file that changed while it was read begins again, with another try. What the destination holds already
is only named (see comparison).
"""

from .. import digests
from ..blocks import Content, ContentBuilder, block_count, content_of
from ..errors import SourceChanged, shown
from ..manifest import Kind
from ..wire import PIECE_PREFIX, Piece, PieceKind, pack_piece_into
from .comparison import Comparison
from .loads import HeldPack, Load, Pack, cut

SMALL = 64 * 1024
"""Files up to this size are packed."""
TRIES = 4
"""How often a file is read at most."""


class Supply:
    """`record(number, try, Content)` is told of every file that was read, `restart(entry, try)` of every new try.

    `told` says what the destination has already. What this does is reading, and in `times` digesting where there is
    enough to be worth a look at the clock.
    """

    def __init__(self, terms, tree, journal, streams, told, progress, record, restart, times):
        self.retried = self.trusted = 0
        self.sparse_bytes = 0
        self._terms = terms
        self._tree = tree
        self._journal = journal
        self._streams = streams
        self._progress = progress
        self._record = record
        self._restart = restart
        self._times = times
        self._new_hasher = times.hashing(digests.constructor(terms.algorithm))
        self.read_bytes = self.reread_bytes = 0
        self._told = told
        self._comparison = Comparison(terms, told, self._new_hasher, self)
        self._pack = None
        self._held = HeldPack()
        self._queued = 0

    @property
    def held_bytes(self):
        return self._comparison.held_bytes

    @property
    def resent_bytes(self):
        return self._comparison.resent_bytes

    def send(self, entry, try_=1):
        """Read a file and queue all of it, again if it changed meanwhile; return the entry as it then was."""
        if self._told.keeps(entry.number):
            self._leave(entry)
        else:
            while not self._sent(entry, try_):
                entry, try_ = self.begin_again(entry)
        self._told.forget(entry.number)
        return entry

    def _leave(self, entry):
        """The destination keeps a file as it is."""
        self.trusted += entry.size > 0
        self._record(entry.number, 1, Content.kept(entry.size, self._new_hasher))
        self._progress.add(bytes_done=entry.size, files_done=1)

    def send_again(self, entry):
        """What was sent is out of date: begin again, and if it is a file send it again."""
        entry_now, try_ = self.begin_again(entry)
        if entry.kind != Kind.FILE:
            return entry_now
        self._progress.add(bytes_done=-entry.size, files_done=-1, bytes_total=entry_now.size - entry.size)
        return self.send(entry_now, try_)

    def begin_again(self, entry):
        """The entry as it is now and its next try, which the other end is told; SourceChanged if it was the last."""
        entry, try_ = self._tree.refresh(entry)
        path = self._journal.path(entry.number)
        if try_ > TRIES:
            raise SourceChanged(
                f"{shown(path) or 'the source'} changed each of the {TRIES} times it was read; stop what writes to it, "
                "or copy a snapshot",
                path=path,
                entry=entry.number,
            )
        self.retried += 1
        self._progress.tell("restarted", path=shown(path), attempt=try_)
        self._restart(entry, try_)
        return entry, try_

    def finish(self):
        """Queue what waits in packs."""
        self._finish_pack()
        self._finish_held()

    def _finish_held(self):
        if not self._held.rows:
            return
        held, self._held = self._held, HeldPack()
        buffer = self._buffer()
        with self._times.on("wait"):
            self._streams.put(held.load(buffer, self._streams.choose(), self._terms.leaf))
        self._progress.add(bytes_done=held.bytes, files_done=len(held.rows))

    def _finish_pack(self):
        if self._pack is None or not self._pack.rows:
            return
        pack, self._pack = self._pack, None
        with self._times.on("wait"):
            self._streams.put(pack.load(self._streams.choose(), self._terms.leaf))
        self._progress.add(bytes_done=pack.bytes, files_done=len(pack.rows))

    def _sent(self, entry, try_):
        """Read and queue a file once; False if it changed meanwhile."""
        try:
            content = self._send_small(entry, try_) if entry.size <= SMALL else self._send_large(entry, try_)
        except SourceChanged:
            return False
        self._record(entry.number, try_, content)
        return True

    def _send_small(self, entry, try_):
        asked = self._comparison.asks(entry, try_)
        known = self._remembered(entry) if asked else None
        if known and self._comparison.holds_small(entry, known.whole):
            return known
        return self._send_packed(entry, try_, asked)

    def _remembered(self, entry):
        """What an earlier attempt found, if it can be that of the file as it is now."""
        content = self._tree.remembered(entry)
        fits = content and content.length == entry.size
        return content if fits and len(content.blocks) == block_count(entry.size, self._terms.block_size) else None

    def _send_packed(self, entry, try_, asked):
        if self._pack is not None and not self._pack.has_room(entry.size):
            self._finish_pack()
        if self._pack is None:
            self._pack = Pack(self._buffer())
        view = self._pack.room(entry.size)
        self._tree.read_small(entry, view)
        self.read_bytes += entry.size
        content = content_of(view, self._new_hasher, self._terms.block_size)
        if not (asked and self._comparison.holds_small(entry, content.whole)):
            self._pack.add(entry.number, try_, entry.size)
            self._comparison.sent_again(entry.size if asked else 0)
        return content

    def _send_large(self, entry, try_):
        self._finish_pack()
        self._queued = 0
        try:
            with self._tree.open(entry) as file:
                content = self._send_pieces(file, try_)
                if not file.unchanged():
                    raise SourceChanged("its size, times or inode are others than before")
        except SourceChanged:
            self._progress.add(bytes_done=-self._queued)
            raise
        self._progress.add(files_done=1)
        return content

    def _send_pieces(self, file, try_):
        builder = ContentBuilder(self._new_hasher, self._terms.block_size)
        if self._comparison.asks(file.entry, try_):
            return self._comparison.send(file, builder, self._remembered(file.entry))
        for part in cut(file.extents(), self._terms.block_size):
            self.part(file, try_, *part, builder)
        return builder.finish()

    # Pieces of one file

    def part(self, file, try_, offset, length, is_hole, builder):
        """Read, digest and queue a range that is one piece."""
        if is_hole:
            self.hole(file.entry.number, try_, offset, length)
            builder.hole(length)
        else:
            self._read(file, try_, offset, length, builder)

    def hole(self, number, try_, offset, length):
        self.sparse_bytes += length
        self._put(self._piece(number, try_, offset, length, 0, PieceKind.HOLE))

    def held_whole(self, entry):
        """A small file is held; many of them are told together."""
        self._held.add(entry.number, 1, entry.size)
        if self._held.is_full:
            self._finish_held()

    def held(self, number, try_, offset, length):
        self._put(self._piece(number, try_, offset, length, 0, PieceKind.HELD))

    def data(self, number, try_, offset, view):
        """Queue bytes that were read and digested already."""
        buffer, length = self._buffer(), len(view)
        memoryview(buffer)[PIECE_PREFIX : PIECE_PREFIX + length] = view
        self._put(self._piece(number, try_, offset, length, length, PieceKind.DATA), buffer)

    def _read(self, file, try_, offset, length, builder):
        buffer = self._buffer()
        payload = memoryview(buffer)[PIECE_PREFIX : PIECE_PREFIX + length]
        if file.read_into(offset, payload) < length:
            self._streams.release(buffer)
            raise SourceChanged("it is shorter than before")
        self.read_bytes += length
        builder.update(payload)
        self.piece_of(file.entry.number, try_, offset, length, buffer)

    def piece_of(self, number, try_, offset, length, buffer):
        """Queue a piece whose bytes are in the buffer already."""
        self._put(self._piece(number, try_, offset, length, length, PieceKind.DATA), buffer)

    def _put(self, piece, buffer=None):
        buffer = self._buffer() if buffer is None else buffer
        pack_piece_into(buffer, 0, piece)
        with self._times.on("wait"):
            self._streams.put(Load(piece, memoryview(buffer)[: PIECE_PREFIX + piece.payload], buffer))
        self._queued += piece.length
        self._progress.add(bytes_done=piece.length)

    def _buffer(self):
        with self._times.on("wait"):
            return self._streams.buffer()

    def _piece(self, number, try_, offset, length, payload, kind):
        with self._times.on("wait"):
            stream = self._streams.choose(keeping=self._unit(number, try_, offset))
        return Piece(number, try_, offset, length, payload, kind, leaf=self._terms.leaf, stream=stream)

    def _unit(self, number, try_, offset):
        """What must stay on one stream because its pieces come in order: a block, on level `flight` a file."""
        return number, try_, self._terms.level != "flight" and offset // self._terms.block_size
