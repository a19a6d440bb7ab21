"""The pinhole of a run: registered, opened, renewed, and opened again a few times if somebody took it away.

Never against what an administrator of this host forbids. "A few times" are counted over a while: who reloads a firewall
every hour is no enemy, who closes it again and again means it.
"""

import threading
from dataclasses import replace

from datamover.host import process
from datamover.host.lease import Deadline
from hosttools import firewall, forbidden, pinholes
from hosttools.commands import drive
from hosttools.errors import ForbidUnreadable, HostToolError, PinholeForbidden, PinholeGone

from . import audit

REOPENED = 3
WHILE = 600.0


class Opening:
    """What `spec` wants opened for `sources` to `port`; nothing where the plan found no chain that drops."""

    def __init__(self, run, spec, note, execute=process.run):
        self._run = run
        self._state_dir = run.path.parents[1]
        self._spec = spec
        self._note = note
        self._execute = execute
        self._lease = spec["settings"]["lease"]
        self._pinhole = None
        self._held = None
        self._reopened = []
        self._changing = threading.RLock()
        self._unmet = None
        self._shut = False

    def open(self, sources, port):
        """Open for one lease."""
        chains = self._spec["firewall"]["chains"]
        if not chains:
            return
        tag = pinholes.tag(self._spec["transfer"], self._spec["attempt"])
        forbidden.check(self._state_dir, sources, port)
        bare = pinholes.Pinhole(tag, tuple(sources), self._spec["listen"]["addresses"][0], port)
        self._run.undo.register("pinhole", tag=tag)
        self._pinhole = firewall.with_chains(bare, chains)
        audit.opens(self._run, self._spec, "opened", port, sources, chains)
        drive(firewall.open(self._pinhole, self._lease), self._execute)
        self._held = Deadline.after(self._lease)
        self._note("pinhole", change="opened", port=port, sources=list(sources))

    def widen(self, sources, why):
        """Let in these too: somebody else of the roster may have to come. What fails now is tried again at renewals."""
        with self._changing:
            if self._pinhole is None or self._shut:
                return
            wider = replace(self._pinhole, sources=(*self._pinhole.sources, *sources))
            if wider.sources == self._pinhole.sources:
                return
            forbidden.check(self._state_dir, wider.sources, wider.port)
            self._pinhole, self._unmet = wider, why
            try:
                self._open_wider()
            except HostToolError as error:
                self._note("pinhole", change="not renewed", port=self.port, why=error.text)

    def _open_wider(self):
        drive(firewall.close(self._pinhole.tag), self._execute)
        drive(firewall.open(self._pinhole, self._lease), self._execute)
        self._held = Deadline.after(self._lease)
        why, self._unmet = self._unmet, None
        self._tell_reopened(why)

    def shut(self):
        """From now on nothing is opened, by whichever thread: it is about to be closed, by its tag."""
        with self._changing:
            self._shut = True

    @property
    def port(self):
        """The port that was opened; None if none was."""
        return self._pinhole and self._pinhole.port

    def renew(self):
        """Let the lease begin anew. A firewall that cannot be asked now is asked again, until the lease is over."""
        if self._pinhole is None:
            return
        try:
            with self._changing:
                self._renew()
            self._held = Deadline.after(self._lease)
        except (PinholeGone, PinholeForbidden, ForbidUnreadable):
            raise
        except HostToolError as error:
            if self._held.passed:
                raise
            self._note("pinhole", change="not renewed", port=self.port, why=error.text)

    def _renew(self):
        if self._unmet:
            forbidden.check(self._state_dir, self._pinhole.sources, self._pinhole.port)
            self._open_wider()
            return
        try:
            drive(firewall.renew(self._pinhole, self._lease), self._execute)
        except PinholeGone as gone:
            self._reopen(gone)

    def _reopen(self, gone):
        self._reopened = [each for each in self._reopened if not each.passed]
        if len(self._reopened) >= REOPENED:
            raise gone
        forbidden.check(self._state_dir, self._pinhole.sources, self._pinhole.port)
        self._reopened.append(Deadline.after(WHILE))
        self._pinhole = drive(firewall.reopen(self._pinhole, self._lease), self._execute)
        self._tell_reopened(gone.text)

    def _tell_reopened(self, why):
        hole = self._pinhole
        chains = [chain.as_dict() for chain in hole.chains]
        audit.opens(self._run, self._spec, "reopened", hole.port, hole.sources, chains, why)
        self._note("pinhole", change="reopened", port=hole.port, sources=list(hole.sources), why=why)


def close(tag):
    """Close what the tag opened, if it is open."""
    drive(firewall.close(tag), process.run)
