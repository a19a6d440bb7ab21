"""type=decompress: an archive travels as it is and is unpacked at the destination while it comes."""

import os

from datamover.disk import safepath
from datamover.flow.archive_source import ArchiveSource
from datamover.flow.unpacking import UnpackingSink

from .hotbackups import info_of

BACKUP = "backup"


def source(_run, spec):
    """The producer: the archive, read once."""
    path = safepath.decode_path(spec["path"])
    return ArchiveSource(path, {"archive": safepath.encode_path(os.path.basename(path))})


class Unpacked:
    """What the destination makes of it; `sink` is the consumer."""

    def __init__(self, _run, spec, room):
        asked, settings = spec["stream"], spec["settings"]
        self._expect = asked["expect"]
        limits = settings["owners"], frozenset(settings["special"])
        self.sink = UnpackingSink(asked["format"], room, limits, self._inspect)

    def _inspect(self, place, report):
        found = info_of(place) if self._expect == BACKUP else {}
        return {**report, "kept_as": "directory", **found}
