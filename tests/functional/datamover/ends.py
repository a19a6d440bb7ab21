"""Both ends of a transfer in this process or in processes of their own: real sockets, real TLS, real files."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from datamover.disk.journal import Journal
from datamover.disk.special import NAMES
from datamover.disk.staging import DATA, Staging
from datamover.disk.tree import SourceTree
from datamover.engine import channel
from datamover.engine.outcome import Outcome
from datamover.engine.progress import Progress
from datamover.engine.receiver import Receiver
from datamover.engine.sender import Sender
from datamover.engine.stop import Stop
from tests.functional.datamover.relay import Relay

TRANSFER = "ab" * 16
DATASET = "cd" * 16
PORTS = [20000, 30000]
SETTINGS = {
    "digest": "sha256",
    "verify": "readback",
    "encrypt": True,
    "streams": 1,
    "compress": "none",
    "limit": 0,
    "update": False,
    "in_place": False,
    "block_size": 1024 * 1024,
    "stall_timeout": 20,
    "lease": 30,
}


def spec(role, host, attempt=1, **settings):
    """What the engine reads of a spec."""
    place = {"transfer": TRANSFER, "attempt": attempt, "dataset": DATASET, "generation": 1, "epoch": 1, "leaf": 0}
    return {**place, "role": role, "host": host, "settings": {**SETTINGS, **settings}}


@dataclass
class End:
    """What one end is given; a test changes what it wants to see go wrong."""

    spec: dict
    identity: channel.Identity
    journal: Journal
    stop: Stop = field(default_factory=Stop)
    progress: Progress = field(default_factory=Progress)
    events: list = field(default_factory=list)

    def __post_init__(self):
        self.progress.listen(lambda what, details: self.events.append((what, details)))

    def phases(self):
        return [details["phase"] for what, details in self.events if what == "phase"]

    def told(self, what):
        return [details for each, details in self.events if each == what]

    def at_phase(self, phase, action):
        """Call `action` when this phase begins."""
        self.progress.listen(lambda what, details: details.get("phase") == phase and action())


class Ends:
    """alpha:`root` to beta:`folder`/final over `address`. run() carries it out and gives the outcomes of both.

    An `attempt` after the first goes on with what is staged; `journals` are the files of both ends' journals, `earlier`
    those of the source in attempts before.
    """

    made = []
    """Those that a test has made; the fixture `everything_closed` closes them."""

    def __init__(
        self,
        root,
        folder,
        address="127.0.0.1",
        staging=Staging,
        tree=SourceTree,
        receiver=Receiver,
        attempt=1,
        journals=("", ""),
        earlier=(),
        **settings,
    ):
        self.root = os.fsencode(root)
        self.folder = Path(folder)
        self.attempt = attempt
        self.alpha = self._end("source", "alpha", Journal(journals[0], earlier), settings)
        self.beta = self._end("destination", "beta", Journal(journals[1]), settings)
        self.listener = channel.bind([address], 0, PORTS)
        self.roster = self._roster(address)
        self.staging_class, self.tree_class, self.receiver_class = staging, tree, receiver
        self.staging = None
        self.sealed = []
        self._opened = [self.alpha.identity, self.beta.identity, self.listener]
        self.made.append(self)

    def close(self):
        for each in self._opened:
            each.close()

    def _end(self, role, host, journal, settings):
        return End(spec(role, host, self.attempt, **settings), channel.make_identity(host), journal)

    def _roster(self, address):
        port = self.listener.getsockname()[1]
        return {
            "transfer": TRANSFER,
            "attempt": self.attempt,
            "epoch": 1,
            "members": [
                member("alpha", "source", [address], None, self.alpha.identity),
                member("beta", "destination", [address], port, self.beta.identity),
            ],
        }

    @property
    def port(self):
        return self.roster["members"][1]["port"]

    @property
    def data(self):
        """Where it arrived."""
        return self.folder / f".salt-transfer-{TRANSFER}" / os.fsdecode(DATA)

    @property
    def arrived(self):
        """Where it is, once it is whole."""
        return self.data

    def sender(self):
        end = self.alpha
        tree = self.tree_class(self.root, end.journal, frozenset(NAMES))
        self._opened.append(tree)
        return Sender(end.spec, self.roster, end.identity, tree, end.journal, end.progress, end.stop)

    def receiver(self):
        end = self.beta
        final = os.fsencode(self.folder / "final")
        make = self.staging_class.create if self.attempt == 1 else self.staging_class.take_over
        self.staging = make(final, TRANSFER, {}, end.journal, special=frozenset(NAMES))
        self._opened.append(self.staging)
        return self.receiver_class(
            end.spec,
            self.roster,
            end.identity,
            self.listener,
            self.staging,
            end.journal,
            end.progress,
            end.stop,
            self.publish,
        )

    def publish(self):
        """What the destination does when all is verified."""
        self.sealed.append(True)

    def run(self):
        """(source's outcome, destination's outcome), each end in threads of this process."""
        receiving = Running(self.receiver().run)
        sent = self.sender().run()
        return sent, receiving.result()

    def run_apart(self, apart):
        """The same with one end ("source" or "destination") in its own process; the outcome of a killed one is None."""
        with OwnProcess(self.sender().run if apart == "source" else self.receiver().run) as other:
            here = self.receiver() if apart == "source" else self.sender()
            if apart == "destination":
                self.listener.close()
            outcome = here.run()
            theirs = other.result()
        return (theirs, outcome) if apart == "source" else (outcome, theirs)


def member(host, role, addresses, port, identity):
    return {"host": host, "role": role, "addresses": addresses, "port": port, "certificate": identity.certificate}


class Running:
    """A function in a thread."""

    def __init__(self, work):
        self._outcome = []
        self._thread = threading.Thread(target=lambda: self._outcome.append(work()), daemon=True)
        self._thread.start()

    def result(self, seconds=60):
        self._thread.join(seconds)
        assert self._outcome, "it did not end, or raised"
        return self._outcome[0]


class OwnProcess:
    """A function in a forked process, whose result comes back unless it is killed; its context ends it."""

    def __init__(self, work):
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=self._work, args=(work, theirs), daemon=True)
        self.process.start()
        theirs.close()

    @staticmethod
    def _work(work, pipe):
        result = work()
        pipe.send_bytes(pickle.dumps(replace(result, error=None) if isinstance(result, Outcome) else result))

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.process.kill()
        self.process.join()

    def result(self, seconds=60):
        """What the function returned (an Outcome without its error); None if the process died."""
        try:
            assert self._ours.poll(seconds), "it did not end"
            return pickle.loads(self._ours.recv_bytes())
        except EOFError:
            return None


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # The signal is on its way.


class Nth:
    """Calls `action` at the nth call."""

    def __init__(self, number, action):
        self._left = number
        self._action = action

    def __call__(self):
        self._left -= 1
        if self._left == 0:
            self._action()


def refused(ends):
    """Run, demand that nothing was published and every thread ended; return both errors."""
    sent, received = ends.run()
    assert ends.sealed == [] and sent.error is not None and received.error is not None
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("source ", "destination "))]
    return sent.error, received.error


def relayed(ends, tamper):
    """Let the source connect through a relay."""
    relay = Relay("127.0.0.1", ends.port, tamper)
    ends.roster["members"][1]["port"] = relay.port
    return relay


class Guess:
    """A roster as a stranger imagines it."""

    digest = bytes(32)


class Wrapped:
    """An open file of the source, around which a test does something of its own."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._file.close()


class Disturbed(Wrapped):
    """Calls `tree.disturb(path)` before its last bytes are read."""

    def __init__(self, file, tree):
        super().__init__(file)
        self._tree = tree

    def read_into(self, offset, view):
        if offset + len(view) >= self._file.entry.size:
            self._tree.disturb(os.path.join(self._tree.root, b"large"))
        return self._file.read_into(offset, view)
