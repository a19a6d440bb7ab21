"""A transfer's record on this host, held against what is on the disk now."""

from datamover import digests
from datamover.disk import differing, journal, recheck, safepath
from datamover.errors import Busy, OutOfTurn, SpecInvalid
from datamover.selection import Selection

from . import bounds

TOLD = 32 * 1024
SHOWN = differing.SHOWN


def verify(run, shown=SHOWN):
    """What `transfer.verify` answers about one end: everything that differs is counted, the first `shown` are told."""
    if "stream" in run.spec:
        raise OutOfTurn(
            f"transfer {run.transfer} was a stream ({run.spec['stream']['type']}): it was proved as it passed, and "
            "what it became has no digests of its own; a backup is looked into by xtrabackup.verify"
        )
    verdict = _published(run)
    with journal.Journal(run.path / "entries.db") as known:
        check = recheck.Recheck(_recorded(run.spec), known, shown)
        check.run()
    root, troubles = check.root(), bounds.fitting(check.troubles.shown, TOLD)
    root = root and root.hex()
    return {
        "transfer": run.transfer,
        "role": run.role,
        "host": run.spec["host"],
        "path": run.spec["path"],
        "verified": not check.troubles and root in (None, verdict["root"]),
        "algorithm": verdict["algorithm"],
        "root": root,
        "sealed_root": verdict["root"],
        "entries": check.entries,
        "bytes": check.bytes,
        "trusted": check.trusted,
        "counts": check.troubles.counts,
        "troubles": troubles,
        "more": check.troubles.more + len(check.troubles.shown) - len(troubles),
    }


def _published(run):
    """The verdict of a run that ended well; nothing else left anything that could be verified."""
    if run.alive:
        raise Busy(f"transfer {run.transfer} is still at work on this host; verify it when it has ended")
    verdict = run.verdict
    if not verdict or verdict["result"] != "published":
        ended = verdict["result"] if verdict else "without a verdict"
        raise OutOfTurn(f"transfer {run.transfer} ended {ended} on this host: nothing of it was published or proved")
    if verdict["algorithm"] not in digests.available():
        raise SpecInvalid(f"this minion has no {verdict['algorithm']} any more, with which the transfer was proved")
    return verdict


def _recorded(spec):
    settings = spec["settings"]
    updated = spec["role"] == "destination" and settings["in_place"]
    return recheck.Recorded(
        safepath.decode_path(spec["path"]),
        settings["digest"],
        settings["block_size"],
        settings["owners"],
        Selection(settings.get("include", ()), settings.get("exclude", ())),
        alone=not updated or settings["delete"],
        updated=updated,
    )
