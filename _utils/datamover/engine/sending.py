"""One link from a host that sends to one that takes: connect, carry the bulk streams, hear the other end, part.

What is sent over it is up to who makes one (see sender for the source, forwarder for a relay of a chain).
"""

from ..errors import ProtocolError, SealInvalid
from ..wire import Admit, Bye, Have, Kept, Ping, Published, Sealed, Taken
from . import channel, dial, sealing
from .carrier import Carrier
from .compressing import Compressor, Policy, choose
from .opening import introduce
from .outlet import Outlet
from .rereading import Rereader
from .stop import Lane
from .streams import Streams
from .told import Nothing, Told


class Sending:
    """`_read` is the story of what is sent; `_sealed_root` what everybody must have. One use."""

    def __init__(self, terms, roster, identity, session, tree, journal, progress, throttle):
        self._terms = terms
        self._roster = roster
        self._tree = tree
        self._journal = journal
        self._progress = progress
        self._peer = session.peer
        self._session = session
        self._context = channel.client_context(identity, roster.certificates)
        stop, self._times = session.stop, session.times
        self._streams = session.bulk = Streams(terms.streams, stop, tree.let_go)
        self._told = Told(terms, journal, stop, self._times) if terms.considers else Nothing()
        self._policy = Policy(terms.compress == "auto", terms.streams)
        self._codec = "none", 0
        self._throttle = throttle
        self._rereader = Rereader(tree, journal, self._streams.outdated)
        self._published = Lane(1, stop)
        self._parted = Lane(1, stop)

    def _move(self):
        self._progress.enter("connecting")
        hello = self._terms.hello(self._roster)
        link, welcome = self._open(hello)
        self._codec = choose(self._terms.compress, welcome.features)
        self._sealed = sealing.FEATURE in welcome.features
        self._session.converse(link, [(hello, True), (welcome, False)], self._hear)
        self._begin_reading()
        self._session.crew.start("reading", self._read)
        for stream in self._streams:
            self._session.crew.start(f"stream {stream.number}", self._carrier(stream).run)
        self._streams.await_end()
        self._progress.enter("verifying")
        self._published.get()
        self._await_parting()
        self._progress.enter("published")
        return (Bye(),)

    def _begin_reading(self):
        """The way is proved."""
        self._tree.begin(self._session.stop)

    def _open(self, hello):
        """The control connection."""
        return self._connect(self._context, hello)

    def _await_parting(self):
        """Whoever publishes parts at once."""

    def _connect(self, context, hello, secret=None):
        stop, budget = self._session.stop, min(dial.BUDGET, dial.SHARE * self._terms.lease)
        return introduce(dial.connect(self._peer, stop, budget), context, hello, self._peer, stop, secret)

    def _say(self, message):
        with self._times.on("wait"):
            self._session.control.say(message)

    # Sending, a thread for each bulk stream

    def _carrier(self, stream):
        session = self._session
        told = session.control.say, self._progress.tell, session.stop
        outlet = Outlet(self._compressor(), self._policy, self._throttle, self._times)
        return Carrier(stream, self._streams, outlet, self._peer.host, self._open_stream, self._rereader.load, *told)

    def _compressor(self):
        """One stream's, of the codec that was agreed on; None if none was."""
        name, level = self._codec
        return None if name == "none" else Compressor(name, level, self._policy, self._times)

    def _open_stream(self, admit):
        context = self._context if self._terms.encrypt else None
        secret = admit.secret if self._sealed else None
        link, _ = self._connect(context, self._terms.hello(self._roster, "bulk", admit.stream, admit.token), secret)
        link.silence = self._terms.silence
        link.times = self._times
        return link

    # Hearing, in the control connection's thread

    def _hear(self, message):
        match message:
            case Ping():
                self._session.hear_ping(message)
                self._progress.put(bytes_verified=message.bytes_verified)
            case Admit():
                self._streams[message.stream].admit(message)
            case Taken():
                self._streams[message.stream].taken(message)
            case Have() if self._terms.considers:
                self._told.hear(message, self._announced)
            case Kept() if self._terms.compare:
                self._told.keep(message, self._announced)
            case Sealed():
                self._check_root(message.root)
                self._progress.enter("sealed")
            case Published():
                self._check_root(message.root)
                self._published.put(message)
            case Bye():
                self._parted.put(message)
            case _:
                raise ProtocolError(f"{self._peer.host} said what was not agreed on: {message}")

    def _check_root(self, root):
        if root != self._sealed_root:
            raise SealInvalid(
                f"{self._peer.host} has a tree with the root {root.hex()}; what was read here has "
                f"{self._sealed_root and self._sealed_root.hex()}"
            )
