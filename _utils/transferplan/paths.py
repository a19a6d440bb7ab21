"""Paths as bytes: their form in JSON, their form on a terminal, and how they lie to each other."""

from __future__ import annotations

from urllib.parse import quote_from_bytes, unquote_to_bytes

LONGEST_NAME = 255
LONGEST_PATH = 4095
_KEPT = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def encode_path(path: bytes) -> str:
    """The form of a path in JSON: printable ASCII as it is, `%` and every other byte as %XX."""
    return quote_from_bytes(path, safe=_KEPT)


def decode_path(text: str) -> bytes:
    """The path whose form in JSON is `text`; a text that encode_path would not write is refused with ValueError."""
    path = unquote_to_bytes(text)
    if encode_path(path) != text:
        raise ValueError(f"{ascii(text)} is not an encoded path")
    return path


def display(path: bytes) -> str:
    """A path as people read it; bytes and characters that could steer a terminal are escaped."""
    return quoted(path.decode("utf-8", "backslashreplace"))


def quoted(text: str) -> str:
    """The text printable, in quotes where it has blanks at its ends that nobody would see."""
    shown = printable(text)
    return f"'{shown}'" if shown != shown.strip() else shown


def printable(text: str) -> str:
    """The text with everything that is not printable escaped, line breaks included."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


def basename(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def join(directory: bytes, name: bytes) -> bytes:
    return directory.rstrip(b"/") + b"/" + name


def contains(outer: bytes, inner: bytes) -> bool:
    """Whether `inner` is `outer` or lies below it; both are absolute and normal."""
    return inner == outer or inner.startswith(outer.rstrip(b"/") + b"/")
