"""A chain of hosts in this process, or each in a process of its own: real sockets, real TLS, real files."""

import os
import threading
from pathlib import Path

from datamover.disk import publish, settle
from datamover.disk.journal import Journal
from datamover.disk.special import NAMES
from datamover.disk.staging import DATA, Staging
from datamover.disk.tree import SourceTree
from datamover.disk.update import Asked, UpdateStaging
from datamover.engine import channel
from datamover.engine.origin import Origin
from datamover.engine.relay import Relay
from tests.functional.datamover.ends import PORTS, TRANSFER, End, OwnProcess, Running, member, spec
from tests.functional.datamover.relay import Relay as Between
from tests.support.waiting import eventually

ADDRESS = "127.0.0.1"
HOSTS = ("beta", "gamma", "delta")


class Node:
    """A destination: where it writes, what it is given, what it did."""

    def __init__(self, chain, host, folder):
        self.host = host
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.end = chain.new_end("destination", host)
        self.listener = channel.bind([ADDRESS], 0, PORTS)
        self.adrift = []
        self.published = []
        self.staging_class = Staging
        self._chain = chain

    @property
    def data(self):
        """Where it arrived."""
        final = self.folder / "final"
        return final if os.path.lexists(final) else self.staged

    @property
    def staged(self):
        return self.folder / f".salt-transfer-{TRANSFER}" / os.fsdecode(DATA)

    def member(self):
        return member(self.host, "destination", [ADDRESS], self.listener.getsockname()[1], self.end.identity)

    @property
    def final(self):
        return os.fsencode(self.folder / "final")

    @property
    def _updates(self):
        return issubclass(self.staging_class, UpdateStaging)

    def new_staging(self):
        make = self.staging_class.create if self._chain.attempt == 1 else self.staging_class.take_over
        more = {"asked": Asked(compare="digest")} if self._updates else {}
        return make(self.final, TRANSFER, {}, self.end.journal, special=frozenset(NAMES), **more)

    def relay(self):
        end, staging = self.end, self.new_staging()
        self._chain.opened.append(staging)
        work = (end.spec, self._chain.roster, end.identity, self.listener, staging, end.journal, end.progress, end.stop)
        relay = Relay(*work, lambda: self.publish(staging), self.adrift.extend)
        self.prepare(relay)
        return relay

    def publish(self, staging):
        """Give it its final name."""
        if self._updates:
            settle.publish(staging, settle.intend(staging, "names"))
        else:
            publish.publish(staging, publish.intend(staging, overwrite=False))
        self.published.append(True)

    def prepare(self, relay):
        """A test does with a relay what it likes."""


class Chains:
    """alpha:`root` to the destinations `hosts`, each below `folder`. run() gives the outcomes of all."""

    made = []
    node_class = Node

    def __init__(self, root, folder, hosts=HOSTS, attempt=1, tree=SourceTree, earlier=(), **settings):
        self.root = os.fsencode(root)
        self.attempt = attempt
        self.settings = settings
        self.tree_class = tree
        self.opened = []
        self.source = self.new_end("source", "alpha", *earlier)
        self.nodes = {host: self.node_class(self, host, Path(folder) / host) for host in hosts}
        alpha = member("alpha", "source", [ADDRESS], None, self.source.identity)
        members = [alpha, *(node.member() for node in self.nodes.values())]
        self.roster = {"transfer": TRANSFER, "attempt": attempt, "epoch": 1, "members": members}
        self.made.append(self)

    def new_end(self, role, host, *journal):
        made = {**spec(role, host, self.attempt, **{"lease": 6, **self.settings}), "fanout": "chain"}
        end = End(made, channel.make_identity(host), Journal(*(journal or ("",))))
        self.opened.append(end.identity)
        return end

    def close(self):
        for each in self.opened:
            each.close()
        for node in self.nodes.values():
            node.listener.close()

    @property
    def source_path(self):
        return Path(os.fsdecode(self.root))

    def origin(self):
        end = self.source
        self.tree = self.new_tree(end)
        self.opened.append(self.tree)
        return Origin(end.spec, self.roster, end.identity, self.tree, end.journal, end.progress, end.stop)

    def new_tree(self, end):
        return self.tree_class(self.root, end.journal, frozenset(NAMES))

    def source_apart(self):
        """The source in a process of its own."""
        return OwnProcess(self.origin().run)

    def through_relay(self, host, tamper=lambda connection, data, at: data):
        """Let everybody come to this destination through a relay."""
        member = next(each for each in self.roster["members"] if each["host"] == host)
        relay = Between(ADDRESS, member["port"], tamper)
        member["port"] = relay.port
        self.opened.append(relay)
        return relay

    def run(self, seconds=60, but=()):
        """Everything in threads of this process, but what is run elsewhere: {host: Outcome}."""
        running = {host: Running(node.relay().run) for host, node in self.nodes.items() if host not in but}
        sent = self.origin().run()
        return {"alpha": sent, **{host: each.result(seconds) for host, each in running.items()}}

    def apart(self, host):
        """This destination in a process of its own; a context manager that ends it."""
        node = self.nodes[host]
        other = OwnProcess(node.relay().run)
        node.listener.close()
        return other


def lost(outcomes):
    """Whom each host had to pass by."""
    return {host: outcome.chain.lost for host, outcome in outcomes.items() if outcome.chain.lost}


def named_dead(dead):
    """The same where one died in a chain to HOSTS: all before it tried to reach it, one after the other."""
    hosts = ("alpha", *HOSTS)
    return dict.fromkeys(hosts[: hosts.index(dead)], (dead,))


def halting(staging_class, room, goes_on):
    """A staging that takes so many bytes, and the rest once `goes_on()` is true."""

    class Halting(staging_class):
        left = room

        def write(self, number, try_, offset, view):
            self.left -= len(view)
            assert self.left >= 0 or eventually(goes_on, 60)
            return super().write(number, try_, offset, view)

    return Halting


def hang_until_delta_has_it(chain, staging_class):
    """gamma's disk is one that waits for the `gate` of its class, which opens when delta has published."""
    staging_class.gate = threading.Event()
    chain.nodes["gamma"].staging_class = staging_class
    chain.nodes["delta"].end.at_phase("published", staging_class.gate.set)


def hurry(relay):
    """Have it publish as soon as it has all, whatever those behind it lack."""
    relay._onward.await_carried = lambda _seconds: None


class OverPassing:
    """What a relay has to pass on, with something wrong with it."""

    def __init__(self, passing):
        self._passing = passing

    def __getattr__(self, name):
        return getattr(self._passing, name)


def lie(relay, altering, is_altered, content=None):
    """Have a relay pass on what `altering` makes of what it has, and with `content(relay, entry)` tell digests that fit
    what is altered.
    """
    relay._passing = altering(relay._passing)
    new_hop = relay._new_hop

    def new_liar(host, epoch):
        hop = new_hop(host, epoch)
        true = hop._content
        hop._content = lambda entry: content(relay, entry) if is_altered(entry) else true(entry)
        return hop

    if content:
        relay._onward._make_hop = new_liar
