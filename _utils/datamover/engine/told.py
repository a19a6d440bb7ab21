"""What the destination told of files that it has already: digests of their blocks, as its disk gave them just now."""

from ..blocks import block_count
from ..errors import ProtocolError
from ..manifest import Kind
from .stop import Changes


class Told:
    """Heard in one thread, asked in another, which waits until what it asks for was told or will not be."""

    def __init__(self, terms, journal, stop, times):
        self._times = times
        self._block_size = terms.block_size
        self._journal = journal
        self._changed = Changes(stop)
        self._considered = 0
        self._blocks = {}
        self._latest = 0
        self._kept = set()
        self._trusts = terms.trusts

    def hear(self, have, announced):
        """Take a Have; ProtocolError if it cannot be one while so many entries were announced."""
        if have.considered > announced:
            raise ProtocolError(f"{have} speaks of more than the {announced} entries that were announced")
        with self._changed:
            for part in have.parts:
                self._check(part, announced)
                self._blocks.setdefault(part.entry, []).extend(part.blocks or [part.whole])
                self._latest = part.entry
            self._considered = max(self._considered, have.considered)
            self._changed.notify_all()

    def _check(self, part, announced):
        if not max(self._considered, self._latest) <= part.entry < announced:
            raise ProtocolError(f"{part} was told where entry {max(self._considered, self._latest)} was next")
        entry, known = self._journal.entry(part.entry), len(self._blocks.get(part.entry, ()))
        count = block_count(entry.size, self._block_size) if entry.kind == Kind.FILE else 0
        told = 1 if part.whole and not part.blocks else len(part.blocks) if not part.whole else 0
        right = bool(part.whole) == (count == 1) and part.first == known and 0 < told <= count - known
        if part.try_ != 1 or not right:
            raise ProtocolError(f"{part} was told of {entry}, of which {known} of {count} blocks were told before")

    def block(self, number, index):
        """The digest of a block of a file as the destination has it; None if it has not, or not what comes before."""
        with self._changed:
            self._until(lambda: self._knows(number, index))
            blocks = self._blocks.get(number, ())
            return blocks[index] if index < len(blocks) else None

    def _until(self, told):
        if not told():
            with self._times.on("wait"):
                self._changed.until(told)

    def _knows(self, number, index):
        return number < self._considered or index < len(self._blocks.get(number, ()))

    def await_considered(self, number):
        """Wait until all has been told of every entry below this one."""
        with self._changed:
            self._changed.until(lambda: self._considered >= number)

    def keep(self, kept, announced):
        """Take a Kept: these files are not to be sent."""
        with self._changed:
            for first, count in kept.entries:
                if not self._considered <= first <= first + count <= announced:
                    raise ProtocolError(f"{kept} was told where entries {self._considered} to {announced} were next")
                self._kept.update(self._checked(number) for number in range(first, first + count))
            self._changed.notify_all()

    def _checked(self, number):
        entry = self._journal.entry(number)
        if entry.kind != Kind.FILE or (entry.size and not self._trusts):
            raise ProtocolError(f"{entry} was said to be kept, which it cannot be")
        return number

    def keeps(self, number):
        """Whether the destination keeps this file as it is."""
        with self._changed:
            self._until(lambda: number in self._kept or self._knows(number, 0))
            return number in self._kept

    def forget(self, number):
        """Nothing more will be asked about a file."""
        with self._changed:
            self._blocks.pop(number, None)
            self._kept.discard(number)


class Nothing:
    """In the place of Told where the destination is not asked, because it cannot have anything."""

    def block(self, _number, _index):
        return None

    def keeps(self, _number):
        return False

    def await_considered(self, _number):
        """Nobody is waited for."""

    def forget(self, _number):
        """There is nothing to forget."""
