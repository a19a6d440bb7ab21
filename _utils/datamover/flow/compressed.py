"""What a compressed archive holds, read within bounds: of memory by the formats' own limits, of bytes by their ratio.

An archive that unpacks to far more than it seems to hold is refused before the disk is full. Real archives of data
rarely shrink to a fiftieth; the bound is far above that, and small archives may be as they like.
"""

import gzip
import lzma

from .. import codecs
from ..errors import ArchiveRefused, ConsumerFailed

PORTION = 256 * 1024
RATIO = 500
UNSUSPECTED = 1024 * 1024 * 1024
"""So much may come out of any archive."""
XZ_MEMORY = 128 * 1024 * 1024
ZSTD_WINDOW = 128 * 1024 * 1024
HEADERS = 4 * 1024 * 1024
"""So many bytes may tell of one member; a file with a hundred thousand holes needs fewer."""
SUFFIXES = {".tar.gz": "gz", ".tgz": "gz", ".tar.xz": "xz", ".txz": "xz", ".tar.zst": "zst", ".tzst": "zst"}


def format_of(name):
    """The format that a file name promises; None if it is no name of an archive."""
    return next((form for suffix, form in SUFFIXES.items() if name.endswith(suffix)), None)


def formats():
    """Those that can be read here."""
    return ("gz", "xz", "zst") if codecs.can_read_zstd() else ("gz", "xz")


class Counted:
    """A file that counts what is read of it."""

    def __init__(self, file):
        self._file = file
        self.count = 0

    def read(self, size=-1):
        data = self._file.read(size)
        self.count += len(data)
        return data


class Xz:
    """Reads xz streams, one after another, with bounded memory."""

    def __init__(self, file):
        self._file = file
        self._decoder = self._new()
        self._begun = False

    @staticmethod
    def _new():
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)

    def read(self, size):
        while True:
            fed = self._file.read(PORTION) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not fed:
                if self._begun:
                    raise EOFError("the xz stream is cut short")
                return b""
            data = self._decoder.decompress(fed, size)
            self._begun = True
            if self._decoder.eof:
                self._turn_over()
            if data:
                return data

    def _turn_over(self):
        rest, self._decoder, self._begun = self._decoder.unused_data, self._new(), False
        rest = rest.lstrip(b"\0")  # padding between streams
        if rest:
            self._file = Prefixed(rest, self._file)


class Prefixed:
    """A file with something put before it."""

    def __init__(self, before, file):
        self._before = before
        self._file = file

    def read(self, size):
        if not self._before:
            return self._file.read(size)
        data, self._before = self._before[:size], self._before[size:]
        return data


_OPENERS = {
    "gz": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    "xz": Xz,
    "zst": lambda file: codecs.zstd_reader(file, ZSTD_WINDOW),
}
DAMAGED = (OSError, EOFError, ValueError, lzma.LZMAError, *codecs.ZSTD_ERRORS)


class Opened:
    """The bytes in an archive, forward only, as tarfile wants to have them. `count` is how many were read."""

    def __init__(self, file, form):
        self.count = 0
        self.last = b""
        self._told = 0
        self._raw = Counted(file)
        self._file = _OPENERS[form](self._raw)

    def tell(self):
        return self.count

    def seek(self, offset):
        """Only onward."""
        if offset < self.count:
            raise ArchiveRefused("the archive asks for what lies before; it is not read twice")
        while self.count < offset and self.portion(min(PORTION, offset - self.count)):
            """What is left out is read all the same."""

    def next_member(self):
        """From here on another member is told of."""
        self._told = 0

    def read(self, size):
        """So many bytes, or fewer at the end. No headers are as long as what is refused here."""
        self._told += size
        if size > 8 * PORTION or self._told > HEADERS:
            raise ArchiveRefused(f"the archive has a header of {max(size, self._told)} bytes; none needs so much")
        parts, missing = [], size
        while missing and (data := self.portion(missing)):
            parts.append(data)
            missing -= len(data)
        self.last = b"".join(parts)
        return self.last

    def portion(self, size):
        """At least one byte and at most `size`; none at the end."""
        try:
            data = self._file.read(min(size, PORTION))
        except DAMAGED as error:
            raise ConsumerFailed(f"the archive is damaged or of another format than its name says: {error}") from error
        self.count += len(data)
        self._refuse_bomb()
        return data

    def drain(self):
        """Read what follows to the end: it has to be sound too."""
        while self.portion(PORTION):
            """Padding."""

    def _refuse_bomb(self):
        if self.count > UNSUSPECTED and self.count > RATIO * self._raw.count:
            raise ArchiveRefused(
                f"the archive has unpacked to {self.count} bytes, from {self._raw.count}: more than {RATIO} times as "
                "many, as no archive of data does"
            )
