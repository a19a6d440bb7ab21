"""Types of transfer that are streams: who makes them here, and who takes them. All else is a file or a tree."""

from datamover.errors import LocalError
from datamover.flow.sink import StreamStaging
from datamover.flow.source import StreamSource

from . import archives, hotbackups

_SOURCES = {"xtrabackup": hotbackups.BackupSource, "decompress": archives.source}
_SINKS = {
    "xtrabackup": lambda run, spec, room: hotbackups.Unpacked(run, spec),
    "decompress": archives.Unpacked,
}
TYPES = tuple(_SOURCES)


def source(run, spec, journal, step):
    """The StreamSource of this spec."""
    producer = _SOURCES[spec["stream"]["type"]](run, spec)
    return StreamSource(producer, journal, spec["settings"]["block_size"], step)


class Staging(StreamStaging):
    """Staging for the stream of a spec."""

    @classmethod
    def create(cls, *how, run, spec, **options):
        staging = super().create(*how, **options)
        consumer = _SINKS[spec["stream"]["type"]](run, spec, staging.room)
        return staging.attach(consumer.sink, spec["settings"]["block_size"])

    @classmethod
    def take_over(cls, *_how, **_options):
        raise LocalError("a stream cannot be gone on with; copy anew")
