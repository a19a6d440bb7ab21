"""salt-run, hearing a bus that disturbs what it carries. Run on a master: of one minion, the first answer to each
question is lost, of all others it comes late, and everything is heard twice.

    disturbed_runner.py MINION ARGUMENTS-OF-SALT-RUN

Writes at its end to stderr how often each fate was met, as a line of JSON.
"""

import json
import sys
from collections import Counter

from salt.scripts import salt_run

import saltface
from tests.support.disturbed_bus import DOUBLED, LATE, LOST, Disturbed, First

met = Counter()


class Mixed:
    """What becomes of an event, by whose it is."""

    def __init__(self, unlucky):
        self._unlucky = unlucky
        self._lost, self._late = First(LOST), First(LATE)

    def __call__(self, event):
        first = self._lost if event["data"].get("id") == self._unlucky else self._late
        fate = first(event)
        fate = fate if fate in (LOST, LATE) else DOUBLED
        met[{LOST: "lost", LATE: "late", DOUBLED: "doubled"}[fate]] += 1
        return fate


class DisturbedFleet(saltface.Fleet):
    def __init__(self, opts):
        super().__init__(opts)
        self._bus = Disturbed(self._bus, fate, self.now)


fate = Mixed(sys.argv.pop(1))
saltface.Fleet = DisturbedFleet
try:
    salt_run()
finally:
    print(json.dumps(met), file=sys.stderr)
