"""The two ends of a transfer, as the worker's main loop drives them: prepare, arm, renew, work, close."""

import contextlib
import os
import socket
import threading

from datamover.disk import mounts, publish, safepath
from datamover.disk.journal import Journal
from datamover.disk.staging import Staging
from datamover.disk.tree import SourceTree
from datamover.disk.trouble import on_source
from datamover.disk.update import Asked, UpdateStaging
from datamover.engine import channel
from datamover.engine.origin import Origin
from datamover.engine.receiver import Receiver
from datamover.engine.relay import Relay
from datamover.engine.sender import Sender
from datamover.engine.terms import Roster, compared
from datamover.engine.throttle import Throttle
from datamover.errors import Busy, Cancelled, OutOfTurn, PolicyRefused
from datamover.host.register import Need, Place, Register
from datamover.selection import Selection

from . import attempts, chains, flows, launch, pinhole, publishing, rosters, verdicts

ANY_PORT = 9
SHORT = 2.0


class End:
    """What both ends share: an identity, and a roster that must fit it."""

    listens = False

    def __init__(self, run, spec, progress, stop, note):
        self._run = run
        self._spec = spec
        self._settings = spec["settings"]
        self._path = safepath.decode_path(spec["path"])
        self._progress = progress
        self._stop = stop
        self._note = note
        self._identity = None
        self._journal = None
        self._roster = None
        self._throttle = None
        self._working = False

    @property
    def armed(self):
        return self._roster is not None

    def prepare(self):
        """Do all that can be refused before the ends meet; returns what the others must know of this one."""
        self._identity = channel.make_identity(self._spec["host"])
        self._begin_records()
        peers = [address for peer in chains.neighbours(self._spec) for address in peer["addresses"]]
        return {
            "certificate": self._identity.certificate,
            "port": None,
            "addresses": {peer: own for peer in peers if (own := own_address(peer))},
            "pid": os.getpid(),
            "unit": launch.unit_name(self._spec) if "NOTIFY_SOCKET" in os.environ else None,
        }

    def _begin_records(self):
        earlier = attempts.journals(self._run, self._spec["attempt"] - 1)
        self._journal = Journal(self._run.path / "entries.db", earlier)

    def arm(self, roster):
        """Take the roster; False if it was taken before. One that does not fit is refused."""
        if self._roster == roster:
            return False
        rosters.check(roster, self._spec, self._identity.certificate, self._roster)
        self._run.write(f"{self._run.attempt(self._spec['attempt'])}/roster", roster)
        self._roster = roster
        return True

    def _refuse_detour(self, parent):
        """PolicyRefused if the directory of this descriptor is not the one that the policy was asked about."""
        checked = self._run.read("place")
        real = safepath.encode_path(os.path.join(mounts.real_path(parent), safepath.split_final(self._path)[1]))
        if checked and checked["real"] != real:
            text = f"{self._spec['path']} was {checked['real']} when this minion's policy was asked, and is {real} now"
            raise PolicyRefused(f"{text}; somebody changed a link meanwhile", reasons=[text])

    def _hold_limit(self):
        """What leaves this end keeps to the limit."""
        self._throttle = Throttle(self._settings["limit"], self._stop)
        self._progress.limit = self._throttle.rate

    def limit(self, rate):
        """From now on at most so many bytes a second leave this end, 0 for any number."""
        if self._throttle is None:
            raise OutOfTurn("a destination takes what comes; the source of a transfer holds its limit")
        self._throttle.change(rate)
        self._progress.limit = rate

    def renew(self):
        """Renew what would end with the lease."""

    @property
    def opened(self):
        """The port of the pinhole that was opened; None without any."""
        return None

    def account(self):
        """Tell this host how much room is needed still."""

    def withdraw(self):
        """Publish nothing from now on. False while the mover is just publishing: then nobody knows how it ends."""
        return True

    def work(self):
        """Move the data; returns the Outcome."""
        self._working = True
        try:
            return self._move()
        finally:
            self._working = False

    def close(self):
        """Close what is open to others, forget the key. What a mover that hangs still uses stays as it is."""
        if self._identity:
            self._identity.close()
        if self._journal and not self._working:
            self._journal.close()


class SourceEnd(End):
    """Reads; connects to the destination when told to go."""

    silence = "was armed but never told to go"

    def __init__(self, *shared):
        super().__init__(*shared)
        self._hold_limit()

    def prepare(self):
        with on_source("look at", self._path):
            os.lstat(self._path)
        return super().prepare()

    def _tree(self):
        tree = self._new_tree()
        with contextlib.ExitStack() as undo:
            undo.callback(tree.close)
            if tree.parent is not None:
                self._refuse_detour(tree.parent)
            undo.pop_all()
        return tree

    def _new_tree(self):
        if "stream" in self._spec:
            return flows.source(self._run, self._spec, self._journal, self._progress.step)
        own = self._settings
        selection = Selection(own["include"], own["exclude"])
        deletes = own["in_place"] and own["delete"]
        return SourceTree(self._path, self._journal, frozenset(own["special"]), own["owners"], selection, deletes)

    def _move(self):
        tree = self._tree()
        try:
            work = (self._spec, self._roster, self._identity, tree, self._journal, self._progress, self._stop)
            return (Origin if chains.is_chain(self._spec) else Sender)(*work, self._throttle).run()
        finally:
            tree.close()


