"""The worker of one end of a transfer: prepared, armed, told to go, moving, ended. Its main loop alone decides.

The mover works in a thread of its own and ends with an outcome. Signals, requests from the control socket and the end
of the mover come in through one queue. The loop also keeps the lease, renews the pinhole and saves the counters; the
heartbeat tells that it turns.
"""

import logging
import os
import queue
import signal
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial

from datamover.engine.outcome import Outcome
from datamover.engine.progress import Progress
from datamover.engine.stop import Stop
from datamover.errors import Cancelled, LeaseExpired, LocalError, NoGo, OutOfTurn, RosterMismatch, Stalled
from datamover.host import flock
from datamover.host.lease import Deadline

from . import audit, chains, control, ends, probeends, probes, undoing, verdicts
from .chronicle import Chronicle
from .heartbeat import Heartbeat

TICK = 1.0
LONGEST_UNSEEN = 5.0
CALL_PATIENCE = 50.0
MOVER_PATIENCE = 30.0
GOODBYE_PATIENCE = 2.0
LEFT_TO_UNDO = 1
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
UNPROVED = ("prepared", "armed", "connecting")

log = logging.getLogger(__name__)


def run(run, notifier):
    """Be the worker of `run` from beginning to end; returns the exit status."""
    held = flock.hold(run.lock)
    if held is None or run.verdict:
        raise SystemExit(f"{run.path} has a worker already, or is over")
    with held:
        return Worker(run, notifier).work()


