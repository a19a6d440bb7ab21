"""Codecs by name: how payloads are made smaller on their way, and made whole again within bounds that are known before.

Zstandard is many times faster and used where both ends have it: as the package `zstandard`, or as Python's own from
3.14 on. zlib is always there. A payload stands for itself alone: nothing is remembered from one to the next.
"""

import zlib
from contextlib import suppress
from types import ModuleType
from typing import Protocol

from .errors import ProtocolError

_WINDOW = 8 * 1024 * 1024
"""What a zstd frame may make us remember; no payload is longer."""
_UNTOLD = "its length is not told as it must be"

_zstandard: ModuleType | None = None
_zstd: ModuleType | None = None
with suppress(ImportError):
    import zstandard as _zstandard  # type: ignore[no-redef]
with suppress(ImportError):
    from compression import zstd as _zstd  # type: ignore[no-redef,import-not-found]


class Codec(Protocol):
    """For one thread. `unpack` gives exactly `length` bytes, or raises ProtocolError."""

    def pack(self, data) -> bytes: ...

    def unpack(self, data, length: int) -> bytes: ...


class Zlib:
    """zlib streams; only whole ones of the announced length are taken."""

    def __init__(self, level):
        self._level = level

    def pack(self, data):
        return zlib.compress(data, self._level)

    def unpack(self, data, length):
        stream = zlib.decompressobj()
        try:
            whole = stream.decompress(data, length)
            # The end of a stream that gives nothing more may still be to come.
            surplus = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
        except zlib.error as error:
            raise ProtocolError(f"a payload is no zlib stream: {error}") from error
        if len(whole) != length or surplus or not stream.eof or stream.unused_data:
            raise _misfit("zlib", len(whole), length)
        return whole


class Zstandard:
    """zstd frames by the package `zstandard`."""

    def __init__(self, level):
        self._packer = _zstandard.ZstdCompressor(level=level)
        self._unpacker = _zstandard.ZstdDecompressor(max_window_size=_WINDOW)

    def pack(self, data):
        return self._packer.compress(data)

    def unpack(self, data, length):
        try:
            # The length in the frame is what would be reserved for it, so it comes first.
            if _zstandard.frame_content_size(data) != length:
                raise ProtocolError(f"a payload of {length} bytes is no zstd frame of them: {_UNTOLD}")
            return self._unpacker.decompress(data, max_output_size=length, allow_extra_data=False)
        except _zstandard.ZstdError as error:
            raise ProtocolError(f"a payload is no zstd frame of {length} bytes: {error}") from error


class PythonZstd:
    """The same frames by Python's own module."""

    def __init__(self, level):
        self._level = level
        self._options = {_zstd.DecompressionParameter.window_log_max: _WINDOW.bit_length() - 1}

    def pack(self, data):
        return _zstd.compress(data, self._level)

    def unpack(self, data, length):
        frame = _zstd.ZstdDecompressor(options=self._options)
        try:
            if _zstd.get_frame_info(data).decompressed_size != length:
                raise ProtocolError(f"a payload of {length} bytes is no zstd frame of them: {_UNTOLD}")
            whole = frame.decompress(data, length)
        except _zstd.ZstdError as error:
            raise ProtocolError(f"a payload is no zstd frame of {length} bytes: {error}") from error
        if len(whole) != length or not frame.eof or frame.unused_data:
            raise _misfit("zstd", len(whole), length)
        return whole


def _misfit(name, got, length):
    return ProtocolError(f"a payload is not one whole {name} stream of {length} bytes: {got} came out of it")


_CODECS: dict[str, type] = {"zlib": Zlib}
if _zstd is not None:
    _CODECS = {"zstd": PythonZstd, **_CODECS}
elif _zstandard is not None:
    _CODECS = {"zstd": Zstandard, **_CODECS}
LEVELS = {"zstd": (1, 19, 1), "zlib": (1, 9, 1)}
"""The lowest and the highest level of each, and the one that is taken where nobody asks for another."""
THOROUGH = {"zstd": 3, "zlib": 6}
"""The levels at which half as much again of processor time makes payloads about a tenth smaller."""


def available():
    """Names of the codecs of this host, the preferred one first."""
    return tuple(_CODECS)


def new(name: str, level: int = 0) -> Codec:
    """A codec for one thread; 0 is the usual level."""
    return _CODECS[name](level or LEVELS[name][2])


# Whole archives, as streams.

ZSTD_ERRORS: tuple[type[Exception], ...] = tuple(each.ZstdError for each in (_zstandard, _zstd) if each is not None)


def can_read_zstd():
    """Whether a zstd stream of any length can be read here."""
    return "zstd" in _CODECS


def zstd_reader(file, window: int):
    """What a file with zstd frames holds, to be read; no frame may make us remember more than `window` bytes."""
    if _zstd is not None:
        options = {_zstd.DecompressionParameter.window_log_max: window.bit_length() - 1}
        return _zstd.ZstdFile(file, "rb", options=options)
    if _zstandard is None:
        raise ValueError("this Python has no zstd")
    return _zstandard.ZstdDecompressor(max_window_size=window).stream_reader(file, read_across_frames=True)