class ListeningEnd(End):
    """Listens on a port that is bound from prepare on, and lets the source in through a pinhole from arm on."""

    listens = True
    silence = "was armed but the source never came"

    def __init__(self, *shared):
        super().__init__(*shared)
        self._pinhole = pinhole.Opening(self._run, self._spec, self._note)
        self._listener = None

    def prepare(self):
        answer = super().prepare()
        self._make_room()
        listen = self._spec["listen"]
        self._listener = channel.bind(listen["addresses"], listen["port"], listen["ports"])
        return {**answer, "port": self._listener.getsockname()[1]}

    def _make_room(self):
        """Have the place where the data shall go, if it goes anywhere."""

    def arm(self, roster):
        """Open the pinhole for the source too, or for who comes just before in a chain."""
        if not super().arm(roster):
            return False
        origins = chains.predecessor(Roster(roster), self._spec["host"]).origins_towards(self._spec["host"])
        self._pinhole.open(origins, self._listener.getsockname()[1])
        return True

    def renew(self):
        self._pinhole.renew()

    @property
    def opened(self):
        return self._pinhole.port

    def close(self):
        self._pinhole.shut()
        if self._listener:
            self._listener.close()
        super().close()


class DestinationEnd(ListeningEnd):
    """Writes, verifies and publishes."""

    def __init__(self, *shared):
        super().__init__(*shared)
        self._register = Register(self._run.path.parents[1])
        self._staging = None
        self._receiver = None
        self._publishing = threading.Lock()
        self._withdrawn = False
        if chains.is_chain(self._spec):
            self._hold_limit()

    def _make_room(self):
        self._claim()
        self._make_staging()

    def _claim(self):
        expected = self._spec["expect"]
        reserve = self._settings["reserve_bytes"], self._settings["reserve_inodes"]
        self._run.undo.register("place")
        missing = max(0, expected["bytes"] - expected["held"])
        self._register.claim(self._run, Place.of(self._path), Need(missing, expected["entries"], *reserve))

    def _make_staging(self):
        self._staging = self._new_staging()
        try:
            self._refuse_detour(self._staging.parent)
        except PolicyRefused:
            self._staging.remove()  # by its descriptor, since its name may lead elsewhere
            raise
        self._note("renames", **publish.probe(self._staging))

    def _new_staging(self):
        about = {"run": os.fspath(self._run.path), "host": self._spec["host"], "attempt": self._spec["attempt"]}
        reserve = self._settings["reserve_bytes"], self._settings["reserve_inodes"]
        how = self._path, self._spec["transfer"], about, self._journal, self._settings["owners"], reserve
        options = {"special": frozenset(self._settings["special"])}
        kind = Staging
        if "stream" in self._spec:
            kind, options = flows.Staging, {**options, "run": self._run, "spec": self._spec}
        elif self._settings["in_place"]:
            kind, options["asked"] = UpdateStaging, Asked.of(self._compared())
        registered = self._register_staging()
        make = kind.create if self._spec["attempt"] == 1 else kind.take_over
        try:
            return make(*how, **options)
        except Busy:  # what is there is not this run's, so not its to remove
            self._run.undo.done(registered)
            raise

    def _compared(self):
        """The settings, with the way of comparing that holds here."""
        return {**self._settings, "compare": compared(self._settings, chains.is_chain(self._spec))}

    def _register_staging(self):
        """The number of the change in the undo log; what an earlier attempt left there is registered already."""
        kept = (change.seq for change in self._run.undo.pending() if change.what == "staging")
        return next(kept, None) or self._run.undo.register("staging")

    def _let_in(self, members):
        """Who comes before in the chain is lost: others may come in its place."""
        sources = [address for member in members for address in member.origins_towards(self._spec["host"])]
        self._pinhole.widen(sources, "who comes before in the chain was lost")

    def account(self):
        if self._settings["in_place"]:
            return  # what stands there counts as done too, and takes no room
        done, expected = self._progress.counters, self._spec["expect"]
        bytes_left, inodes_left = expected["bytes"] - done.bytes_done, expected["entries"] - done.files_done
        self._register.shrink(self._run.transfer, bytes_left, inodes_left, SHORT)

    def _move(self):
        work = (self._spec, self._roster, self._identity, self._listener, self._staging, self._journal)
        how = *work, self._progress, self._stop, self._publish
        self._receiver = Relay(*how, self._let_in, self._throttle) if chains.is_chain(self._spec) else Receiver(*how)
        return self._receiver.run()

    def _publish(self):
        """All is verified and sealed: intent, rename, verdict, each durable before the next."""
        with self._publishing:
            if self._withdrawn:
                raise self._stop.reason or Cancelled("the worker gave up before the data was published")
            self._publish_now()

    def withdraw(self):
        if not self._publishing.acquire(blocking=False):
            return False
        self._withdrawn = True
        self._publishing.release()
        return True

    def _publish_now(self):
        verdict = verdicts.verdict(self._spec, self._receiver.outcome())
        intent = publishing.intend(self._staging, self._settings)
        self._run.write("intent", {"publish": intent.as_dict(), "verdict": verdict})
        if not publishing.carry_out(self._staging, intent, self._progress.step):
            self._note(
                "warning", text="the final name was not given in one atomic step: the file system cannot do that"
            )
        self._run.write("verdict", verdict)


END_OF = {"source": SourceEnd, "destination": DestinationEnd}


def own_address(peer):
    """The address of this host that packets to `peer` leave from, by the kernel's own routing; None without a route."""
    family = channel.family_of(peer)
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect((peer, ANY_PORT))  # sends nothing
        except OSError:
            return None
        return probe.getsockname()[0]
