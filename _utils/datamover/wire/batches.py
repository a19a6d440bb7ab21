"""Entries and digests in batches: their form on the wire, how they are packed, how the digests of a file come together
again.

The digests of a large file take several messages: a Part carries some of them, from block `first` on, and only the
last part has the digest of the whole.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple, TypeVar

from .. import manifest
from ..blocks import DIGEST, LONGEST, Content, block_count, check_blocks, content_of_one
from ..errors import LocalError, ProtocolError
from .fields import Field
from .frames import MAX_BODY

BATCH = 256 * 1024
"""A batch is closed before its body would exceed this, unless one item alone does."""
_ROOM = BATCH - 128
MAX_PART_BLOCKS = 4096

T = TypeVar("T")


class Operation(IntEnum):
    """What is done with an entry of the base. Version 1 has no base, and so only PUT; the others are reserved."""

    PUT = 1
    SAME_AS_BASE = 2
    DELETE = 3
    RENAME = 4


class Entries(Field):
    """A batch of entries: their number in four bytes, then for each an operation and the entry."""

    _PUT = bytes((Operation.PUT,))

    def __init__(self):
        super().__init__(4, MAX_BODY)

    def pack(self, value):
        return len(value).to_bytes(4, "big") + b"".join(self._PUT + manifest.encode_entry(entry) for entry in value)

    def take(self, cursor):
        count = cursor.number(4)
        if count * (1 + manifest.LEAST_ENTRY) > cursor.left:
            raise ProtocolError(f"has no room for {count} entries in {cursor.left} bytes")
        entries, data, at = [], cursor.data, cursor.at
        for _ in range(count):
            if data[at : at + 1] != self._PUT:
                raise ProtocolError(f"asks for operation {data[at : at + 1].hex()}; wire version 1 has only put")
            entry, at = manifest.decode_entry(data, at + 1)
            entries.append(entry)
        cursor.at = at
        return tuple(entries)


class OneEntry(Field):
    """One entry."""

    def __init__(self):
        super().__init__(manifest.LEAST_ENTRY, manifest.MAX_ENTRY)

    def pack(self, value):
        return manifest.encode_entry(value)

    def take(self, cursor):
        entry, cursor.at = manifest.decode_entry(cursor.data, cursor.at)
        return entry


class Part(NamedTuple):
    """Digests of one file, or of some of its blocks from block `first` on. The last part has the digest of the whole.

    A file of at most one block has no block digests here: the digest of the whole is its block's.
    """

    entry: int
    try_: int
    length: int
    first: int
    blocks: tuple[bytes, ...]
    whole: bytes = b""

    def __str__(self):
        return f"#{self.entry}/{self.try_} blocks {self.first}+{len(self.blocks)}{'' if self.whole else ', more'}"


_PART = Struct(">QHBQQI")


class Parts(Field):
    """A batch of parts: their number in four bytes, then each: fixed fields, block digests, perhaps the whole's."""

    def __init__(self):
        super().__init__(4, MAX_BODY)

    def pack(self, value):
        return len(value).to_bytes(4, "big") + b"".join(map(self._pack_part, value))

    def take(self, cursor):
        count = cursor.number(4)
        if count * _PART.size > cursor.left:
            raise ProtocolError(f"has no room for {count} parts in {cursor.left} bytes")
        return tuple(self._take_small(cursor) or self._take_part(cursor) for _ in range(count))

    def _pack_part(self, part):
        if trouble := _part_trouble(part):
            raise LocalError(f"{part} {trouble}")
        head = _PART.pack(part.entry, part.try_, bool(part.whole), part.length, part.first, len(part.blocks))
        return b"".join((head, *part.blocks, part.whole))

    @staticmethod
    def _take_small(cursor):
        """The part that nearly all are: the whole of a file of one block. None if it is another, or not sound."""
        at = cursor.at
        end = at + _PART.size + DIGEST
        if end > len(cursor.data):
            return None
        entry, try_, complete, length, first, count = _PART.unpack_from(cursor.data, at)
        if complete != 1 or first or count or entry > manifest.MAX_NUMBER or length > LONGEST:
            return None
        cursor.at = end
        return Part(entry, try_, length, 0, (), cursor.data[end - DIGEST : end])

    def _take_part(self, cursor):
        entry, try_, complete, length, first, count = _PART.unpack(cursor.take(_PART.size))
        if complete > 1 or count > MAX_PART_BLOCKS:
            raise ProtocolError(f"has a part of entry {entry} with {count} digests and the mark {complete}")
        blocks = _split(cursor.take(count * DIGEST))
        part = Part(entry, try_, length, first, blocks, cursor.take(DIGEST) if complete else b"")
        if trouble := _part_trouble(part):
            raise ProtocolError(f"{part} {trouble}")
        return part


