"""Our own unpacking as the consumer of a stream: an archive is unpacked while it comes, in a thread of its own."""

import os
import threading

from ..disk.safepath import OPEN_DIRECTORY
from ..disk.trouble import on_disk
from ..engine.stop import Lane
from ..errors import ArchiveRefused, LocalError
from . import pipes, places
from .compressed import Opened
from .unpack import Unpacking

ENDING = 5.0
TOP = b"top"


class UnpackingSink:
    """`form` is one of compressed.formats(), `limits` are (owners, special) of Unpacking; `inspect(directory, report)`
    looks at what came out and makes the report.
    """

    def __init__(self, form, room, limits, inspect):
        self._form = form
        self._room = room
        self._limits = limits
        self._inspect = inspect
        self._anchor = self._name = self._place = None
        self._incoming = self._outgoing = None
        self._thread = self._done = self._stop = None
        self._trouble = None

    def begin(self, anchor, name, stop):
        self._anchor, self._name, self._stop = anchor, name, stop
        self._place = places.make(anchor, name)
        self._incoming, self._outgoing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._outgoing, False)
        pipes.widen(self._outgoing)
        self._done = Lane(1, stop)
        self._thread = threading.Thread(target=self._work, name="unpacking", daemon=True)
        self._thread.start()

    def _work(self):
        try:
            with open(self._incoming, "rb", buffering=0) as file:
                unpacking = Unpacking(Opened(file, self._form), self._place, self._room(), *self._limits)
                unpacking.run()
        except Exception as error:
            self._trouble = error
            unpacking = None
        self._done.offer(unpacking)

    def feed(self, view):
        try:
            pipes.write(self._outgoing, view, self._stop)
        except BrokenPipeError:
            self._done.get()
            raise self._reason("something follows the end of the archive") from None

    def finish(self, report):
        self._close_outgoing()
        done = self._done.get()
        if done is None:
            raise self._reason("it ended")
        counts = {name: getattr(done, name) for name in ("files", "directories", "links", "bytes")}
        with on_disk("look at", b"what was unpacked"):
            place = self._stripped()
        return self._inspect(place, {**report, **counts})

    def _reason(self, otherwise):
        trouble = self._trouble
        if trouble is None:
            return ArchiveRefused(f"the archive was not unpacked to its end: {otherwise}")
        return trouble if hasattr(trouble, "as_dict") else LocalError(f"unexpected {type(trouble).__name__}: {trouble}")

    def _stripped(self):
        """The directory that counts: if all lies in one directory that one takes the place of what holds it."""
        names = os.listdir(os.fsencode(f"/proc/self/fd/{self._place}"))
        if len(names) != 1:
            return self._place
        try:
            inner = os.open(names[0], OPEN_DIRECTORY, dir_fd=self._place)
        except NotADirectoryError:
            return self._place
        os.rename(names[0], TOP, src_dir_fd=self._place, dst_dir_fd=self._anchor)
        os.rmdir(self._name, dir_fd=self._anchor)
        os.rename(TOP, self._name, src_dir_fd=self._anchor, dst_dir_fd=self._anchor)
        os.close(self._place)
        self._place = inner
        return inner

    def _close_outgoing(self):
        if self._outgoing is not None:
            os.close(self._outgoing)
            self._outgoing = None

    def end(self):
        self._close_outgoing()
        if self._thread:
            self._thread.join(ENDING)
        if self._place is not None:
            os.close(self._place)
            self._place = None
