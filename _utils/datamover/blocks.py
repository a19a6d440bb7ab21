"""What is known of a file's bytes: their number, a digest for each block, one for the whole.

A block is a range of fixed size; blocks are what is compared, verified and asked for again. The digest of the whole
is the one that standard tools compute. A file of at most one block needs only one computation for both, and the first
block of any file is never digested twice: its digest is the whole's digest so far.
"""

from collections.abc import Callable
from typing import NamedTuple

from . import digests
from .errors import LocalError, ManifestInvalid, shown

BLOCK = 4 * 1024 * 1024
DIGEST = 32
"""Bytes in a digest: every algorithm of version 1 has 256 bits."""
SMALLEST_BLOCK, LARGEST_BLOCK = 64 * 1024, 64 * 1024 * 1024
MOST_BLOCKS = 4 * 1024 * 1024
"""Blocks of one file: their digests are held in memory. At 4 MiB each that is a file of 16 TiB."""
LONGEST = 2**63 - 1
"""No file is longer: the kernel's own bound on offsets."""

_ROOT_TAG = b"salt-transfer content 1\0"
_ZEROS = memoryview(bytes(256 * 1024))


class Content(NamedTuple):
    """The bytes of one file, by length and digests."""

    length: int
    blocks: tuple[bytes, ...]
    whole: bytes

    @classmethod
    def unread(cls, length: int) -> "Content":
        """In the place of the digests of a file that nobody read, because it is trusted to be equal."""
        return cls(length, (), b"")

    @classmethod
    def kept(cls, length: int, new_hasher: Callable) -> "Content":
        """That of a file that both ends know to have this length; where it is empty nothing needs to be trusted."""
        return cls.unread(length) if length else cls(0, (), new_hasher().digest())

    @property
    def trusted(self) -> bool:
        return not self.whole

    def __str__(self):
        return f"{self.length} bytes in {len(self.blocks)} blocks, {self.whole.hex()[:16]}"


def block_count(length: int, block_size: int) -> int:
    return -(-length // block_size)


def check_blocks(length: int, block_size: int, name: bytes = b"") -> None:
    """Refuse a file that has too many blocks."""
    count = block_count(length, block_size)
    if count > MOST_BLOCKS:
        what = f"{shown(name)}: a file" if name else "a file"
        most = f"at most {MOST_BLOCKS} blocks ({MOST_BLOCKS * block_size} bytes) can be verified"
        raise ManifestInvalid(
            f"{what} of {length} bytes has {count} blocks of {block_size} bytes; {most}. "
            "Blocks are chosen by the largest file that the plan has found: copy it by itself",
            length=length,
        )


def block_range(index: int, length: int, block_size: int) -> tuple[int, int]:
    """(offset, length) of block `index` of a file of `length` bytes; the last may be short."""
    offset = index * block_size
    if not 0 <= offset < length:
        raise LocalError(f"a file of {length} bytes has no block {index} of {block_size} bytes")
    return offset, min(block_size, length - offset)


def content_head(block_size: int, algorithm: str) -> bytes:
    """With what the bytes begin over which content_root is the digest; length and block digests follow."""
    name = algorithm.encode("ascii")
    return b"".join((_ROOT_TAG, len(name).to_bytes(1, "big"), name, block_size.to_bytes(4, "big")))


def content_root(content: Content, block_size: int, algorithm: str) -> bytes:
    """One digest over length, block size, algorithm and block digests: equal roots mean equal bytes."""
    told = content_head(block_size, algorithm) + content.length.to_bytes(8, "big") + b"".join(content.blocks)
    return digests.constructor(algorithm)(told).digest()


class ContentBuilder:
    """Digests a file's bytes as they come, in order; `new_hasher` makes the hashers, such as
    digests.constructor(name).
    """

    def __init__(self, new_hasher: Callable, block_size: int = BLOCK):
        self._new_hasher = new_hasher
        self._block_size = block_size
        self._whole = new_hasher()
        self._block = self._whole
        self._room = block_size
        self._zero_block: bytes | None = None
        self.blocks: list[bytes] = []
        self.length = 0

    def update(self, data) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        while len(view):
            part = view[: self._room]
            self._whole.update(part)
            if self.blocks:
                self._block.update(part)
            self._advance(len(part))
            view = view[len(part) :]

    def hole(self, length: int) -> None:
        """Take `length` zero bytes; a whole block of them is digested once and then known."""
        while length:
            if self.blocks and self._room == self._block_size <= length:
                length -= self._zeros_as_block()
            else:
                size = min(length, self._room, len(_ZEROS))
                self.update(_ZEROS[:size])
                length -= size

    @property
    def latest(self) -> bytes:
        """The digest of the block that was taken last, as far as it was."""
        return self.blocks[-1] if self._room == self._block_size else self._block.digest()

    def mark(self):
        """What restored() needs to go on from here; only where a block ends."""
        return self._whole.copy()

    @classmethod
    def restored(cls, new_hasher: Callable, block_size: int, blocks: list[bytes], mark) -> "ContentBuilder":
        """A builder that has taken these blocks, all of them full and at least one."""
        builder = cls(new_hasher, block_size)
        builder._whole = mark.copy()
        builder._block = new_hasher()
        builder.blocks = list(blocks)
        builder.length = len(blocks) * block_size
        return builder

    def finish(self) -> Content:
        """The content of everything taken; more may still follow."""
        unfinished = self._room < self._block_size
        blocks = (*self.blocks, self._block.digest()) if unfinished else tuple(self.blocks)
        return Content(self.length, blocks, self._whole.digest())

    def _advance(self, size):
        self.length += size
        self._room -= size
        if not self._room:
            self.blocks.append(self._block.digest())
            self._block = self._new_hasher()
            self._room = self._block_size

    def _zeros_as_block(self):
        zero_block = self._zero_block or digest_of_zeros(self._new_hasher, self._block_size)
        self._zero_block = zero_block
        _feed_zeros(self._whole, self._block_size)
        self.blocks.append(zero_block)
        self.length += self._block_size
        return self._block_size


def content_of(data, new_hasher: Callable, block_size: int) -> Content:
    """The content of a file that is here as a whole; of a small one with less ado than a builder makes."""
    if len(data) > block_size:
        builder = ContentBuilder(new_hasher, block_size)
        builder.update(data)
        return builder.finish()
    hasher = new_hasher()
    hasher.update(data)
    return content_of_one(len(data), hasher.digest())


def content_of_one(length: int, whole: bytes) -> Content:
    """The content of a file of at most one block with this digest."""
    return Content(length, (whole,) if length else (), whole)


def digest_of_zeros(new_hasher: Callable, length: int) -> bytes:
    """The digest of a hole."""
    hasher = new_hasher()
    _feed_zeros(hasher, length)
    return hasher.digest()


def _feed_zeros(hasher, length):
    while length:
        size = min(length, len(_ZEROS))
        hasher.update(_ZEROS[:size])
        length -= size
