"""A probe: how fast the way from one host to another is, and how long a packet takes. No file is read or written.

It goes the way of a transfer: one door, certificates of its own, Hello and Welcome, an Admit for each stream. Then
random bytes go over every stream until the time or the bytes of the probe are used up. The other end throws them away,
and tells how many came.
"""

import os
import secrets
import socket
import threading
import time
from contextlib import suppress

from ..errors import ProtocolError, Stalled
from ..wire import NO_SECRET, Admit, Bye, Failed, Taken
from . import channel, dial, sealing
from .door import Door
from .link import EndOfStream, losing
from .opening import introduce, read_message
from .outcome import Outcome
from .reception import Reception
from .session import JOINING, Over, as_error
from .stop import Crew, Lane, Stopped
from .terms import Roster, Terms
from .throttle import Throttle

PATIENCE = 20.0
"""Seconds beyond its own after which a probe is given up, whatever the other end does."""
PIECE = 256 * 1024
UNSENT = 128 * 1024
"""Bytes of a stream that may wait in our kernel: what waits there when the time is over must still be carried."""
GAP = 0.02
"""Seconds between two marks of the meter."""
SHORT = 0.1
"""A part of the time in which this many seconds, or fewer, passed tells no rate."""


class Meter:
    """Counts what comes over all streams. `rate` is that of the second half: a connection needs a while to get up to
    speed, and what lies between two hosts may carry a little more at first.
    """

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._marks = []
        self._last = 0.0
        self.bytes = 0

    def count(self, size):
        with self._lock:
            self.bytes += size
            self._last = self._clock()
            if not self._marks or self._last - self._marks[-1][0] >= GAP:
                self._marks.append((self._last, self.bytes))

    @property
    def figures(self):
        return {"bytes": self.bytes, "seconds": round(self.seconds, 3), "rate": self.rate and round(self.rate)}

    @property
    def seconds(self):
        return self._last - self._marks[0][0] if self._marks else 0.0

    @property
    def rate(self):
        """Bytes a second; None where too little came to tell one."""
        if not self._marks:
            return None
        halfway = self._last - self.seconds / 2
        later = next((mark for mark in self._marks if mark[0] >= halfway), self._marks[0])
        return self._since(later) or self._since(self._marks[0])

    def _since(self, mark):
        at, before = mark
        return (self.bytes - before) / (self._last - at) if self._last - at > SHORT else None


class _End:
    """What both ends share. One use: run() carries out the probe and gives the Outcome, whatever happens."""

    def __init__(self, spec, roster, identity, progress, stop):
        self._terms = Terms.of(spec)
        self._roster = Roster(roster)
        self._identity = identity
        self._seconds, self._most = spec["stream"]["seconds"], spec["stream"]["bytes"]
        self._progress = progress
        self._stop = stop.child()
        self._crew = Crew(self._terms.role, self._stop)
        self._links = []
        self._report = {}

    def run(self):
        error = self._told()
        self._stop.set(Over())
        hung = self._crew.join(JOINING)
        for link in self._links:
            link.abort() if error else link.close()
        self._close()
        troubles = tuple(f"the thread {name} did not end within {JOINING:g} s" for name in hung)
        return Outcome(error=error, report=self._report, cleanup=troubles)

    def _told(self):
        """Carry the probe out; why it failed, or None."""
        try:
            self._measure()
        except Stopped:
            pass
        except Exception as trouble:
            self._stop.set(trouble)
        else:
            self._progress.enter("published")
            return None
        return as_error(self._stop.reason)

    def _close(self):
        """Close what only this end has."""

    def _ours(self, link):
        """A link of this probe; from the first one on nothing is waited for longer than for all of it."""
        if not self._links:
            self._crew.start("patience", self._lose_patience)
        self._links.append(link)
        return link

    def _lose_patience(self):
        longest = self._seconds + PATIENCE
        if not self._stop.wait(longest):
            text = f"{self._peer.host} and the way to it did not finish a probe of {self._seconds:g} s within"
            raise Stalled(f"{text} {longest:g} s: one of them stands still, or is too slow to be probed")

    def _losing(self, what):
        return losing(self._peer.host, what)

    def _read(self, control, *kinds):
        with self._losing("control"):
            message = read_message(control, *kinds, Failed)
        if isinstance(message, Failed):
            raise message.as_error(self._peer.host)
        return message