def _part_trouble(part):
    """Why a part cannot be, or an empty text."""
    if not (0 <= part.entry <= manifest.MAX_NUMBER and 0 <= part.try_ < 2**16):
        return "is of no entry or try that can be"
    if not 0 <= part.first <= part.first + len(part.blocks) <= part.length <= LONGEST:
        return f"has blocks that a file of {part.length} bytes cannot have"
    if len(part.blocks) > MAX_PART_BLOCKS or any(len(digest) != DIGEST for digest in part.blocks):
        return f"has more than {MAX_PART_BLOCKS} digests, or one that is not of {DIGEST} bytes"
    return "" if len(part.whole) in (0, DIGEST) else f"has a digest of the whole that is not of {DIGEST} bytes"


def _split(digests):
    return tuple(digests[at : at + DIGEST] for at in range(0, len(digests), DIGEST))


_RANGE = Struct(">QI")


class Ranges(Field):
    """Numbers of entries as ranges: their count in four bytes, then for each its first number and its length.

    They ascend and do not touch, so that a set of numbers has one form.
    """

    def __init__(self):
        super().__init__(4, MAX_BODY)

    def pack(self, value):
        if trouble := _ranges_trouble(value):
            raise LocalError(trouble)
        return len(value).to_bytes(4, "big") + b"".join(_RANGE.pack(*each) for each in value)

    def take(self, cursor):
        count = cursor.number(4)
        if count * _RANGE.size > cursor.left:
            raise ProtocolError(f"has no room for {count} ranges in {cursor.left} bytes")
        ranges = tuple(_RANGE.unpack(cursor.take(_RANGE.size)) for _ in range(count))
        if trouble := _ranges_trouble(ranges):
            raise ProtocolError(trouble)
        return ranges


def _ranges_trouble(ranges):
    """Why these cannot be ranges, or an empty text."""
    beyond = -1
    for first, count in ranges:
        if first <= beyond or not 0 < count < 2**32 or first + count - 1 > manifest.MAX_NUMBER:
            return f"has the range {first}+{count} where only entries beyond {beyond} can come"
        beyond = first + count
    return ""


class Span(NamedTuple):
    """A range of one try of a file that has landed; one of no length only tells which try is meant."""

    entry: int
    try_: int
    offset: int
    length: int

    def __str__(self):
        return f"#{self.entry}/{self.try_} {self.offset}+{self.length}"


_SPAN = Struct(">QHQQ")
SPAN = _SPAN.size


class Spans(Field):
    """A batch of spans: their number in four bytes, then each."""

    def __init__(self):
        super().__init__(4, MAX_BODY)

    def pack(self, value):
        for span in value:
            if trouble := _span_trouble(span):
                raise LocalError(f"{span} {trouble}")
        rows = (_SPAN.pack(each.entry, each.try_, each.offset, each.length) for each in value)
        return len(value).to_bytes(4, "big") + b"".join(rows)

    def take(self, cursor):
        count = cursor.number(4)
        if count * SPAN > cursor.left:
            raise ProtocolError(f"has no room for {count} spans in {cursor.left} bytes")
        spans = tuple(Span(*_SPAN.unpack(cursor.take(SPAN))) for _ in range(count))
        for span in spans:
            if trouble := _span_trouble(span):
                raise ProtocolError(f"{span} {trouble}")
        return spans


