"""Streams from a program to a program: alpha's producer, beta's consumer, between them the engine as it is."""

import os
import sys
from pathlib import Path

from datamover.disk.staging import DATA
from datamover.engine.receiver import Receiver
from datamover.engine.sender import Sender
from datamover.flow.places import FileSink
from datamover.flow.programs import ProgramSink, ProgramSource
from datamover.flow.sink import StreamStaging
from datamover.flow.source import StreamSource
from tests.functional.datamover.chains import Chains, Node
from tests.functional.datamover.ends import TRANSFER, Ends

MIB = 1024 * 1024
TAR = ("tar", "--extract", "--no-same-owner")


def python(text, *words):
    """The command line of a Python program."""
    return (sys.executable, "-I", "-c", text, *map(str, words))


def judge(said):
    """The report of a producer whose words are enough."""
    return {"said": said.decode().strip()}


def inspect(place, report):
    """What a consumer has made: the names at the top."""
    return {**report, "names": sorted(os.listdir(f"/proc/self/fd/{place}"))}


class Flow(Ends):
    """Alpha runs `producer` (argv or an object), beta `consumer`; the rest is as in Ends."""

    def __init__(self, folder, producer, consumer=TAR, **settings):
        folder = Path(folder)
        self.source = None
        self.said = folder / "alpha-said", folder / "beta-said"
        settings = {"verify": "flight", "block_size": MIB, **settings}
        super().__init__("/nowhere", folder, **settings)
        for end in (self.alpha, self.beta):
            end.spec["stream"] = {"type": "test"}
        self.producer = ProgramSource(producer, self.said[0], judge) if isinstance(producer, tuple) else producer
        self.consumer = ProgramSink(consumer, self.said[1], inspect) if isinstance(consumer, tuple) else consumer

    def sender(self):
        end = self.alpha
        size = end.spec["settings"]["block_size"]
        self.source = StreamSource(self.producer, end.journal, size, end.progress.step)
        self._opened.append(self.source)
        return Sender(end.spec, self.roster, end.identity, self.source, end.journal, end.progress, end.stop)

    def receiver(self):
        end = self.beta
        final = os.fsencode(self.folder / "final")
        self.staging = StreamStaging.create(final, TRANSFER, {}, end.journal, special=frozenset())
        self.staging.attach(self.consumer, end.spec["settings"]["block_size"])
        self._opened.append(self.staging)
        work = end.spec, self.roster, end.identity, self.listener, self.staging, end.journal
        return Receiver(*work, end.progress, end.stop, self.publish)

    @property
    def arrived(self):
        return self.folder / f".salt-transfer-{TRANSFER}" / os.fsdecode(DATA)


def kept(folder, producer, **settings):
    """A Flow whose stream is kept as a file."""
    return Flow(
        folder, producer, FileSink(lambda report, size: {**report, "size": size}, lambda _file, _view: None), **settings
    )


class Taking(Node):
    """A destination of a stream: `consumer` makes it of what comes."""

    def consumer(self):
        return FileSink(lambda report, size: {**report, "size": size}, lambda _file, _view: None)

    def new_staging(self):
        staging = StreamStaging.create(self.final, TRANSFER, {}, self.end.journal, special=frozenset())
        return staging.attach(self.consumer(), self.end.spec["settings"]["block_size"])


class Flows(Chains):
    """Alpha runs `producer` (argv or an object), all others take what it makes as a file."""

    node_class = Taking

    def __init__(self, folder, producer, hosts=("beta", "gamma", "delta"), **settings):
        self.said = Path(folder) / "alpha-said"
        self.producer = ProgramSource(producer, self.said, judge) if isinstance(producer, tuple) else producer
        super().__init__("/nowhere", folder, hosts, **{"verify": "flight", "block_size": MIB, **settings})

    def new_end(self, role, host, *journal):
        end = super().new_end(role, host, *journal)
        end.spec["stream"] = {"type": "test"}
        return end

    def new_tree(self, end):
        return StreamSource(self.producer, end.journal, end.spec["settings"]["block_size"], end.progress.step)
