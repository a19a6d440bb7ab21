"""The wire, version 1: what the two ends of a transfer say to each other, as bytes. No I/O is done here.

This is the one module of the wire that others import. The parts: `frames` (header and bounds), `fields` (typed
values), `batches` (entries and digests), `messages` (the control connection), `pieces` (the bulk connections), and
here the Reader, which turns what arrives into messages. docs/wire-protocol.md is the normative text; `protocol` knows
who may say what when.
"""

from collections.abc import Iterator

from ..errors import FrameTooLarge, MoverError, ProtocolError
from .batches import (
    BATCH,
    MAX_PART_BLOCKS,
    Assembly,
    Operation,
    Part,
    Span,
    batched,
    entry_size,
    part_size,
    parts_of,
    ranges_of,
    told_size,
)
from .frames import (
    CRITICAL,
    HEADER_SIZE,
    MAX_BODY,
    MAX_DATA,
    MAX_HELLO,
    MAX_PIECE_BODY,
    MAX_STREAMS,
    VERSION_MAX,
    VERSION_MIN,
    Frame,
    Type,
)
from .messages import (
    ELSEWHERE,
    ENDS,
    FOUND,
    LEVELS,
    LOST,
    MAGIC,
    MESSAGES,
    NO_ROOT,
    NO_SECRET,
    NO_TOKEN,
    NOT_REACHED,
    OVER,
    PHASES,
    ROLES,
    Admit,
    Adrift,
    Announce,
    Behind,
    Bye,
    Credit,
    Digests,
    Edition,
    Failed,
    Have,
    Hello,
    Introduction,
    Kept,
    Knock,
    Landed,
    Limit,
    Lost,
    Message,
    Pause,
    Ping,
    Published,
    Restart,
    Seal,
    Sealed,
    Standing,
    Taken,
    Welcome,
    announcements,
    digest_messages,
    have_messages,
    seal_statement,
    standing_messages,
)
from .pieces import (
    MAX_PACKED,
    PIECE_PREFIX,
    Codec,
    Count,
    End,
    Mark,
    Piece,
    PieceKind,
    pack_count,
    pack_piece_into,
    pack_table,
    table_rows,
    unpack_held,
    unpack_piece,
    unpack_table,
)

__all__ = [
    "Admit",
    "Adrift",
    "Announce",
    "Assembly",
    "BATCH",
    "Behind",
    "Bye",
    "CRITICAL",
    "Codec",
    "Count",
    "Credit",
    "Digests",
    "ELSEWHERE",
    "NOT_REACHED",
    "ENDS",
    "FOUND",
    "Edition",
    "End",
    "Failed",
    "Frame",
    "HEADER_SIZE",
    "Have",
    "Hello",
    "Kept",
    "Introduction",
    "Knock",
    "LEVELS",
    "LOST",
    "Landed",
    "Limit",
    "Lost",
    "MAGIC",
    "MAX_BODY",
    "MAX_DATA",
    "MAX_HELLO",
    "MAX_PACKED",
    "MAX_PART_BLOCKS",
    "MAX_PIECE_BODY",
    "MAX_STREAMS",
    "MESSAGES",
    "Mark",
    "Message",
    "NO_ROOT",
    "NO_SECRET",
    "NO_TOKEN",
    "Operation",
    "OVER",
    "PHASES",
    "PIECE_PREFIX",
    "Part",
    "Pause",
    "Piece",
    "PieceKind",
    "Ping",
    "Published",
    "ROLES",
    "Reader",
    "Restart",
    "Seal",
    "Sealed",
    "Span",
    "Standing",
    "Taken",
    "Type",
    "VERSION_MAX",
    "VERSION_MIN",
    "Welcome",
    "announcements",
    "batched",
    "digest_messages",
    "entry_size",
    "have_messages",
    "pack_count",
    "pack_piece_into",
    "pack_table",
    "part_size",
    "told_size",
    "parts_of",
    "ranges_of",
    "seal_statement",
    "standing_messages",
    "table_rows",
    "unpack_held",
    "unpack_piece",
    "unpack_table",
]


class Reader:
    """Turns what arrives on a control connection, in whatever cuts, into messages.

    `first` names the messages that may come first; nothing is buffered for another. After an error it only gives that
    error again. Whoever reads exactly `wanted` bytes at a time never takes a byte of what follows a message.
    """

    def __init__(self, *first: type[Message]):
        self._first = first
        self._buffer = bytearray()
        self._frame: Frame | None = None
        self._broken: MoverError | None = None

    @property
    def wanted(self) -> int:
        """How many more bytes are needed before messages() can go on."""
        return max(0, (self._frame.length if self._frame else HEADER_SIZE) - len(self._buffer))

    def feed(self, data) -> None:
        if self._broken:
            raise self._broken
        self._buffer += data

    def messages(self) -> Iterator[Message]:
        """Every message that is complete, in order; the errors of this package for anything else."""
        if self._broken:
            raise self._broken
        try:
            while frame := self._whole_frame():
                body = self._pull(frame.length)
                self._frame = None
                if kind := MESSAGES.get(frame.type):
                    yield kind.decode(body)
        except MoverError as error:
            self._broken = error
            raise

    def _whole_frame(self):
        """The frame whose body is there, or None. Its header is judged as soon as it has arrived."""
        if self._frame is None and len(self._buffer) >= HEADER_SIZE:
            self._frame = self._judged(Frame.decode(self._pull(HEADER_SIZE)))
        return self._frame if self._frame and len(self._buffer) >= self._frame.length else None

    def _judged(self, frame):
        kind = MESSAGES.get(frame.type)
        if self._first and kind not in self._first:
            raise ProtocolError(f"the conversation cannot begin with {frame}")
        self._first = ()
        if kind is None:
            return _judge_unknown(frame)
        least, most = kind.bounds()
        if frame.length > most:
            raise FrameTooLarge(f"{frame}: at most {most} bytes are allowed")
        if frame.length < least or frame.stream or bool(frame.flags & CRITICAL) != kind.CRITICAL:
            raise ProtocolError(f"{frame}: not the frame of a {kind.__name__}")
        return frame

    def _pull(self, size):
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


def _judge_unknown(frame):
    """An optional frame of a later version is skipped; one that must be understood ends the conversation."""
    if frame.flags & CRITICAL or frame.type in (Type.PIECE, Type.MARK, Type.END):
        raise ProtocolError(f"{frame}: not known on a control connection of wire version {VERSION_MAX}")
    if frame.length > MAX_BODY:
        raise FrameTooLarge(f"{frame}: at most {MAX_BODY} bytes are allowed")
    return frame