def _span_trouble(span):
    """Why a span cannot be, or an empty text."""
    if not (0 <= span.entry <= manifest.MAX_NUMBER and 1 <= span.try_ < 2**16):
        return "is of no entry or try that can be"
    return "" if 0 <= span.offset <= span.offset + span.length <= LONGEST else "is beyond every file"


def ranges_of(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Ascending numbers as ranges."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        first, count = ranges[-1] if ranges else (number, 0)
        if number == first + count:
            ranges[-1:] = [(first, count + 1)]
        else:
            ranges.append((number, 1))
    return tuple(ranges)


def batched(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[tuple[T, ...]]:
    """The items in tuples that fit one batch each."""
    batch: list[T] = []
    size = 0
    for item in items:
        item_size = size_of(item)
        if batch and size + item_size > _ROOM:
            yield tuple(batch)
            batch, size = [], 0
        batch.append(item)
        size += item_size
    if batch:
        yield tuple(batch)


def entry_size(entry: manifest.Entry) -> int:
    """Bytes of an entry in a batch."""
    return 1 + manifest.encoded_size(entry)


def part_size(part: Part) -> int:
    """Bytes of a part on the wire."""
    return _PART.size + DIGEST * len(part.blocks) + len(part.whole)


def told_size(content: Content) -> int:
    """At least the bytes that a file's digests take on the wire."""
    return (_PART.size + DIGEST) * (1 + len(content.blocks) // MAX_PART_BLOCKS) + DIGEST * len(content.blocks)


def parts_of(entry: int, try_: int, content: Content) -> Iterator[Part]:
    """A file's digests as parts; all but the last are full."""
    blocks = content.blocks if len(content.blocks) > 1 else ()
    last = max(0, len(blocks) - 1) // MAX_PART_BLOCKS * MAX_PART_BLOCKS
    for first in range(0, last, MAX_PART_BLOCKS):
        yield Part(entry, try_, content.length, first, blocks[first : first + MAX_PART_BLOCKS])
    yield Part(entry, try_, content.length, last, blocks[last:], content.whole)


class Assembly:
    """Puts the parts of files together again. The parts of one file follow each other, with none of another between."""

    def __init__(self, block_size: int):
        self._block_size = block_size
        self._blocks: list[bytes] = []
        self._open: tuple[int, int, int] | None = None

    def add(self, part: Part) -> Content | None:
        """The content, once its last part is here."""
        if part.whole and not part.blocks and self._open is None and part.length <= self._block_size:
            return content_of_one(part.length, part.whole)
        self._check_place(part)
        self._blocks += part.blocks
        if not part.whole:
            self._open = (part.entry, part.try_, part.length)
            return None
        return self._close(part)

    def forget(self, entry: int) -> None:
        """Drop what is there of a file that begins again."""
        if self._open and self._open[0] == entry:
            self._blocks, self._open = [], None

    def _check_place(self, part):
        if self._open not in (None, (part.entry, part.try_, part.length)) or part.first != len(self._blocks):
            raise ProtocolError(f"digests of {part} came where block {len(self._blocks)} of {self._open} was next")
        check_blocks(part.length, self._block_size)
        told, listed = part.first + len(part.blocks), self._listed(part.length)
        if told > listed or (part.whole and told < listed) or not (part.whole or part.blocks):
            raise ProtocolError(f"digests of {part} do not fit the {listed} that its {part.length} bytes need")

    def _listed(self, length):
        """How many block digests a file has on the wire."""
        count = block_count(length, self._block_size)
        return count if count > 1 else 0

    def _close(self, part):
        blocks, self._blocks, self._open = tuple(self._blocks), [], None
        if part.length and not blocks:
            blocks = (part.whole,)
        return Content(part.length, blocks, part.whole)
