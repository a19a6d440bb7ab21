"""What goes into this host's audit trail, and its pages for who asks.

A trail that cannot be written (a full disk) is told in the log, and is no reason to end or to refuse anything.
"""

import contextlib
import itertools
import logging

from datamover.errors import Busy
from datamover.host.trail import Trail

from . import bounds, chains, probes

LINES_TOLD = 500
BYTES_TOLD = 48 * 1024

PROOF = ("result", "level", "algorithm", "root", "files", "bytes", "moved_bytes")

log = logging.getLogger(__name__)


def note(state_dir, what, **details):
    """Append a line."""
    with _bearing_trouble(what):
        Trail(state_dir).note(what, **details)


@contextlib.contextmanager
def _bearing_trouble(what):
    try:
        yield
    except (OSError, Busy) as error:
        log.warning("%s could not be written into the audit trail: %s", what, error)


def refused(state_dir, spec, reasons):
    note(state_dir, "refused", **_asked(spec), reasons=list(reasons))


def begun(run, spec):
    note(_state_dir(run), "begun", **_asked(spec))


def ended(run, verdict):
    """How it ended here; told once, and once more if the host went down between this and the note that it is told."""
    figures = {name: verdict[name] for name in PROOF}
    error = verdict["error"] and {name: verdict["error"][name] for name in ("code", "name", "text")}
    note(_state_dir(run), "ended", **_asked(run.spec), **figures, error=error)


def given_up(run, by):
    """Somebody cancelled what had failed before."""
    note(_state_dir(run), "given up", **_whose(run.spec), by=by)


def opens(run, spec, change, port, sources, chains, why=""):
    """`change` is opened (written before the firewall is asked) or reopened (written when it did)."""
    where = [" ".join(str(chain[key]) for key in ("backend", "family", "table", "chain")) for chain in chains]
    reason = {"why": why} if why else {}
    note(_state_dir(run), f"pinhole {change}", **_whose(spec), port=port, sources=list(sources), chains=where, **reason)


def closed(state_dir, tag, by):
    note(state_dir, "pinhole closed", tag=tag, by=by)


def _state_dir(run):
    return run.path.parents[1]


def _whose(spec):
    kind = {"probe": True} if probes.is_probe(spec) else {}
    return {**{name: spec[name] for name in ("transfer", "attempt", "role", "asked_by")}, **kind}


def _asked(spec):
    peers = [{name: peer[name] for name in ("host", "role", "addresses")} for peer in chains.neighbours(spec)]
    return {**_whose(spec), "path": spec["path"], "peers": peers}


def page(state_dir, after=0, limit=LINES_TOLD, transfer=""):
    """Lines beyond number `after`, of one transfer if it is named, as many as one answer holds; `more` if there are."""
    lines = (line for line in Trail(state_dir).read(after) if not transfer or _is_of(line, transfer))
    found = list(itertools.islice(lines, min(max(limit, 0), LINES_TOLD) + 1))
    told = bounds.fitting(found[: min(max(limit, 0), LINES_TOLD)], BYTES_TOLD)
    return {"lines": told, "more": len(told) < len(found)}


def _is_of(line, transfer):
    return line.get("transfer") == transfer or f":{transfer}:" in line.get("tag", "")
