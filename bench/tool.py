"""A peer as one side of a comparison: its two command lines, each under a meter at its end of the network."""

import shlex
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .figures import ROLES, Run
from .peers import Peer
from .processes import Conversation, PeakMemory, Watchdog

METER = Path(__file__).with_name("meter.py")
PORT = 4711
"""Free, because the network namespace is ours and one run follows another."""


@dataclass(frozen=True)
class Tool:
    """One peer. Its clock runs from the start of the sending command to the end of both."""

    peer: Peer

    @property
    def name(self):
        return self.peer.name

    @property
    def effort(self):
        return self.peer.effort

    @property
    def apart(self):
        return self.peer.apart

    @property
    def missing(self):
        """The programs it needs and that are not there."""
        return [program for program in self.peer.needs if not shutil.which(program)]

    def arrival(self, place, name):
        return place / name

    def run(self, stage):
        """One transfer from `stage.source` into `stage.place`."""
        lines = {"source": self.peer.put, "destination": self.peer.get}
        lines = {role: filled(line, stage) for role, line in lines.items() if line}
        with ExitStack() as stack:
            meters = {role: stack.enter_context(self._meter(stage, role)) for role in lines}
            stack.enter_context(Watchdog(stage.limit, meters.values()))
            with PeakMemory({role: each.pid for role, each in meters.items()}, with_roots=False) as memory:
                seconds, processor = self._transfer(meters, lines)
        if self.peer.sums:
            check_sums(stage.scratch)
        nothing = dict.fromkeys(ROLES, 0.0)
        return Run(seconds, nothing | processor, nothing | memory.bytes())

    def _transfer(self, meters, lines):
        for meter in meters.values():
            meter.hear()
        source, destination = meters["source"], meters.get("destination")
        if destination:
            destination.say({"line": lines["destination"], "port": PORT, "serves": self.peer.serves})
            demand(destination, "ready", True)
        began = time.monotonic()
        source.say({"line": lines["source"], "port": None, "serves": False})
        demand(source, "status", 0)
        seconds = time.monotonic() - began
        if destination:
            if self.peer.serves:
                destination.say({})
            demand(destination, "status", 0)
        if not self.peer.serves:
            seconds = time.monotonic() - began
        return seconds, {role: meter.hear()["processor"] for role, meter in meters.items()}

    def _meter(self, stage, role):
        argv = stage.network.at(role, [sys.executable, "-I", "-S", "-B", str(METER)])
        return Conversation(f"the {role} of {self.name}", argv, stage.scratch / f"{role}.log")


def demand(meter, word, value):
    """Hear what is expected, or fail with the last words of the command."""
    heard = meter.hear()
    if heard.get(word) != value:
        raise BenchError(f"{meter.name} ended with status {heard.get('status')}{meter.last_words()}")


def filled(line, stage):
    """A command line with its names filled in; none of them may be more than one plain word to a shell."""
    words = {
        "address": stage.addresses["destination"],
        "port": str(PORT),
        "source": str(stage.source),
        "parent": str(stage.source.parent),
        "name": stage.source.name,
        "place": str(stage.place),
        "target": str(stage.place / stage.source.name),
        "things": str(stage.scratch),
        "sum": str(stage.scratch / "sum"),
    }
    if strange := [word for word in words.values() if shlex.quote(word) != word]:
        raise BenchError(f"these paths cannot stand in a command line as they are: {strange}")
    return line.format(**words)


def check_sums(scratch):
    """Demand that both ends saw the same stream."""
    sent, got = (Path(scratch, f"sum.{end}").read_text(encoding="ascii").split() for end in ("sent", "got"))
    if not sent or sent != got:
        raise BenchError(f"the digests of both ends differ: {sent} and {got}")
