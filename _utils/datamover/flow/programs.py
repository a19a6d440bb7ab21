"""A program as the producer of a stream, and one as its consumer. Both are started when the way is proved.

That a pipe ends proves nothing: a program that failed closes it like one that is done. Its status counts, and what
`judge` finds in what it said.
"""

import os
import select
import subprocess

from ..engine.stop import wait_ready
from ..errors import ConsumerFailed, ProducerFailed
from ..host.children import PATIENCE, TAIL, Child, ended, tail
from . import pipes, places


def nothing(_place, _view):
    """Nobody wants to see what flows through."""


class ProgramSource:
    """`said` is the file for what it says; `judge(said)` makes the report of what it said last, or raises."""

    def __init__(self, argv, said, judge):
        self._argv = argv
        self._said = said
        self._judge = judge
        self._child = None
        self._stop = None

    def begin(self, stop):
        self._stop = stop
        self._child = Child(self._argv, self._said, stdout=subprocess.PIPE)
        pipes.widen(self._child.stdout.fileno())

    def read_into(self, view):
        return pipes.read_into(self._child.stdout.fileno(), view, self._stop)

    def finish(self):
        """All was read: what the program made of it. It has to end now, and well."""
        child = self._child
        wait_ready(child.fileno(), select.POLLIN, None, self._stop)
        if child.status:
            text = f"{child.name} {ended(child.status)} after it had made its stream, so that is not trusted"
            raise ProducerFailed(f"{text}: {child.last_words}", program=child.name, status=child.status)
        return self._judge(tail(self._said, TAIL))

    def end(self):
        if self._child:
            self._child.end()


class ProgramSink:
    """Works in the directory that it fills, and writes nowhere else if the kernel has Landlock. `said` is the file for
    what it says, `observe(directory, view)` sees all that it gets; `inspect(directory, report)` looks at what it made,
    with the producer's report, and makes one of its own, or raises.
    """

    def __init__(self, argv, said, inspect, observe=nothing):
        self._argv = argv
        self._said = said
        self._inspect = inspect
        self._observe = observe
        self._child = self._place = self._stop = None

    def begin(self, anchor, name, stop):
        self._stop = stop
        self._place = places.make(anchor, name)
        where = f"/proc/self/fd/{self._place}"
        self._child = Child(self._argv, self._said, stdin=subprocess.PIPE, directory=where, confined=True)
        os.set_blocking(self._child.stdin.fileno(), False)
        pipes.widen(self._child.stdin.fileno())

    def feed(self, view):
        self._observe(self._place, view)
        try:
            pipes.write(self._child.stdin.fileno(), view, self._stop)
        except BrokenPipeError:
            raise self._failure("did not take the whole stream") from None

    def finish(self, report):
        child = self._child
        child.stdin.close()
        wait_ready(child.fileno(), select.POLLIN, None, self._stop)
        if child.status:
            raise self._failure("did not unpack the stream")
        return self._inspect(self._place, report)

    def _failure(self, what):
        child = self._child
        how = ended(child.status) if child.ends_within(PATIENCE) else "goes on"
        return ConsumerFailed(f"{child.name} {how} and {what}: {child.last_words}", program=child.name)

    def end(self):
        if self._child:
            self._child.end()
        if self._place is not None:
            os.close(self._place)
            self._place = None
