"""The pinhole of a run: registered, opened, renewed, and opened again a few times if somebody took it away.

Never against what an administrator of this host forbids.
"""

from datamover.host import process
from hosttools import firewall, forbidden, pinholes
from hosttools.commands import drive
from hosttools.errors import PinholeGone

REOPENED = 3


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
        self._reopened = 0

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
        drive(firewall.open(self._pinhole, self._lease), self._execute)
        self._note("pinhole", open=port, sources=list(sources))

    def renew(self):
        """Let the lease begin anew."""
        if self._pinhole is None:
            return
        try:
            drive(firewall.renew(self._pinhole, self._lease), self._execute)
        except PinholeGone as gone:
            self._reopen(gone)

    def _reopen(self, gone):
        self._reopened += 1
        if self._reopened > REOPENED:
            raise gone
        forbidden.check(self._state_dir, self._pinhole.sources, self._pinhole.port)
        self._note("pinhole", lost=gone.text, reopened=self._reopened)
        self._pinhole = drive(firewall.reopen(self._pinhole, self._lease), self._execute)


def close(tag):
    """Close what the tag opened, if it is open."""
    drive(firewall.close(tag), process.run)
