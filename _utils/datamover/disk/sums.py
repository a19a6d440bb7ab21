"""Lines of checksum files as GNU coreutils write and check them (sha256sum -c, b3sum -c): digest, two spaces, name.

A name with a backslash or a newline is escaped and its line begins with a backslash; other bytes stay. The tools
disagree on the carriage return: coreutils escape it, b3sum neither does nor understands that.
"""

import re

_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}
_PLAIN = {escaped: byte for byte, escaped in _ESCAPES.items()}
_TO_ESCAPE = {"sha256": re.compile(rb"[\\\n\r]"), "blake3": re.compile(rb"[\\\n]")}
_ESCAPED = re.compile(rb"\\(.?)", re.DOTALL)
_LINE = re.compile(rb"(\\?)([0-9a-fA-F]{64}) [ *](.+)", re.DOTALL)


def line(digest, name, algorithm):
    """One line, as the algorithm's tool reads it. A file called "-" becomes "./-": alone it means standard input."""
    name = b"./-" if name == b"-" else name
    escaped = _TO_ESCAPE[algorithm].sub(lambda match: _ESCAPES[match[0]], name)
    mark = b"\\" if escaped != name else b""
    return b"%s%s  %s\n" % (mark, digest.hex().encode(), escaped)


def parse(text):
    """(digest, name) of one line without its newline; ValueError if it is none."""
    match = _LINE.fullmatch(text)
    if not match:
        raise ValueError("not a line of a checksum file")
    mark, digest, name = match.groups()
    return bytes.fromhex(digest.decode()), _unescape(name) if mark else name


def _unescape(name):
    return _ESCAPED.sub(_plain, name)


def _plain(match):
    try:
        return _PLAIN[match[0]]
    except KeyError:
        raise ValueError("not an escape of a checksum file") from None
