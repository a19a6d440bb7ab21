"""The source's end of a transfer: list, read, digest, send, seal, and wait for the destination to publish.

Threads: one reads the tree into loads, one for each bulk stream carries them, two hold the control connection, one
watches; in a further attempt one announces ahead of the reading, so that the destination can look what it has. This
file is the story; see listing, supply, loads, streams, carrier, control, session for its parts.
"""

from .. import wire
from ..blocks import Content
from ..disk.journal import Side
from ..errors import ProtocolError, SealInvalid
from ..manifest import Kind
from ..wire import Admit, Bye, Have, Kept, Ping, Published, Restart, Seal, Sealed, Taken
from . import channel, dial, sealing
from .carrier import Carrier
from .compressing import Compressor, Policy, choose
from .listing import Listing
from .opening import introduce
from .outcome import Outcome
from .outlet import Outlet
from .rereading import Rereader
from .session import Session
from .stop import Lane
from .streams import Streams
from .supply import Supply
from .terms import Roster, Terms
from .throttle import Throttle
from .told import Nothing, Told

MUCH = 1024 * 1024 * 1024
"""After so many bytes were read their digests are kept for another attempt."""


class Sender:
    """One use: run() carries out one attempt. `tree` must write into `journal`; `throttle` holds a limit that may
    change meanwhile.
    """

    def __init__(self, spec, roster, identity, tree, journal, progress, stop, throttle=None):
        self._terms = Terms.of(spec)
        self._roster = Roster(roster)
        self._identity = identity
        self._tree = tree
        self._journal = journal
        journal.step = progress.step
        self._progress = progress
        self._peer = self._roster.destination
        self._session = Session(self._terms, self._peer, progress, stop)
        self._context = channel.client_context(identity, self._roster.certificates)
        stop, self._times = self._session.stop, self._session.times
        self._streams = self._session.bulk = Streams(self._terms.streams, stop, tree.let_go)
        self._told = Told(self._terms, journal, stop, self._times) if self._terms.considers else Nothing()
        self._listing = Listing(self._terms, tree, self._say, self._session.crew, stop, self._times)
        read = progress, self._record, self._tell_restart, self._times
        self._supply = Supply(self._terms, tree, journal, self._streams, self._told, *read)
        self._policy = Policy(self._terms.compress == "auto", self._terms.streams)
        self._codec = "none", 0
        self._throttle = throttle or Throttle(self._terms.limit, stop)
        self._rereader = Rereader(tree, journal, self._streams.outdated)
        self._found = Findings(self._terms, journal, self._say)
        self._published = Lane(1, self._session.stop)
        self._root = None

    def run(self):
        """Move everything; return the Outcome, whatever happens."""
        error, troubles = self._session.run(self._move)
        counts = self._journal.counts()
        skipped = self._tree.skipped
        return Outcome(
            error=error,
            root=self._root,
            entries=counts.entries,
            files=counts.files,
            directories=counts.directories,
            links=counts.links,
            bytes=counts.bytes,
            trusted=self._supply.trusted,
            sparse_bytes=self._supply.sparse_bytes,
            moved_bytes=sum(stream["bytes"] for stream in self._streams.figures),
            wire_bytes=sum(stream["wire_bytes"] for stream in self._streams.figures),
            held_bytes=self._supply.held_bytes,
            resent_bytes=self._supply.resent_bytes,
            streams=self._streams.figures,
            retried_entries=self._supply.retried,
            skipped=tuple(skipped.shown),
            skipped_more=skipped.more,
            excluded=self._tree.excluded,
            report=self._tree.report,
            seconds=self._session.seconds,
            stages=self._times.stages(),
            cleanup=troubles,
        )

    def _move(self):
        self._progress.enter("connecting")
        hello = self._terms.hello(self._roster)
        link, welcome = self._connect(self._context, hello)
        self._codec = choose(self._terms.compress, welcome.features)
        self._sealed = sealing.FEATURE in welcome.features
        self._session.converse(link, [(hello, True), (welcome, False)], self._hear)
        self._tree.begin(self._session.stop)
        self._session.crew.start("reading", self._read)
        for stream in self._streams:
            self._session.crew.start(f"stream {stream.number}", self._carrier(stream).run)
        self._streams.await_end()
        self._progress.enter("verifying")
        self._published.get()
        self._progress.enter("published")
        return (Bye(),)

    def _connect(self, context, hello, secret=None):
        stop, budget = self._session.stop, min(dial.BUDGET, dial.SHARE * self._terms.lease)
        return introduce(dial.connect(self._peer, stop, budget), context, hello, self._peer, stop, secret)

    # Reading, in a thread of its own

    def _read(self):
        self._progress.enter("moving")
        if self._terms.stream:
            self._streams.hurry()
        for entries in self._listing.announced():
            with self._times.on("read"):
                self._send_files(entries)
        self._supply.finish()
        counts = self._journal.counts()
        self._progress.put(bytes_total=counts.bytes, files_total=counts.files, estimated=False)
        self._recheck()
        self._streams.end()
        self._seal()

    def _send_files(self, entries):
        for entry in entries:
            if entry.kind == Kind.FILE:
                self._supply.send(entry)

    def _recheck(self):
        """Look again at what was so young when it was read that a change could have gone unseen."""
        self._found.flush()
        doubtful = self._tree.suspects()
        while changed := self._changed(doubtful):
            doubtful = [self._supply.send_again(entry) for entry in changed]
            self._supply.finish()
            self._found.flush()

    def _changed(self, doubtful):
        """Those that are not the same, and what had changed when a stream had to send it again; all else was taken."""
        changed = {entry.number: entry for entry in doubtful if not self._is_same(entry)}
        for number, try_ in self._streams.settle():
            known = self._journal.known(number)
            if known.try_ == try_:
                changed[number] = known.entry
        return changed.values()

    def _is_same(self, entry):
        self._progress.step()
        return self._tree.recheck(entry, self._terms.algorithm, self._terms.block_size, self._progress.step)

    def _record(self, number, try_, content: Content):
        if self._told.keeps(number):
            self._found.keep(number, content)
        else:
            self._found.add(number, try_, content)

    def _tell_restart(self, entry, try_):
        self._say(Restart(try_=try_, entry=entry, **self._terms.edition))

    def _seal(self):
        counts = self._journal.counts()
        self._root = self._journal.root(self._terms.block_size, self._terms.algorithm)
        unsigned = {
            "root": self._root,
            "algorithm": self._terms.algorithm,
            "block_size": self._terms.block_size,
            "entries": counts.entries,
            "files": counts.files,
            "bytes": counts.bytes,
            **self._terms.edition,
        }
        statement = wire.seal_statement(
            Seal(**unsigned, signature=b""), self._terms.transfer, self._terms.attempt, self._terms.host
        )
        self._say(Seal(**unsigned, signature=channel.sign(self._identity, statement)))

    def _say(self, message):
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
                self._told.hear(message, self._listing.count)
            case Kept() if self._terms.compare:
                self._told.keep(message, self._listing.count)
            case Sealed():
                self._check_root(message.root)
                self._progress.enter("sealed")
            case Published():
                self._check_root(message.root)
                self._published.put(message)
            case Bye():
                pass
            case _:
                raise ProtocolError(f"{self._peer.host} said what was not agreed on: {message}")

    def _check_root(self, root):
        if root != self._root:
            raise SealInvalid(
                f"{self._peer.host} has a tree with the root {root.hex()}; what was read here has {self._root.hex()}"
            )


ROW = 64
"""What is counted for each file beside its digests."""


class Findings:
    """The digests of what was read, kept in the journal and told in batches."""

    def __init__(self, terms, journal, say):
        self._terms = terms
        self._journal = journal
        self._say = say
        self._contents, self._parts, self._size, self._length = [], [], 0, 0

    def add(self, number, try_, content):
        self._parts += wire.parts_of(number, try_, content)
        self._note(number, try_, content, wire.told_size(content))

    def keep(self, number, content):
        """The destination keeps this file, and needs not be told."""
        self._note(number, 1, content, 0)

    def _note(self, number, try_, content, told):
        self._contents.append((number, try_, content))
        self._size += ROW + told
        self._length += content.length
        if self._size >= wire.BATCH or self._length >= MUCH:
            self.flush()

    def flush(self):
        """Write and tell what was not yet, so that it needs not be read again whatever happens to this process."""
        self._journal.put_contents(Side.OWN, self._contents)
        self._journal.flush()
        for message in wire.digest_messages(self._parts, **self._terms.edition):
            self._say(message)
        self._contents, self._parts, self._size, self._length = [], [], 0, 0