class Worker:
    def __init__(self, run, notifier):
        self._run = run
        self._spec = run.spec
        self._notifier = notifier
        self._heartbeat = Heartbeat(notifier, self._spec["settings"]["lease"])
        self._inbox = queue.SimpleQueue()
        # What facts saw, until the source has walked through all of it.
        self._progress = Progress(bytes_total=self._spec["expect"]["bytes"], estimated=True)
        self._chronicle = Chronicle(run, self._progress)
        self._stop = Stop()
        kinds = (probeends if probes.is_probe(self._spec) else ends).END_OF
        self._end = kinds[self._spec["role"]](run, self._spec, self._progress, self._stop, self._chronicle.note)
        self._server = control.Server(run.path, self._answer)
        self._deadline = None
        self._renew_at = None
        self._mover = None
        self._mover_deadline = None
        self._outcome = None

    def work(self):
        """The whole life; returns the exit status."""
        for number in SIGNALS:
            signal.signal(number, self._hear_signal)
        with self._heartbeat:
            return self._live()

    def _live(self):
        try:
            self._prepare()
            while self._outcome is None:
                self._turn()
        except Exception as error:
            log.exception("the worker cannot go on")
            self._outcome = Outcome(foreseen(error))
        return self._conclude()

    def _hear_signal(self, number, _frame):
        # Only noted here: what it interrupts may hold any lock.
        self._inbox.put(partial(self._cancel, signal.Signals(number).name))

    # The course

    def _prepare(self):
        self._run.undo.register("trail")
        audit.begun(self._run, self._spec)
        self._run.write(f"{self._run.attempt(self._spec['attempt'])}/answer", self._end.prepare())
        self._progress.enter("prepared")
        self._expect_within_lease()
        self._server.start()
        self._notifier.ready()

    def _turn(self):
        """Carry out the next thing that comes in, if one comes in time, and what time demands."""
        try:
            task = self._inbox.get(timeout=self._pause())
        except queue.Empty:
            pass
        else:
            task()
        self._heartbeat.turned()
        self._keep_lease()
        self._give_up_mover()
        self._chronicle.save_progress()

    def _pause(self):
        return min([TICK, *(each.remaining for each in (self._deadline, self._renew_at) if each)])

    def _expect_within_lease(self):
        self._deadline = Deadline.after(self._spec["settings"]["lease"])

    def _keep_lease(self):
        if self._deadline and self._progress.phase not in UNPROVED:
            self._deadline = None
        if self._deadline and self._deadline.passed:
            self._deadline = None
            self._give_up(NoGo(self._silence()))
        if self._renew_at and self._renew_at.passed:
            self._renew()

    def _silence(self):
        what = self._end.silence if self._end.armed else "was prepared but never armed"
        return f"the {self._spec['role']} {what} within its lease of {self._spec['settings']['lease']} s; try again"

    def _expect_to_renew(self):
        # Soon, too, because that is when it is noticed that somebody took the pinhole away.
        self._renew_at = Deadline.after(min(LONGEST_UNSEEN, self._spec["settings"]["lease"] / 3))

    def _renew(self):
        self._expect_to_renew()
        try:
            self._end.renew()
        except Exception as error:
            log.exception("the lease could not be renewed")
            self._give_up(LeaseExpired(f"the lease could not be renewed: {error}"))
        self._heartbeat.turned()
        self._account()

    def _account(self):
        # Bookkeeping: others are told too much is taken, which is no reason to end.
        try:
            self._end.account()
        except Exception as error:
            log.warning("what is needed still could not be told to this host: %s", error)

    def _give_up(self, reason):
        """End for this reason: the mover, which then tells the other end, or at once where none runs."""
        if self._mover:
            self._stop.set(reason)
            self._mover_deadline = self._mover_deadline or Deadline.after(MOVER_PATIENCE)
        else:
            self._outcome = self._outcome or Outcome(reason)

    def _give_up_mover(self):
        # A thread that hangs in the kernel must not keep the port and the pinhole open.
        if self._mover_deadline and self._mover_deadline.passed and self._outcome is None:
            self._chronicle.note("hung", thread=self._mover.name)
            self._outcome = Outcome(self._stop.reason)

    def _start_mover(self):
        self._mover = threading.Thread(target=self._move, name="mover", daemon=True)
        self._mover.start()

    def _move(self):
        try:
            outcome = self._end.work()
        except Exception as error:
            log.exception("the mover failed")
            outcome = Outcome(foreseen(error))
        self._inbox.put(partial(self._ended, outcome))

    def _ended(self, outcome):
        self._outcome = self._outcome or outcome

    # What may be asked

    def _answer(self, request):
        """In a thread of the control socket: looking is answered there, the rest by the main loop."""
        match request:
            case {"do": "follow", "after_seq": int(after), "wait": int() | float() as wait}:
                return self._chronicle.follow(after, wait)
            case {"do": "arm", "roster": dict(roster)}:
                return self._call(self._arm, roster)
            case {"do": "go"}:
                return self._call(self._go)
            case {"do": "limit", "rate": int(rate)}:
                return self._call(self._limit, rate)
            case {"do": "cancel"}:
                return self._call(self._cancel, "transfer.cancel")
            case {"do": "withdraw"}:
                return self._call(self._withdraw)
        raise LocalError(f"the worker does not understand {str(request)[:80]}")

    def _call(self, function, *arguments):
        """Have the main loop call `function`; its result or error comes back."""
        future = Future()
        self._inbox.put(partial(_fulfil, future, function, *arguments))
        try:
            return future.result(CALL_PATIENCE)
        except FutureTimeout as error:
            raise Stalled(f"the worker is busy and has not answered within {CALL_PATIENCE:g} s; ask again") from error

    def _arm(self, roster):
        self._refuse_if_over()
        if self._takes(roster):
            self._progress.enter("armed")
            self._expect_within_lease()
            if self._end.listens:
                self._expect_to_renew()
                self._start_mover()
        return {"phase": self._progress.phase}

    def _takes(self, roster):
        """Whether the roster is new to this end. One that does not fit changes nothing, other trouble ends the run."""
        try:
            return self._end.arm(roster)
        except RosterMismatch:
            raise
        except Exception as error:
            self._outcome = Outcome(foreseen(error))
            raise

    def _go(self):
        if self._end.listens:
            raise OutOfTurn("a destination waits for its source; only a source can be told to go")
        if self._mover:  # asked again, because the first answer was lost
            return {"phase": self._progress.phase}
        self._refuse_if_over()
        if not self._end.armed:
            raise OutOfTurn("the source is not armed yet, it does not know who takes part")
        self._deadline = None
        self._start_mover()
        return {"phase": self._progress.phase}

    def _limit(self, rate):
        self._refuse_if_over()
        before = self._progress.limit
        self._end.limit(rate)
        self._chronicle.save()
        self._chronicle.note("limit", rate=rate)
        told = {"phase": self._progress.phase, "limit": rate, "before": before}
        return {**told, "chain": chains.others(self._spec)} if chains.is_chain(self._spec) else told

    def _refuse_if_over(self):
        if self._outcome:
            raise OutOfTurn("this run has ended; its status says how")

    def _cancel(self, by):
        self._give_up(Cancelled(f"the transfer was cancelled by {by}"))
        return {"phase": self._progress.phase}

    def _withdraw(self):
        self._give_up(NoGo("whoever began this attempt withdrew it before any byte moved; try again"))
        return {"phase": self._progress.phase}

    # The end

    def _conclude(self):
        """Verdict, undo, goodbye. From here on nothing is asked of anybody, so nothing can keep the pinhole open."""
        self._heartbeat.ending()
        if not self._end.withdraw():
            self._leave_to_undo()
        self._close_end()
        verdict = undoing.conclude(self._run, verdicts.verdict(self._spec, self._outcome))
        if self._end.opened:
            self._chronicle.note("pinhole", change="closed", port=self._end.opened)
        if self._progress.phase != verdict["result"]:
            self._progress.enter(verdict["result"])
        self._chronicle.conclude(verdict)
        while not self._inbox.empty():
            self._inbox.get()()
        self._server.close(GOODBYE_PATIENCE)
        return verdicts.exit_status(verdict)

    def _leave_to_undo(self):
        """The mover hangs while it publishes. Only without it can be told how that ended, so all ends here, at once."""
        log.error("the worker ends without a verdict: its mover hangs while it publishes")
        self._close_end()
        undoing.close_pinholes(self._run)
        os._exit(LEFT_TO_UNDO)  # with the lock held until the mover is gone too

    def _close_end(self):
        try:
            self._end.close()
        except Exception:  # all the more must the rest be undone
            log.exception("the end could not be closed")


def foreseen(error):
    """The error itself if it has words of its own for the user, else one of ours that quotes it."""
    return error if hasattr(error, "as_dict") else LocalError(f"unexpected {type(error).__name__}: {error}")


def _fulfil(future, function, *arguments):
    try:
        future.set_result(function(*arguments))
    except Exception as error:
        future.set_exception(error)
