"""Reads again, from the source's disk, what a lost connection took with it."""

from ..errors import SourceChanged, SourceVanished
from ..wire import PIECE_PREFIX, PieceKind, pack_piece_into, table_rows
from .loads import HeldPack, Load, Pack


class Rereader:
    """`outdated(number, try)` is told of each file that is not any more what it was. For any thread."""

    def __init__(self, tree, journal, outdated):
        self._tree = tree
        self._journal = journal
        self._outdated = outdated
        self.bytes = 0

    def load(self, owed, buffer):
        """The Load of what is owed, in this buffer; None if nothing of it is meant any more."""
        if owed.piece.kind == PieceKind.PACKED:
            return self._pack(owed, buffer)
        if owed.piece.kind == PieceKind.HELD_PACK:
            return self._held_pack(owed, buffer)
        if not self._meant(owed.piece.entry, owed.piece.try_):
            return None
        return self._piece(owed.piece, buffer)

    def _meant(self, number, try_):
        return self._journal.known(number).try_ == try_

    def _piece(self, piece, buffer):
        data = memoryview(buffer)[: PIECE_PREFIX + piece.payload]
        if piece.payload and not self._read(piece.entry, piece.try_, piece.offset, data[PIECE_PREFIX:]):
            return None
        pack_piece_into(buffer, 0, piece)
        return Load(piece, data, buffer)

    def _pack(self, owed, buffer):
        pack = Pack(buffer)
        for number, try_, size in table_rows(owed.table):
            if self._meant(number, try_) and self._read(number, try_, 0, pack.room(size)):
                pack.add(number, try_, size)
        return pack.load(owed.piece.stream, owed.piece.leaf) if pack.rows else None

    def _held_pack(self, owed, buffer):
        pack = HeldPack()
        for number, try_, size in table_rows(owed.table):
            if self._meant(number, try_):
                pack.add(number, try_, size)
        return pack.load(buffer, owed.piece.stream, owed.piece.leaf) if pack.rows else None

    def _read(self, number, try_, offset, view):
        """Whether the view was filled from the file as it was; else it is outdated."""
        try:
            with self._tree.open(self._journal.entry(number)) as file:
                same = file.read_into(offset, view) == len(view) and file.unchanged()
        except (SourceChanged, SourceVanished):
            same = False
        self.bytes += len(view)
        if not same:
            self._outdated(number, try_)
        return same
