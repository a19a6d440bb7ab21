"""Makes payloads smaller where that helps: by order, or by what is measured while they are sent."""

import threading
import time
from dataclasses import replace

from .. import codecs
from ..errors import ProtocolError
from ..wire import MAX_PIECE_BODY, PIECE_PREFIX, Codec, Piece, pack_piece_into
from .worth import Span, Worth

SAMPLES = 4
SAMPLE = 4 * 1024
"""So many parts of a payload of so many bytes each tell whether it will get smaller."""
SMALLER = 0.9
"""What does not get at least so small travels as it is."""
LEAST = 1024
SPAN_BYTES = 16 * 1024 * 1024
FIRST_BYTES = 4 * 1024 * 1024
SPAN_SECONDS = 0.25
"""How long a decision stands before it is judged, the first one less."""
SETTLING = 0.1
"""Seconds that are not counted after a change, while what was queued before still leaves."""
SMOOTH = 0.2


def choose(mode: str, agreed) -> tuple[str, int]:
    """(codec or "none", level or 0) for what was asked ("auto", "zstd", "zlib:9" and so on) and what both ends have."""
    name, _, level = mode.partition(":")
    if name == "auto":
        name = next((each for each in codecs.available() if feature(each) in agreed), "none")
    return name, int(level or 0)


def feature(codec: str) -> str:
    """What a codec is called in Hello and Welcome."""
    return f"codec-{codec}"


class Policy:
    """Whether to compress now, for all bulk connections together and any thread."""

    def __init__(self, adaptive, streams, clock=time.monotonic):
        self._adaptive = adaptive
        self._streams = streams
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self.worth = Worth()
        self._enough = FIRST_BYTES
        self._begin(settling=False)

    def _begin(self, settling):
        self._since = self._clock()
        self._settling = settling
        self._raw = self._wire = 0
        self._held = 0.0

    @property
    def compress(self):
        return self.worth.compress or not self._adaptive

    @property
    def thorough(self):
        """Whether to make more effort than usual."""
        return self.worth.thorough and self._adaptive

    def compressed(self, raw, packed, seconds):
        """A payload was compressed."""
        with self._lock:
            speed = raw / max(seconds, 1e-9) * self._streams
            known = self.worth
            self.worth = replace(
                known,
                speed=known.speed + SMOOTH * (speed - known.speed) if known.speed else speed,
                ratio=known.ratio + SMOOTH * (packed / raw - known.ratio),
            )

    def sent(self, raw, wire, waited, busy):
        """A payload was sent. `waited` are the seconds that this had to wait; `busy` are further ones, before it, for
        which the way had enough to do with earlier ones.
        """
        if not self._adaptive:
            return
        with self._lock:
            self._raw, self._wire, self._held = self._raw + raw, self._wire + wire, self._held + waited + busy
            now = self._clock()
            seconds = max(now - self._since, 1e-9)
            if self._settling and (waited or seconds >= SETTLING):
                self._begin(settling=False)
            elif not self._settling and (seconds >= SPAN_SECONDS or self._raw >= self._enough):
                self._judge(seconds, now)

    def _judge(self, seconds, now):
        before, self._enough = self.worth.compress, SPAN_BYTES
        held = self._held / (seconds * self._streams)
        self.worth = self.worth.after(Span(self._raw, self._wire, seconds, held), now - self._began)
        self._begin(settling=self.worth.compress != before)


class Compressor:
    """One bulk connection's, for its thread."""

    def __init__(self, codec, level, policy, times, clock=time.monotonic):
        self._code = Codec[codec.upper()]
        self._usual = codecs.new(codec, level)
        self._thorough = codecs.new(codec, codecs.THOROUGH[codec])
        self._policy = policy
        self._times = times
        self._clock = clock
        self._buffer = bytearray(PIECE_PREFIX + MAX_PIECE_BODY)

    def smaller(self, piece: Piece, data) -> tuple[Piece, memoryview]:
        """The piece and its bytes (prefix and payload) as they shall travel."""
        if piece.payload < LEAST or not self._policy.compress:
            return piece, data
        with self._times.on("compress"):
            packed = self._pack(data[PIECE_PREFIX:])
        if packed is None:
            return piece, data
        piece = replace(piece, payload=len(packed), codec=self._code)
        end = PIECE_PREFIX + len(packed)
        pack_piece_into(self._buffer, 0, piece)
        self._buffer[PIECE_PREFIX:end] = packed
        return piece, memoryview(self._buffer)[:end]

    def _pack(self, payload):
        """The payload made smaller; None if that is not worth it."""
        if not self._promises(payload):
            return None
        began = self._clock()
        packed = (self._thorough if self._policy.thorough else self._usual).pack(payload)
        self._policy.compressed(len(payload), len(packed), self._clock() - began)
        return packed if len(packed) < SMALLER * len(payload) else None

    def _promises(self, payload):
        """Whether a sample gets smaller."""
        if len(payload) <= SAMPLES * SAMPLE:
            return True
        step = len(payload) // SAMPLES
        sample = b"".join(payload[at : at + SAMPLE] for at in range(0, step * SAMPLES, step))
        return len(self._usual.pack(sample)) < SMALLER * len(sample)


class Expander:
    """Makes payloads whole again, for the thread of one bulk connection; only by codecs that were agreed on."""

    def __init__(self, agreed, times):
        known = (name for name in codecs.available() if feature(name) in agreed)
        self._codecs = {Codec[name.upper()]: codecs.new(name) for name in known}
        self._times = times

    def whole(self, piece: Piece, payload):
        """What the piece stands for."""
        if piece.codec == Codec.NONE:
            return payload
        codec = self._codecs.get(piece.codec)
        if codec is None:
            raise ProtocolError(f"{piece} has codec {piece.codec}, which was not agreed on")
        with self._times.on("decompress"):
            return codec.unpack(payload, piece.length)
