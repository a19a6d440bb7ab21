"""What a minion is asked about transfers, without Salt: prepare, arm, go, follow, status, list, log, cancel, sweep.

The live worker answers over its control socket; where there is none, the run directory answers. Whoever finds a run
whose worker is dead and left no verdict undoes after it there and then, so that no answer is about a ghost.
"""

import contextlib
import os

from datamover.disk import safepath
from datamover.errors import Busy, OutOfTurn, PolicyRefused
from datamover.host import flock
from datamover.host.register import Register
from datamover.host.rundir import RunDirs
from datamover.host.seats import Seats

from . import (
    attempts,
    audit,
    bounds,
    chains,
    chronicle,
    control,
    examination,
    launch,
    probes,
    residues,
    resting,
    retention,
    strays,
    undoing,
    verdicts,
    verifying,
)
from . import spec as specs
from .login import NAME

ANSWER_PATIENCE = 60.0
END_PATIENCE = 45.0
LONGEST_WAIT = 60.0
LINES_TOLD = 500
LONGEST_LINE = 4096
BYTES_TOLD = 48 * 1024
RUNS_TOLD = 100
LIVES, WAITS, LAST, OLDER = range(4)
ANY_ATTEMPT = 0
CANCEL = "transfer.cancel"


class Desk:
    """One minion's transfers, below `state_dir`."""

    def __init__(self, state_dir, minion, limits):
        self._minion = minion
        self._limits = limits
        self._runs = RunDirs(state_dir)
        self._register = Register(state_dir)
        self._seats = Seats(state_dir)

    # Beginning

    def prepare(self, spec, policy, login=None):
        """Start the worker of `spec`, or attach to the one that the same spec started before. `login` is with what it
        gets into this host's database, if that is what it reads.
        """
        specs.check(spec, self._minion)
        real = _real(_path(spec))  # once: what the policy is asked about is what the worker must find
        self._refuse_forbidden(spec, real, policy)
        run = self._runs.establish(spec)
        with _only_one(run):
            attempts.take_up(run, spec, END_PATIENCE)
            attached = self._was_started(run)
            if not attached:
                self._take_seat(run, spec)
                run.write("place", {"real": safepath.encode_path(real)})
                _give_login(run, spec, login)
                launch.start(run, spec)
        self._forget_old()
        return {**_answer(run, spec), "attached": attached}

    def _refuse_forbidden(self, spec, real, policy):
        peers = [peer["host"] for peer in chains.neighbours(spec)]
        paths = (_path(spec), real, os.path.realpath(real), *_read_beside(spec))
        reasons = policy.reasons(spec["role"], paths, peers, spec["settings"]["special"])
        if reasons:
            audit.refused(self._runs.state_dir, spec, reasons)
            raise PolicyRefused(f"this minion's own policy forbids it: {'; '.join(reasons)}", reasons=reasons)

    def _take_seat(self, run, spec):
        """Busy if as many transfers as this host may take part in do so; then this one has ended before it began."""
        try:
            self._seats.take(run, self._limits.max_transfers)
        except Busy as crowd:
            with flock.hold(run.lock, END_PATIENCE):
                undoing.conclude(run, verdicts.died(spec, crowd))
            raise

    def queue(self, transfer, at, same="", leave=False):
        """Take or renew a ticket for a transfer that waits for this host, or give it back."""
        if leave:
            self._seats.leave(transfer)
            return {"turn": False, "running": [], "waiting": [], "at": at}
        told = self._seats.wait(transfer, at, same, self._limits.max_transfers)
        most = {"most": self._limits.max_transfers}
        return {**told, **most, **{name: told[name][:RUNS_TOLD] for name in ("running", "waiting")}}

    def _was_started(self, run):
        """Whether a worker began here, now or earlier; one that failed says why again."""
        if run.alive:
            return True
        if run.read("state") or {change.what for change in run.undo.pending()} - {"staging"}:
            undoing.undo_dead(run, END_PATIENCE)
        verdict = run.verdict
        if verdict and verdict["error"]:
            raise control.Refusal(verdict["error"])
        return verdict is not None

    def arm(self, transfer, roster, role="", attempt=ANY_ATTEMPT):
        return self._ask(transfer, role, attempt, {"do": "arm", "roster": roster})

    def go(self, transfer, role="", attempt=ANY_ATTEMPT):
        return self._ask(transfer, role, attempt, {"do": "go"})

    def _open(self, transfer, role, attempt):
        """The run, if it is at this attempt: who has not heard of a later one must neither steer nor believe it."""
        run = self._runs.open(transfer, role)
        present = run.spec["attempt"]
        if attempt not in (ANY_ATTEMPT, present):
            raise OutOfTurn(f"transfer {transfer} is at attempt {present} on this host, not {attempt}; attach to it")
        return run

    def limit(self, transfer, rate, role=""):
        """Let at most so many bytes a second travel from now on, 0 for any number."""
        return self._ask(transfer, role, ANY_ATTEMPT, {"do": "limit", "rate": rate})

    def _ask(self, transfer, role, attempt, request):
        run = self._open(transfer, role, attempt)
        try:
            return control.ask(run.path, request, ANSWER_PATIENCE)
        except control.NobodyThere:
            status = self._settled(run)
        return _of_one_that_ended(transfer, request["do"], status)

    # Looking

    def follow(self, transfer, after_seq=0, wait=0.0, role="", attempt=ANY_ATTEMPT):
        """The status as soon as something happened after `after_seq`, at the latest after `wait` seconds."""
        run = self._open(transfer, role, attempt)
        wait = min(max(0.0, wait), LONGEST_WAIT)
        try:
            request = {"do": "follow", "after_seq": after_seq, "wait": wait}
            status = control.ask(run.path, request, wait + ANSWER_PATIENCE)
        except control.NobodyThere:
            return self._settled(run, after_seq)
        # A verdict is only told when everything of the worker is gone.
        return self._settled(run, after_seq) if status["verdict"] else status

    def status(self, transfer, role=""):
        return self.follow(transfer, role=role)

    def _settled(self, run, after_seq=0):
        """The status from the disk, after what is dead has been undone. Of a probe it is told once."""
        run = self._runs.open(run.transfer, run.role)  # which may be gone by now
        if flock.is_held(run.preparing):
            _await_who_undoes(run)
        else:
            if undoing.undo_dead(run, END_PATIENCE):
                launch.stop(run)
            if run.verdict and (resting.rests(run) or not run.undo.pending()):
                run.shed()
        status = chronicle.recorded(run, after_seq)
        probes.forget(run)
        return status

    def record(self, transfer, role=""):
        """What was asked of this end last, and how far it came: all that another attempt must know."""
        status = self.status(transfer, role)
        run = self._runs.open(transfer, role)
        return {"spec": run.spec, "status": {**status, "events": [], "seq": 0}, "given_up": resting.is_given_up(run)}

    def runs(self, after=0, transfers=(), without=()):
        """A page of short statuses beyond the first `after`, of some transfers if they are named, and how many follow.
        Runs that are named in `without` are left out, and do not count.

        What lives comes first, then what is dead or rests, then the last that ended well and the last that did not of
        each place, then what else is over, each the newest first.
        """
        left_out = {*without}
        named = (run for run in self._runs.all() if not transfers or run.transfer in transfers)
        found = [run for run in named if run.path.name not in left_out and not probes.is_probe(run.spec)]
        page = _by_standing(found)[max(0, after) :]
        shorts = ({**_short(run), "last": standing == LAST} for standing, run in page[:RUNS_TOLD])
        told = bounds.fitting(shorts, BYTES_TOLD)
        return {"runs": told, "more": len(page) - len(told)}

    def log(self, transfer, after=0, limit=LINES_TOLD, role=""):
        """Lines of the run's log after the first `after`."""
        run = self._runs.open(transfer, role)
        lines = run.log.read_text(errors="backslashreplace").splitlines() if run.log.exists() else []
        asked = lines[after : after + min(limit, LINES_TOLD)]
        told = bounds.fitting((bounds.short(line, LONGEST_LINE) for line in asked), BYTES_TOLD)
        return {"lines": told, "more": after + len(told) < len(lines), "peers": chains.others(run.spec)}

    def verify(self, transfer, shown=verifying.SHOWN, role=""):
        """What is on the disk now, against the record of a transfer that was published."""
        return verifying.verify(self._runs.open(transfer, role), shown)

    def audit(self, after=0, limit=audit.LINES_TOLD, transfer=""):
        """A page of this host's audit trail."""
        return audit.page(self._runs.state_dir, after, limit, transfer)

    # Ending

    def cancel(self, transfer, role="", keep=False, attempt=ANY_ATTEMPT):
        """End it and wait until everything is undone. `keep` leaves what has arrived, as a failure does."""
        run = self._open(transfer, role, attempt)
        with _only_one(run):  # so that no further attempt begins between the end of this one and its being given up
            with contextlib.suppress(control.NobodyThere):
                control.ask(run.path, {"do": "withdraw" if keep else "cancel"}, ANSWER_PATIENCE)
            if not _has_ended(run, keep):
                text = f"the worker of transfer {transfer} was told to end and still undoes"
                raise Busy(f"{text}; ask for its status again")
        status = self._settled(run)
        return {"phase": status["phase"], "peers": status["peers"]}

    def sweep(self, test=False, partial=False, unknown=False, places=()):
        """What is left of dead runs and records that are too old: listed, and removed unless `test`.

        Data that keep_partial left in staging is listed too, and removed only with `partial`; staging that no record
        knows is listed and removed only with `unknown`, beside all destinations on record and in `places`.
        """
        found, troubles = residues.find(self._runs, self._register, self._limits, partial)
        if unknown:
            stray = {"directories of destinations": lambda: strays.find(self._runs, self._minion, _decoded(places))}
            more, troubles = residues.look_in(stray, troubles)
            found += more
        removed = [] if test else residues.remove(found, troubles)
        told = {"found": [each.about for each in found], "removed": [each.about for each in removed]}
        return {name: bounds.fitting(each, BYTES_TOLD // 3) for name, each in {**told, "trouble": troubles}.items()}

    def doctor(self, places=()):
        """What is left over or odd on this host, with what to do about it; changes nothing."""
        told = examination.examine(self._runs, self._register, self._limits, self._minion, _decoded(places))
        return {**told, **{name: bounds.fitting(told[name], BYTES_TOLD // 2) for name in ("findings", "trouble")}}

    def _forget_old(self):
        """Never a reason to fail: what cannot be removed is the sweep's to tell."""
        with residues.noting([], "what is kept no longer could not be removed"):
            residues.remove(retention.expired(self._runs, self._limits), [])


def _of_one_that_ended(transfer, do, status):
    """Who asks again for what came true, because the first answer was lost, is told so; all others why it cannot be."""
    verdict = status["verdict"]
    if verdict and verdict["error"]:
        raise control.Refusal(verdict["error"])
    if do == "go" and status["phase"] == undoing.PUBLISHED:
        return {"phase": status["phase"]}
    raise OutOfTurn(f"the worker of transfer {transfer} has ended, it cannot {do} any more")


def _path(spec):
    return safepath.decode_path(spec["path"])


def _decoded(places):
    return [safepath.decode_path(each) for each in places]


def _real(path):
    """Where this name really lies; the worker refuses when what it opens lies elsewhere by then."""
    parent, name = safepath.split_final(path)
    return os.path.join(os.path.realpath(parent), name)


def _read_beside(spec):
    """What is read that is not the path of the source itself: a database's files, by way of its socket."""
    datadir = spec.get("stream", {}).get("datadir")
    return () if datadir is None else (safepath.decode_path(datadir), os.path.realpath(safepath.decode_path(datadir)))


def _give_login(run, spec, login):
    """For a worker that reads a database: the file with which it logs in, which goes when all else is undone."""
    if login and spec["role"] == "source" and "datadir" in spec.get("stream", {}):
        run.undo.register("login")
        login.write(run.path / NAME, os.fsdecode(_path(spec)))


def _only_one(run):
    held = flock.hold(run.preparing, launch.PATIENCE + END_PATIENCE)
    if held is None:
        text = f"another call has been starting or ending the worker of transfer {run.transfer} all the time"
        raise Busy(f"{text}; try again")
    return held


def _await_who_undoes(run):
    """Whoever cancels it, or makes another attempt of it, writes the verdict before everything is undone."""
    if run.verdict:
        flock.wait_free(run.lock, END_PATIENCE)


def _has_ended(run, keep):
    """Wait for the end of whoever lives there, then undo; without `keep` for good. False if it lives on."""
    if keep:
        return undoing.undo_dead(run, END_PATIENCE)
    return undoing.give_up(run, CANCEL, END_PATIENCE)


def _answer(run, spec):
    answer = run.read(f"{run.attempt(spec['attempt'])}/answer") or {}
    return {**answer, "phase": chronicle.recorded(run)["phase"]}


def _by_standing(runs):
    """(standing, run) of each. However many records there are, the first pages tell of all that is not over, the next
    ones how it stands with every place.
    """
    places = set()
    found = ((_standing(run, places), run) for run in runs)
    ordered = sorted(found, key=lambda pair: pair[0])
    return [pair for pair in ordered if pair[1].path.exists()]  # else it was removed meanwhile, and only looked dead


def _standing(run, places):
    """How early it is told; `places` are those of which a newer run was found to be over."""
    if _is_alive(run):
        return LIVES
    verdict = run.verdict
    if verdict is None or resting.rests(run):
        return WAITS
    place = (run.role, run.spec["path"], run.spec["peers"][0]["host"], verdict["result"] == "published")
    if place in places:
        return OLDER
    places.add(place)
    return LAST


def _is_alive(run):
    """Whether a worker lives here, is just being started, or is undone after."""
    return run.alive or flock.is_held(run.preparing)


def _short(run):
    spec, status = run.spec, chronicle.recorded(run)
    kept = ("transfer", "attempt", "role", "host", "asked_by", "phase", "wall")
    return {
        **{name: status[name] for name in kept},
        "alive": _is_alive(run),
        "path": spec["path"],
        "peers": chains.others(spec),
        "rests": resting.rests(run),
        "age": resting.age(run),
        "ended_at": resting.ended_at(run),
        "bytes_done": status["progress"]["bytes_done"],
        "bytes_total": status["progress"]["bytes_total"],
        "error": ((status["verdict"] or {}).get("error") or {}).get("name"),
    }
