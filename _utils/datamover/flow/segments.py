"""How a stream is told as entries: the root, segments numbered from 1 on, and the report that ends it."""

import json

from ..errors import ManifestInvalid, ProtocolError
from ..manifest import Entry, Kind

REPORT = b"report"
LONGEST_REPORT = 48 * 1024
"""A report travels in a pack, as small files do."""


def root():
    return Entry(0, 0, b"", Kind.DIRECTORY, mode=0o700)


def segment(number, size):
    return Entry(number, 0, b"%d" % number, Kind.FILE, mode=0o600, size=size)


def report(number, size):
    return Entry(number, 0, REPORT, Kind.FILE, mode=0o600, size=size)


def encode(report):
    """A report as bytes, small enough to end a stream with."""
    encoded = json.dumps(report, sort_keys=True).encode()
    if len(encoded) > LONGEST_REPORT:
        raise ManifestInvalid(f"the producer's report takes {len(encoded)} bytes; {LONGEST_REPORT} can travel")
    return encoded


def decode(encoded):
    """The report that a source told."""
    try:
        told = json.loads(bytes(encoded))
    except ValueError as error:
        raise ProtocolError(f"the stream ends with a report that cannot be read: {error}") from None
    if not isinstance(told, dict):
        raise ProtocolError("the stream ends with a report that is none")
    return told


def check(entry, block_size, ended):
    """ManifestInvalid unless this can be the next entry of a stream, which `ended` with a report or not."""
    forms = (segment(entry.number, entry.size), report(entry.number, entry.size)) if entry.number else (root(),)
    if ended or entry not in forms or entry.size > block_size or (entry.name == REPORT and not is_report(entry)):
        raise ManifestInvalid(f"{entry} is nothing that a stream consists of", entry=entry.number)


def is_report(entry):
    return entry.name == REPORT and 0 < entry.size <= LONGEST_REPORT
