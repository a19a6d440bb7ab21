"""Our engine as one side of a comparison: two processes that have each other's certificate before the clock starts.

That is what a real transfer has when it is told to go. The clock runs until the destination has everything flushed,
verified against the source's seal, and ready under its staging name; the rename that publishes it is not in it.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from datamover import digests
from transferplan.options import TABLE

from .end import TRANSFER, arrived
from .errors import BenchError
from .figures import ROLES, Run
from .processes import Conversation, PeakMemory, Watchdog

PROGRAM = Path(__file__).with_name("end.py")
ZSTD = "zstandard"
BLAKE3 = "blake3"
# What the planner would put into a spec for two hosts of two cores each; a variant changes what it is about.
SETTINGS = {
    "digest": digests.available()[0],
    "verify": "readback",
    "encrypt": True,
    "streams": 1,
    "compress": TABLE["compress"].default,
    "limit": 0,
    "update": False,
    "in_place": False,
    "block_size": 4 << 20,
    "lease": 30,
    "stall_timeout": 60,
}


@dataclass(frozen=True)
class Ours:
    """salt-transfer's engine with these settings, where Python lacks these modules."""

    name: str
    changes: dict = field(default_factory=dict)
    lacking: tuple = ()
    apart = ""

    @property
    def effort(self):
        """What it does beside moving, in the words of the table."""
        settings = SETTINGS | self.changes
        proof = "read back" if settings["verify"] == "readback" else "not read back"
        encryption = "TLS 1.3" if settings["encrypt"] else "plain"
        auto = "compressed by zlib where it helps" if ZSTD in self.lacking else "compressed where it helps"
        compression = {"none": "", "auto": auto}.get(settings["compress"], settings["compress"])
        return ", ".join(filter(None, [encryption, compression, settings["digest"], "flushed", proof]))

    def arrival(self, place, name):
        return Path(arrived(place / name))

    def run(self, stage):
        """One transfer from `stage.source` into `stage.place`."""
        ends = {role: self._start(stage, role) for role in reversed(ROLES)}
        memory = PeakMemory({role: end.pid for role, end in ends.items()}, with_roots=True)
        with ends["destination"], ends["source"], Watchdog(stage.limit, ends.values()), memory:
            seconds, told = self._transfer(stage, ends)
        processor, stages = ({role: told[role][name] for role in ROLES} for name in ("processor", "stages"))
        return Run(seconds, processor, memory.bytes(), {"stages": stages, "wire_bytes": told["source"]["wire_bytes"]})

    def _transfer(self, stage, ends):
        paths = {"source": stage.source, "destination": stage.place / stage.source.name}
        for role, end in ends.items():
            settings = SETTINGS | self.changes
            end.say({"address": stage.addresses[role], "path": str(paths[role]), "settings": settings})
        members = [ends[role].hear() | {"addresses": [stage.addresses[role]]} for role in ROLES]
        began = time.monotonic()
        for end in ends.values():
            end.say({"transfer": TRANSFER, "attempt": 1, "epoch": 1, "members": members})
        told = {"destination": ends["destination"].hear()}
        seconds = time.monotonic() - began
        told["source"] = ends["source"].hear()
        troubles = [f"{role}: {each['error']}" for role, each in told.items() if each["error"]]
        if troubles:
            raise BenchError(f"{self.name} failed: {'; '.join(troubles)}")
        return seconds, told

    def _start(self, stage, role):
        argv = stage.network.at(role, [sys.executable, "-B", str(PROGRAM), role, *self.lacking])
        return Conversation(f"the {role} of {self.name}", argv, stage.scratch / f"{role}.log")
