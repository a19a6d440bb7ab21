"""What happened in a run, numbered and on disk, and the status told of it: by the live worker, or from the disk."""

import contextlib
import json
import logging
import threading
from dataclasses import asdict
from datetime import datetime, timezone

from datamover.host import lease

from . import bounds, chains
from .curve import Curve

EVENTS_TOLD = 50
EVENTS = 24 * 1024
LONGEST_TEXT = 800
MOVING = "moving"

log = logging.getLogger(__name__)

NOTHING_COUNTED = {
    "bytes_total": 0,
    "bytes_done": 0,
    "files_total": 0,
    "files_done": 0,
    "bytes_verified": 0,
    "estimated": True,
}
NEW = {"phase": "preparing", "phases": {}, "wall": None, "progress": NOTHING_COUNTED, "limit": None, "stages": {}}


class Chronicle:
    """The live worker's record. Events and phases reach the disk as they come, counters by `save_progress`."""

    def __init__(self, run, progress):
        self._run = run
        self._progress = progress
        self._began = lease.boottime()
        self._wall = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        self._phases = {}
        self._events = []
        self._curve = Curve()
        self._verdict = None
        self._saved = progress.counters
        self._changed = threading.Condition()
        self._saving = threading.Lock()
        self._file = open(run.path / "events.jsonl", "a", encoding="ascii")  # noqa: SIM115  lives as long as the worker
        progress.listen(self._hear)

    def _hear(self, what, details):
        if what == "phase":
            with self._changed:
                self._end_curve()
                self._phases = {details["phase"]: self._now(), **self._phases}
            self.save()
        self.note(what, **details)

    def _now(self):
        return round(lease.boottime() - self._began, 4)

    def note(self, what, **details):
        """Record an event, in the log too, and wake who waits for one."""
        log.info("%s %s", what, json.dumps(details, default=str))
        with self._changed:
            event = {"seq": len(self._events) + 1, "at": self._now(), "what": what, **_bounded(details)}
            self._events.append(event)
            self._changed.notify_all()
            with _recording():
                self._file.write(json.dumps(event, default=str) + "\n")
                self._file.flush()

    def conclude(self, verdict):
        """Record how it ended; from now on nothing changes."""
        with self._changed:
            self._verdict = verdict
        self.save()
        self.note("verdict", result=verdict["result"])

    def save(self):
        with self._saving, _recording():
            self._saved = self._progress.counters
            self._run.write("state", self._state())

    def save_progress(self):
        """Save the counters if they have changed since they were saved."""
        self._draw()
        if self._progress.counters is not self._saved:
            self.save()

    def _draw(self):
        """Data that is only known to be there already is no pace, so the curve begins where the moving does."""
        if self._progress.phase == MOVING:
            self._curve.add(self._now(), self._progress.counters.bytes_done)

    def _end_curve(self):
        """When the latest phase was the moving, what moved since its last point is told too, however fast that was."""
        if next(iter(self._phases), None) == MOVING:
            self._curve.end(self._now(), self._progress.counters.bytes_done)

    def _state(self):
        return {
            "phase": self._progress.phase,
            "phases": self._phases,
            "wall": self._wall,
            "progress": asdict(self._progress.counters),
            "limit": self._progress.limit,
            "stages": self._progress.times.stages().as_dict(),
            "curve": self._curve.points(),
        }

    def status(self, after_seq=0):
        with self._changed:
            return status(self._run.spec, self._state(), self._events, self._verdict, alive=True, after_seq=after_seq)

    def follow(self, after_seq, wait):
        """The status as soon as there is an event after `after_seq`, or after `wait` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._events) > after_seq or self._verdict, wait)
        return self.status(after_seq)


@contextlib.contextmanager
def _recording():
    """The record is for those who look; that its disk is full is no reason to end a transfer."""
    try:
        yield
    except OSError as error:
        log.warning("the record could not be written: %s", error)


def recorded(run, after_seq=0):
    """The status of a run without a live worker, from its disk."""
    return status(run.spec, run.read("state") or NEW, _recorded_events(run), run.verdict, run.alive, after_seq)


def _recorded_events(run):
    try:
        lines = (run.path / "events.jsonl").read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [event for line in lines if (event := _event(line))]


def _event(line):
    try:
        return json.loads(line)
    except ValueError:  # the last line of a worker that was killed while it wrote
        return None


def status(spec, state, events, verdict, alive, after_seq):
    """The status payload. `seq` is the number of the last event in it, from which to go on."""
    told = bounds.fitting([event for event in events if event["seq"] > after_seq][:EVENTS_TOLD], EVENTS)
    return {
        "transfer": spec["transfer"],
        "attempt": spec["attempt"],
        "role": spec["role"],
        "host": spec["host"],
        "peers": chains.others(spec),
        "asked_by": spec["asked_by"],
        "phase": verdict["result"] if verdict else state["phase"],
        "seq": told[-1]["seq"] if told else after_seq,
        "alive": alive,
        "progress": state["progress"],
        "limit": state.get("limit"),
        "stages": state.get("stages", {}),
        "curve": state.get("curve", []),
        "phases": state["phases"],
        "wall": state["wall"],
        "events": told,
        "verdict": verdict,
    }


def _bounded(details):
    """Texts of a bounded length, so that every event fits into an answer."""
    return {
        name: bounds.short(value, LONGEST_TEXT) if isinstance(value, str) else value for name, value in details.items()
    }