class ProbeSender(_End):
    """The end that sends."""

    def __init__(self, *shared):
        super().__init__(*shared)
        self._peer = self._roster.destination
        self._context = channel.client_context(self._identity, self._roster.certificates)
        self._sending = self._stop.child()
        self._throttle = Throttle(self._terms.limit, self._sending)
        self._round_trips = []
        self._control = None
        self._done = Lane(self._terms.streams, self._stop)

    def _measure(self):
        self._progress.enter("connecting")
        hello = self._terms.hello(self._roster)
        self._control, welcome = self._connect(self._context, hello)
        self._progress.enter("proved")
        sealed = sealing.FEATURE in welcome.features
        admits = [self._read(self._control, Admit) for _ in range(self._terms.streams)]
        links = {admit.stream: self._open(admit, sealed) for admit in admits}
        self._progress.enter("moving")
        sent = self._send_over(links)
        self._report = {"bytes": sum(sent.values()), "round_trip": round(min(self._round_trips), 6)}
        self._check(sent)
        with self._losing("control"):
            self._control.send(Bye().encode())

    def _connect(self, context, hello, secret=None):
        began = time.monotonic()
        sock = dial.connect(self._peer, self._stop, min(dial.BUDGET, dial.SHARE * self._terms.lease))
        self._round_trips.append(time.monotonic() - began)
        link, welcome = introduce(sock, context, hello, self._peer, self._stop, secret)
        return self._ours(link), welcome

    def _open(self, admit, sealed):
        hello = self._terms.hello(self._roster, "bulk", admit.stream, admit.token)
        context = self._context if self._terms.encrypt else None
        link, _ = self._connect(context, hello, admit.secret if sealed else None)
        link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        return link

    def _send_over(self, links):
        """Send until the probe is used up; {stream: bytes}."""
        for number, link in links.items():
            self._crew.start(f"stream {number}", self._send, number, link, self._most // len(links))
        self._sending.wait(self._seconds)
        self._sending.set(Over())
        return dict(self._done.get() for _ in links)

    def _send(self, number, link, most):
        noise, sent = memoryview(os.urandom(PIECE)), 0
        with self._losing(f"bulk (stream {number})"):
            for part in self._parts(noise, most):
                link.send(part)
                sent += len(part)
            link.finish_sending()
        self._done.put((number, sent))

    def _parts(self, noise, most):
        """What may be sent, one part after the other, when its turn has come; until time or bytes are used up."""
        with suppress(Stopped):
            while most > 0 and not self._sending.is_set():
                for part in self._throttle.slices(noise[:most]):
                    self._throttle.await_turn(len(part))
                    yield part
                    most -= len(part)
                    self._sending.check()
        self._stop.check()

    def _check(self, sent):
        """The other end must have taken on each stream what was sent on it."""
        for _ in range(len(sent)):
            taken = self._read(self._control, Taken)
            if taken.bytes != sent.pop(taken.stream, None):
                raise ProtocolError(f"{self._peer.host} tells that {taken.bytes} bytes came on stream {taken.stream}")


class ProbeReceiver(_End):
    """The end that takes. It closes `listener`."""

    def __init__(self, spec, roster, identity, listener, progress, stop):
        super().__init__(spec, roster, identity, progress, stop)
        self._peer = self._roster.source
        self._listener = listener
        self._meter = Meter()
        self._reception = Reception(self._terms, self._roster, self._stop)
        context = channel.server_context(identity, self._roster.certificates)
        receive = self._reception.unsealed, self._reception.receive
        plain_too = not self._terms.encrypt
        self._door = Door(listener, context, self._roster, plain_too, *receive, progress.tell, self._stop)
        self._came = Lane(self._terms.streams, self._stop)
        self._done = Lane(self._terms.streams, self._stop)

    def _measure(self):
        self._crew.start("door", self._door.run)
        control, opening = self._reception.control.get()
        self._ours(control)
        self._progress.enter("proved")
        agreed = opening[-1][0].features
        for number in range(1, self._terms.streams + 1):
            self._admit(control, number, sealing.FEATURE in agreed)
        for _ in range(self._terms.streams):
            number, link = self._came.get()
            self._crew.start(f"stream {number}", self._take, number, self._ours(link))
        self._progress.enter("moving")
        came = dict(self._done.get() for _ in range(self._terms.streams))
        self._report = self._meter.figures
        for number, count in came.items():
            self._say(control, Taken(stream=number, pieces=0, bytes=count, ended=True))
        self._read(control, Bye)

    def _admit(self, control, number, sealed):
        token = secrets.token_bytes(32)
        secret = secrets.token_bytes(32) if sealed else NO_SECRET
        self._reception.expect(number, token, secret, lambda link: self._came.put((number, link)))
        self._say(control, Admit(stream=number, token=token, secret=secret))

    def _say(self, control, message):
        with self._losing("control"):
            control.send(message.encode())

    def _take(self, number, link):
        count, room = 0, memoryview(bytearray(PIECE))
        with self._losing(f"bulk (stream {number})"), suppress(EndOfStream):
            while True:
                self._stop.check()
                size = link.receive_into(room)
                self._meter.count(size)
                count += size
                if self._meter.bytes > self._most:
                    raise ProtocolError(f"{self._peer.host} sends more than the {self._most} bytes of a probe")
        self._done.put((number, count))

    def _close(self):
        for _, link in self._came.rest():
            link.abort()
        self._reception.close()
        self._listener.close()
