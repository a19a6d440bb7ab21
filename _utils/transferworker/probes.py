"""What sets a probe apart from the transfers of this host: it has no place, is in no list, and leaves no record."""

import contextlib

from datamover.host import flock

TYPE = "probe"
"""Of the stream in its spec."""
PATIENCE = 10.0
UNASKED = 60.0
"""Seconds after which nobody asks any more how a probe ended."""


def is_probe(spec):
    """Whether a spec is of a probe; none is, whose record has just gone."""
    stream = (spec or {}).get("stream") or {}
    return stream.get("type") == TYPE


def forget(run):
    """Remove the record of a probe that is over and undone, however it ended. Of anything else it stays."""
    with contextlib.suppress(FileNotFoundError):  # somebody else was faster
        if not is_probe(run.spec) or run.verdict is None or run.undo.pending():
            return
        held = flock.hold(run.lock, PATIENCE)
        if held:
            with held:
                run.remove()
