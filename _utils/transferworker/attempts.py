"""A further attempt of a transfer: the run that rests here takes it up. What the attempts before it told is archived.

What had arrived at a destination lies in staging and is taken over there; a source keeps the journal, which saves it
reading again what has not changed. Everything else begins anew.
"""

import contextlib
import os

from datamover.errors import Busy, OutOfTurn, SpecMismatch
from datamover.host import documents, flock

from . import launch, resting, undoing

MAY_CHANGE = {
    "attempt",
    "version",
    "epoch",
    "peers",
    "successors",
    "fanout",
    "leaf",
    "listen",
    "firewall",
    "expect",
    "asked_by",
    "given",
    "source_kind",
}
SETTINGS_THAT_MAY_CHANGE = {
    "compress",
    "in_place",
    "keep_partial",
    "lease",
    "limit",
    "nice",
    "reserve_bytes",
    "reserve_inodes",
    "stall_timeout",
    "streams",
}
OF_A_STREAM = {"stream", "verify"}
ARCHIVED = ("place.json", "state.json", "events.jsonl", "intent.json", "verdict.json")
JOURNAL = ("entries.db-wal", "entries.db")
JOURNALS_KEPT = 2


def take_up(run, spec, patience):
    """Make of a run that rests one at the attempt of `spec`; nothing if it is there already. The caller is alone."""
    present = run.spec
    if documents.digest(present) == documents.digest(spec):
        return
    _refuse_another(run, present, spec)
    _refuse_outdated(run, present, spec)
    if run.alive or not undoing.undo_dead(run, patience):
        attempt = f"attempt {present['attempt']} of transfer {run.transfer}"
        raise Busy(f"{attempt} still runs on this host; attach to it or cancel it")
    launch.stop(run)
    _refuse_final(run)
    # Whoever undoes after the last worker comes before or after all of this.
    with flock.hold(run.lock, patience):
        _archive(run, present)
        (run.path / run.attempt(spec["attempt"])).mkdir(mode=0o700, exist_ok=True)
        run.write("spec", spec)


def _refuse_another(run, present, spec):
    before, now = _lasting(present), _lasting(spec)
    compared = {*before, *now} - (OF_A_STREAM if _is_tree_of_a_stream(present, spec) else set())
    differing = sorted(name for name in compared if before.get(name) != now.get(name))
    if differing:
        text = f"attempt {spec['attempt']} of transfer {run.transfer} cannot have another {', '.join(differing)}"
        raise SpecMismatch(
            f"{text} than attempt {present['attempt']} had: what has arrived was made with it; copy anew",
            existing=documents.digest(present),
            asked=documents.digest(spec),
        )


def _is_tree_of_a_stream(present, spec):
    """Whether a stream broke here, of which nothing is kept, and comes now as the tree that it became elsewhere."""
    return "stream" in present and "stream" not in spec


def _refuse_outdated(run, present, spec):
    """Two who go on with a transfer at once: the second finds the attempt taken, also when that has ended by now."""
    if spec["attempt"] <= present["attempt"]:
        text = f"transfer {run.transfer} is at attempt {present['attempt']} on this host already, with other options"
        raise OutOfTurn(f"{text}; resume it again, or attach to it if it runs")


def _lasting(spec):
    """What must stay as it is, because what has arrived was made with it."""
    settings = {name: value for name, value in spec["settings"].items() if name not in SETTINGS_THAT_MAY_CHANGE}
    return {**{name: value for name, value in spec.items() if name not in {*MAY_CHANGE, "settings"}}, **settings}


def _refuse_final(run):
    result = run.verdict["result"]
    if result == "failed" and not resting.is_given_up(run):
        return
    ended = "was published" if result == "published" else "was cancelled and kept nothing"
    raise OutOfTurn(f"transfer {run.transfer} {ended} on this host; there is nothing to go on with, copy anew")


def _archive(run, present):
    """Move what the attempt told to a directory of its own. May be repeated after a crash; the verdict goes last."""
    place = run.path / run.attempt(present["attempt"])
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    documents.save(place / "spec.json", present)
    (run.path / "entries.db-shm").unlink(missing_ok=True)
    for name in (*JOURNAL, *ARCHIVED):
        with contextlib.suppress(FileNotFoundError):
            os.rename(run.path / name, place / name)
    for old in journals(run, present["attempt"])[JOURNALS_KEPT:]:
        old.unlink(missing_ok=True)
    run.shed()


def journals(run, until):
    """Where the journals of the attempts up to this one may lie, the latest first."""
    return [run.path / run.attempt(number) / "entries.db" for number in range(until, 0, -1)]
