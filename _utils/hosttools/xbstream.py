"""What an xbstream holds, found in passing: which files, and how long each is. The bytes themselves are not looked at.

The tool that unpacks such a stream ends well on an empty one too, and tells nothing of what it wrote. Who has seen the
stream knows what must be there afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping

MAGIC = b"XBSTCK01"
HEAD = len(MAGIC) + 1 + 1 + 4
"""Magic, flags, kind, length of the path."""
PAYLOAD = 8 + 8 + 4
"""Length, offset, checksum."""
LONGEST_PATH = 4096
MOST_FILES = 1_000_000
MOST_NAMES = 64 * 1024 * 1024
"""Files, and bytes in their names together, that are remembered of a stream."""


class Inventory:
    """Takes the stream in portions of any size. `files` are lengths by path, `complete` those that were ended, `grown`
    those that have more than when somebody cleared it.

    Newer tools have kinds of chunks that this does not know; then `unknown` names the first, and nothing more is known.
    `refused` says why a stream must go to no tool: the tools write wherever a name leads them. It is known no later
    than with the portion that ends such a name, so whoever looks before the tool gets a portion is in time.
    """

    def __init__(self) -> None:
        self.files: dict[bytes, int] = {}
        self.complete: set[bytes] = set()
        self.grown: set[bytes] = set()
        self.unknown = self.refused = ""
        self._names = 0
        self._head = bytearray()
        self._skip = 0

    def add(self, view) -> None:
        """The next portion."""
        view = memoryview(view)
        while len(view) and not (self.unknown or self.refused):
            if self._skip:
                passed = min(self._skip, len(view))
                self._skip -= passed
                view = view[passed:]
            else:
                view = self._take_head(view)

    def _take_head(self, view: memoryview) -> memoryview:
        missing = self._missing()
        self._head += view[:missing]
        if not self._missing():
            self._note()
            self._head.clear()
        return view[missing:]

    def _missing(self) -> int:
        """How many bytes of the chunk's head are still to come, as far as it tells already."""
        have = len(self._head)
        if have < HEAD:
            return HEAD - have
        wanted = HEAD + self._path_length() + (PAYLOAD if self._kind() == b"P" else 0)
        return max(0, wanted - have) if self._is_known() else 0

    def _kind(self) -> bytes:
        return bytes(self._head[9:10])

    def _path_length(self) -> int:
        return int.from_bytes(self._head[10:HEAD], "little")

    def _is_known(self) -> bool:
        sound = self._head.startswith(MAGIC) and self._path_length() <= LONGEST_PATH
        return sound and self._kind() in (b"P", b"E")

    def _note(self) -> None:
        if not self._is_known():
            self.unknown = ascii(bytes(self._head[:HEAD]))
            return
        at = HEAD + self._path_length()
        path = bytes(self._head[HEAD:at])
        self.refused = self._objection(path)
        if self.refused:
            return
        self.files.setdefault(path, 0)
        if self._kind() == b"E":
            self.complete.add(path)
            return
        self._skip = int.from_bytes(self._head[at : at + 8], "little")
        end = int.from_bytes(self._head[at + 8 : at + 16], "little") + self._skip
        self.files[path] = max(self.files[path], end)
        self.grown.add(path)

    def _objection(self, path: bytes) -> str:
        if not path or path.startswith(b"/") or b"\0" in path or b".." in path.split(b"/"):
            return f"{ascii(path)[1:]} in the stream leads out of it, or is no name"
        if path in self.files:
            return ""
        self._names += len(path)
        if len(self.files) >= MOST_FILES or self._names > MOST_NAMES:
            return f"the stream has more than {MOST_FILES} files, or names of more than {MOST_NAMES} bytes together"
        return ""

    @property
    def ended_early(self) -> bool:
        """Whether the stream ended in the middle of something."""
        return bool(self._head or self._skip or set(self.files) - self.complete) and not self.unknown


def missing(told: Mapping[bytes, int], found: Mapping[bytes, int]) -> list[bytes]:
    """Paths that are not there in the length that the stream told."""
    return sorted(path for path, size in told.items() if found.get(path) != size)
