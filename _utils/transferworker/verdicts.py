"""A worker's last word, in its one form, however the run ended."""

import resource

from datamover.disk.safepath import encode_path
from datamover.engine.outcome import Outcome
from datamover.errors import Cancelled
from datamover.host import process

from . import bounds, control

SKIPPED = 8 * 1024


def verdict(spec, outcome):
    """The verdict of the run of `spec` that ended with `outcome`."""
    settings = spec["settings"]
    return {
        "result": outcome.result,
        "error": outcome.error and control.as_dict(outcome.error),
        "path": spec["path"],
        "level": settings["verify"],
        "algorithm": settings["digest"],
        "block_size": settings["block_size"],
        **_figures(outcome),
        **_chain(outcome),
        **_skipped(outcome),
        **_costs(),
        "report": outcome.report,
        "cleanup": [bounds.short(sentence) for sentence in outcome.cleanup],
    }


def died(spec, error):
    """The verdict for a worker that left none."""
    return {**verdict(spec, Outcome(error)), "cpu_seconds": 0.0, "peak_memory": 0}


def cancelled(failed, by):
    """The verdict for a run that `failed`, and that somebody cancelled afterwards."""
    why = failed["error"]
    text = bounds.short(f"the transfer was cancelled by {by} after it had failed: {why['text']}")
    error = Cancelled(text, failed=why["name"], failed_code=why["code"])
    return {**failed, "result": "cancelled", "error": control.as_dict(error)}


COUNTED = (
    "files",
    "directories",
    "links",
    "entries",
    "bytes",
    "sparse_bytes",
    "moved_bytes",
    "held_bytes",
    "resent_bytes",
    "wire_bytes",
    "read_bytes",
    "reread_bytes",
    "created",
    "changed",
    "unchanged",
    "deleted",
    "trusted",
    "retried_entries",
    "excluded",
    "seconds",
)


def _figures(outcome):
    return {
        "root": outcome.root and outcome.root.hex(),
        **{name: getattr(outcome, name) for name in COUNTED},
        "streams": list(outcome.streams),
        "stages": outcome.stages.as_dict(),
    }


def _chain(outcome):
    """Nothing where there is one destination. `links` are those that this host opened to hosts behind it."""
    if outcome.chain is None:
        return {}
    told = outcome.chain
    predecessors = [{"host": host, "epoch": epoch} for host, epoch in told.predecessors]
    links = [{"host": host, "epoch": epoch, "bytes": count} for host, epoch, count in told.links]
    forwarded = {"links": links, "forwarded_bytes": told.forwarded_bytes, "lost": list(told.lost)}
    return {"chain": {"predecessors": predecessors, **forwarded}}


def _skipped(outcome):
    named = [{"path": encode_path(path), "why": why} for path, why in outcome.skipped]
    told = bounds.fitting(named, SKIPPED)
    return {"skipped": told, "skipped_more": outcome.skipped_more + len(named) - len(told)}


def _costs():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_seconds": round(used.ru_utime + used.ru_stime, 3), "peak_memory": process.peak_memory()}


def exit_status(verdict):
    return verdict["error"]["code"] if verdict["error"] else 0
